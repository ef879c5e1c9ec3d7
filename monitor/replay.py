"""A tape through the same pipeline, policy and fold as the daemon's: the same findings and decisions, bit for bit. No clock.

Under another configuration it tells what would have been. What follows from an event then takes effect where it did when the
tape was made; where nothing followed at that time, at once (docs/decisions/006-tapes.md).
"""

import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from detectors.base import Detector
from detectors.events import Event, Position
from monitor.assembly import build_detectors, registry_of, watched_of
from monitor.breaker.fold import Fold
from monitor.breaker.holds import HUMAN, SERVICE, Decision, State
from monitor.breaker.machine import Breaker, IllegalTransitionError, after_change
from monitor.chains.tape import Asked, Done, Entry, Proposed, Restored, Saved, Settled, Standing, Written
from monitor.config import Config
from monitor.errors import TapeError
from monitor.journal.base import encode
from monitor.opening import modes_of
from monitor.pipeline import Judged, Pipeline

KEPT_STATES = 4
"""Saved detector states kept per chain; the daemon itself keeps fewer."""


class Line(NamedTuple):
    """A finding or a decision: `kind` says which, `body` is its canonical JSON."""

    kind: str
    id: str
    body: bytes

    @property
    def text(self) -> bytes:
        """One JSON object."""
        return b'{"%s":%s}' % (self.kind.encode(), self.body)


class Tally(msgspec.Struct):
    """What a replay came to. `digest` is SHA-256 over its lines in order, each with a line feed.

    `recorded` decisions stand on the tape; `differing` ones came out here and not there, or there and not here. `unfitting` ones,
    not of this policy, did not fit the state here. `failed` counts detectors' errors. `inherited`: detectors began with
    a state that is not on the tape. `first` and `last` are the tape's own times, seconds.
    """

    events: int = 0
    findings: int = 0
    decisions: int = 0
    recorded: int = 0
    differing: int = 0
    unfitting: int = 0
    failed: int = 0
    inherited: bool = False
    first: float = 0.0
    last: float = 0.0
    digest: str = ""


class _Due(NamedTuple):
    """An event whose consequences are still to come."""

    event: Event
    judged: Judged


class _Draft(NamedTuple):
    """A record that follows from an event."""

    kind: str
    body: bytes
    decision: Decision | None = None


