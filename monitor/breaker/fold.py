"""The fold: all breakers, cursors and open requests as the journal tells them; records in sequence change it, nothing else."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from detectors.events import Position
from monitor.breaker.depths import Reorgs
from monitor.breaker.evidence import About, Orphaned, Staged, with_orphans, with_stages, without
from monitor.breaker.holds import INTERNAL, Decision, Mode
from monitor.breaker.machine import Breaker, Retraction, apply, with_findings
from monitor.breaker.shadows import WouldPause, remembered
from monitor.breaker.sightings import Sighting, keep


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for what takes two: an `action` (`resume` or `override`) that another principal must approve.

    It holds for the `revision` it was made at and until `until` (unix seconds). `principal` is the asker's token, `by` the
    person; `bypass` the seconds an override would last.
    """

    id: str
    integration: str
    action: str
    principal: str
    by: str
    reason: str
    at: float
    until: float
    revision: int
    bypass: float | None = None


class Noted(About, frozen=True):
    """A finding that changed no flag, kept for corroboration, the page and the audit."""

    kind: ClassVar[str] = "finding"


Note = Noted | Staged | Orphaned | Retraction | Sighting | WouldPause
"""What is recorded though it changes no flag."""

_OURS = b'"integration":"' + INTERNAL.encode()
"""How a decision on one of ours begins, after its id."""

_EVIDENCE: dict[str, tuple[Any, Callable[[Breaker, Any], Breaker]]] = {
    Staged.kind: (Staged, with_stages),
    Orphaned.kind: (Orphaned, with_orphans),
    Retraction.kind: (Retraction, without),
}


class Cursor(msgspec.Struct, frozen=True):
    """Every block of `chain` up to `position` has been processed."""

    chain: str
    position: Position


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """All that the records before this one came to: what a journal begins with whose earlier records are archived."""

    kind: ClassVar[str] = "state"

    breakers: dict[str, Breaker]
    cursors: dict[str, Position]
    reorgs: dict[str, Reorgs]
    requests: dict[str, Request]
    sightings: dict[str, Sighting] = {}


def proves_life(kind: str, body: bytes) -> bool:
    """Is this record a decision on a proof of life? Those of an earlier life prove nothing, and there are many."""
    return kind == "decision" and body.find(_OURS, 0, 64) >= 0


class Fold:
    """All breakers and cursors, as the journal tells them. Changes only through `apply_record`, with records in sequence."""

    def __init__(self, modes: dict[str, Mode]) -> None:
        self.modes = modes
        self.breakers: dict[str, Breaker] = {name: Breaker(integration=name, mode=mode) for name, mode in modes.items()}
        self.cursors: dict[str, Position] = {}
        self.reorgs: dict[str, Reorgs] = {}
        self.requests: dict[str, Request] = {}
        self.sightings: dict[str, Sighting] = {}
        self.head = 0

    def breaker(self, integration: str) -> Breaker:
        """The breaker of an integration; one that the configuration no longer names keeps its history in enforce mode."""
        return self.breakers.get(integration) or Breaker(integration=integration, mode=Mode.ENFORCE)

    def whole(self) -> Whole:
        """Everything, to be recorded."""
        return Whole(
            breakers=self.breakers, cursors=self.cursors, reorgs=self.reorgs, requests=self.requests, sightings=self.sightings
        )

    def _take_up(self, whole: Whole) -> None:
        """What was recorded; the modes are the configuration's."""
        for name, breaker in whole.breakers.items():
            self.breakers[name] = msgspec.structs.replace(breaker, mode=self.modes.get(name, Mode.ENFORCE))
        self.cursors, self.reorgs, self.requests = dict(whole.cursors), dict(whole.reorgs), dict(whole.requests)
        self.sightings = dict(whole.sightings)

    def apply_record(self, kind: str, body: bytes, sequence: int) -> Decision | Retraction | None:
        """Fold one journal record and give back the decision or retraction it is, if it is one.

        Kinds not about state only move the head.
        """
        decision = None
        if kind == "decision":
            decision = msgspec.json.decode(body, type=Decision)
            self.breakers[decision.integration] = apply(self.breaker(decision.integration), decision, sequence)
            self._drop_requests(decision.integration)
        elif kind == "finding":
            noted = msgspec.json.decode(body, type=Noted)
            self.breakers[noted.integration] = with_findings(self.breaker(noted.integration), (noted.finding,))
        elif kind in _EVIDENCE:
            return self._evidence(kind, body, sequence)
        elif kind == "cursor":
            cursor = msgspec.json.decode(body, type=Cursor)
            self.cursors[cursor.chain] = cursor.position
        elif kind == WouldPause.kind:
            news = msgspec.json.decode(body, type=WouldPause)
            breaker = self.breaker(news.integration)
            self.breakers[news.integration] = msgspec.structs.replace(breaker, shadowed=remembered(breaker.shadowed, news))
        elif kind == Sighting.kind:
            keep(self.sightings, msgspec.json.decode(body, type=Sighting))
        elif kind == Reorgs.kind:
            table = msgspec.json.decode(body, type=Reorgs)
            self.reorgs[table.chain] = table
        elif kind == "request":
            request = msgspec.json.decode(body, type=Request)
            self._drop_requests(request.integration)
            self.requests[request.id] = request
        elif kind == Whole.kind:
            self._take_up(msgspec.json.decode(body, type=Whole))
        self.head = sequence
        return decision

    def _evidence(self, kind: str, body: bytes, sequence: int) -> Retraction | None:
        """What the chain made of earlier findings. The answer to readers is the same, so no revision rises."""
        type_, change = _EVIDENCE[kind]
        news = msgspec.json.decode(body, type=type_)
        self.breakers[news.integration] = change(self.breaker(news.integration), news)
        self.head = sequence
        return news if isinstance(news, Retraction) else None

    def _drop_requests(self, integration: str) -> None:
        """What was asked of an earlier state is off; a newer request takes the place of an older one."""
        for key in [key for key, request in self.requests.items() if request.integration == integration]:
            del self.requests[key]
