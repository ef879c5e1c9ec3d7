"""How long a pause took, step by step: seen, decided, readable, recorded, acknowledged; counted in histograms."""

from typing import ClassVar

import msgspec

from monitor import metrics, spans
from monitor.breaker.holds import Decision

KEPT = 512
"""Decisions whose times are remembered, newest."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Unix seconds. `seen_at`: its cause reached us; `readable_at`: every door answered `pause`; `recorded_at`: on the disk.

    None for what has not happened, or was before this process began.
    """

    seen_at: float
    decided_at: float
    readable_at: float
    recorded_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of an incident, `at` unix seconds."""

    incident: str
    integration: str
    at: float
    by: str
    note: str = ""


class Acknowledged(Word, frozen=True, kw_only=True):
    """Somebody took up an incident: a person, or a pager in a person's name."""

    kind: ClassVar[str] = "acknowledged"

    via: str = ""
    """The receiver that told us of it; empty for one that was given here."""


class GivenBack(Word, frozen=True, kw_only=True):
    """Whoever had taken up an incident has it no more: their pager says that the acknowledgement or the silence ended."""

    kind: ClassVar[str] = "unacknowledged"


class Timings:
    """The times of the newest pauses, by decision."""

    def __init__(self) -> None:
        self._known: dict[str, Timing] = {}
        self._acknowledged: dict[str, Acknowledged] = {}

    def of(self, decision: str) -> Timing | None:
        """The times of one pause; None for what is not remembered, or paused nothing."""
        known, taken_up = self._known.get(decision), self._acknowledged.get(decision)
        if known is None or taken_up is None:
            return known
        return msgspec.structs.replace(known, acknowledged_at=taken_up.at, acknowledged_by=taken_up.by)

    def taken_up(self, decision: str) -> Acknowledged | None:
        """Who acknowledged it first."""
        return self._acknowledged.get(decision)

    def shown(self, decision: Decision, decided_at: float, readable_at: float) -> None:
        """A pause is readable. Decided once more after a lost race, it keeps its first times."""
        if decision.id in self._known:
            return
        self.remember(decision.id, Timing(seen_at=decision.at, decided_at=decided_at, readable_at=readable_at))
        for step, took in (("decided", decided_at - decision.at), ("readable", readable_at - decision.at)):
            metrics.TIME_TO_PAUSE.labels(decision.integration, step).observe(max(0.0, took), _exemplar(decision))

    def recorded(self, decision: Decision, at: float) -> None:
        """The journal has it."""
        known = self._known.get(decision.id)
        if known is not None and known.recorded_at is None:
            self._known[decision.id] = msgspec.structs.replace(known, recorded_at=at)
            took = max(0.0, at - decision.at)
            metrics.TIME_TO_PAUSE.labels(decision.integration, "recorded").observe(took, _exemplar(decision))

    def acknowledged(self, news: Acknowledged) -> None:
        """Somebody took it up; the first counts."""
        self._acknowledged.setdefault(news.incident, news)
        _bound(self._acknowledged)

    def given_back(self, news: GivenBack) -> None:
        """Nobody has it any more; whoever takes it up next is the first."""
        self._acknowledged.pop(news.incident, None)

    def remember(self, decision: str, timing: Timing) -> None:
        """The times of a pause, perhaps of an earlier life."""
        self._known.setdefault(decision, timing)
        _bound(self._known)


def _bound(kept: dict[str, Timing] | dict[str, Acknowledged]) -> None:
    while len(kept) > KEPT:
        del kept[next(iter(kept))]


def _exemplar(decision: Decision) -> dict[str, str]:
    """Which incident an observation was, and its trace where there are any."""
    return {"incident": decision.id, **spans.exemplar(finding.tx for finding in decision.findings)}