class Replay:
    """One tape under one configuration. `take` every entry in order; `tally` counts along."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.registry = registry_of(config)
        self.fold = Fold(modes_of(config))
        self.pipeline: Pipeline | None = None
        self._tally = Tally()
        self._sum = hashlib.sha256()
        self._saved: dict[str, dict[Position, bytes]] = {}
        self._last: _Due | None = None
        self._due: dict[int, _Due] = {}
        self._asking: int | None = None
        self._answer: list[_Draft] = []
        self._answered_on = 0
        self._written: list[Written] = []
        self._marks: dict[type[Entry], Callable[[Any], Iterable[Line]]] = {
            Standing: self._begin,
            Restored: self._restore,
            Saved: self._save,
            Settled: self._settle,
            Proposed: self._wait,
            Asked: self._ask,
            Written: self._enter,
            Done: self._done,
        }

    @property
    def tally(self) -> Tally:
        """What it has come to so far."""
        return msgspec.structs.replace(self._tally, digest=self._sum.hexdigest())

    def take(self, entry: Entry) -> Iterator[Line]:
        """Replay one entry; findings and decisions as they come. Raises TapeError for a tape out of order."""
        if not isinstance(entry, Proposed):
            yield from self.finish()
        if isinstance(entry, Event):
            yield from self._counted(self._observe(entry))
        else:
            yield from self._counted(self._marks[type(entry)](entry))

    def finish(self) -> Iterator[Line]:
        """What follows from the last event, when nothing did as the tape was made: it takes effect at once.

        Call it after the last entry of a whole tape.
        """
        last, self._last = self._last, None
        if last is not None:
            drafts = self._propose(last)
            self._tally.differing += sum(draft.decision is not None for draft in drafts)
            yield from self._counted(self._apply(drafts))

    def _counted(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            self._sum.update(line.text + b"\n")
            if line.kind == "decision":
                self._tally.decisions += 1
            else:
                self._tally.findings += 1
            yield line

    @property
    def _running(self) -> Pipeline:
        if self.pipeline is None:
            raise TapeError("replay: the tape does not begin with the state of things")
        return self.pipeline

    def _begin(self, standing: Standing) -> Iterable[Line]:
        """Take up the fold as it stood; the mode of each integration is the configuration's."""
        for name, breaker in standing.breakers.items():
            mode = self.fold.modes.get(name, breaker.mode)
            self.fold.breakers[name] = msgspec.structs.replace(breaker, mode=mode)
        self.fold.cursors.update(standing.cursors)
        self.fold.head = standing.head
        chains = (chain.id for chain in self.config.chains.values())
        self.pipeline = Pipeline(dict.fromkeys(chains, ()), watched_of(self.config), self.fold)
        return ()

    def _observe(self, event: Event) -> Iterator[Line]:
        tally = self._tally
        tally.events += 1
        tally.first = tally.first or event.at
        tally.last = max(tally.last, event.at)
        judged = self._running.observe(event)
        tally.failed += len(judged.failed)
        self._last = _Due(event, judged)
        for finding in judged.findings:
            yield Line("finding", finding.id, encode(finding))

    def _wait(self, entry: Proposed) -> Iterable[Line]:
        if self._last is None or entry.number != self._tally.events:
            raise TapeError(f"replay: event {entry.number} is followed up out of order")
        self._due[entry.number], self._last = self._last, None
        return ()

    def _ask(self, entry: Asked) -> Iterator[Line]:
        """The desk asked. Asked again, someone was faster, whose records are in the fold by now."""
        for written in self._written:
            yield from self._foreign(written)
        self._written = []
        if entry.number not in self._due:
            raise TapeError(f"replay: event {entry.number} is asked about out of order")
        self._asking = entry.number
        self._answer = self._propose(self._due[entry.number])
        self._answered_on = self.fold.head

    def _done(self, entry: Done) -> Iterator[Line]:
        due = self._due.pop(entry.number, None)
        if self._asking != entry.number or due is None:
            return  # given up before its turn came
        written, answer = self._written, self._answer
        self._asking, self._written, self._answer = None, [], []
        if entry.refused:
            for record in written:
                yield from self._foreign(record)
            return
        if self.fold.head != self._answered_on:
            answer = self._propose(due)  # something took effect here meanwhile that did not then
        decided = [bytes(record.body) for record in written if record.kind == "decision"]
        mine = {draft.body for draft in answer if draft.decision is not None}
        self._tally.recorded += len(decided)
        self._tally.differing += len(mine.symmetric_difference(decided))
        yield from self._apply(answer)

    def _propose(self, due: _Due) -> list[_Draft]:
        proposed = self._running.propose(due.event, due.judged)
        return [
            *(_Draft("decision", encode(decision), decision) for decision in proposed.decisions),
            *(_Draft(note.kind, encode(note)) for note in proposed.notes),
        ]

    def _apply(self, drafts: list[_Draft]) -> Iterator[Line]:
        for draft in drafts:
            try:
                self.fold.apply_record(draft.kind, draft.body, self.fold.head + 1)
            except IllegalTransitionError as error:
                raise TapeError(f"replay: the tape's state of things contradicts itself: {error}") from error
            if draft.decision is not None:
                yield Line("decision", draft.decision.id, draft.body)

    def _foreign(self, written: Written) -> Iterator[Line]:
        """A record of someone else's: taken as it is, as the daemon does; a person's order, as it is meant in the state here."""
        body = bytes(written.body)
        try:
            decision = msgspec.json.decode(body, type=Decision) if written.kind == "decision" else None
            self._tally.recorded += decision is not None
            self.fold.apply_record(written.kind, body, self.fold.head + 1)
        except IllegalTransitionError:
            decision = fitted(self.fold.breaker(decision.integration), decision) if decision is not None else None
            if decision is None:
                self.fold.head += 1
                self._tally.unfitting += 1
                return
            body = encode(decision)
            self.fold.apply_record(written.kind, body, self.fold.head + 1)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TapeError(f"replay: a journal record on the tape is no {written.kind}: {error}") from error
        if decision is not None:
            yield Line("decision", decision.id, body)

    def _enter(self, entry: Written) -> Iterable[Line]:
        """While the desk is at it, this may be its own answer: `_done` tells. Else it is someone else's record."""
        if self._asking is None:
            return self._foreign(entry)
        self._written.append(entry)
        return ()

    def _settle(self, entry: Settled) -> Iterable[Line]:
        self._running.settle(entry.chain, entry.tx, entry.how)
        return ()

    def _restore(self, entry: Restored) -> Iterable[Line]:
        """Detectors as the daemon took them up here: fresh, or as they were saved earlier on this tape."""
        if entry.chain in self._running.detectors:
            self._running.restore(entry.chain, self._state(entry))
        return ()

    def _state(self, entry: Restored) -> dict[str, Detector]:
        kept = None if entry.position is None else self._saved.get(entry.chain, {}).get(entry.position)
        if kept is not None:
            return dict(pickle.loads(kept))  # noqa: S301 - made in this process, by `_save`
        self._tally.inherited |= entry.position is not None
        return {detector.name: detector for detector in build_detectors(self.config, self.registry)}

    def _save(self, entry: Saved) -> Iterable[Line]:
        kept = self._saved.setdefault(entry.chain, {})
        detectors = self._running.detectors.get(entry.chain, {})
        kept[entry.position] = pickle.dumps(detectors, protocol=pickle.HIGHEST_PROTOCOL)
        while len(kept) > KEPT_STATES:
            del kept[next(iter(kept))]
        return ()


def fitted(breaker: Breaker, order: Decision) -> Decision | None:
    """A person's order, given in another state, as it would have been in this one: pause, or release whatever holds.

    None when nobody ordered it, or nothing holds.
    """
    if not order.by.startswith((HUMAN, SERVICE)):
        return None
    if order.after is State.FORCED_CLOSED:
        return None if breaker.forced else msgspec.structs.replace(order, before=breaker.state)
    release = () if order.place else tuple(breaker.holds)
    if not (order.place or release):
        return None
    after = after_change(breaker, order.place, release)
    return msgspec.structs.replace(order, before=breaker.state, after=after, release=release)
