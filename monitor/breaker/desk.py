"""The desk: the one place where decisions become records. Pause first and write after; write first and release after."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from monitor import metrics
from monitor.breaker.flags import FlagBoard
from monitor.breaker.holds import Decision, State
from monitor.breaker.machine import Breaker, Cursor, Fold, IllegalTransitionError, Noted, after_change
from monitor.errors import JournalConflict, JournalError
from monitor.journal.base import Draft, Record, encode

log = structlog.get_logger()

KEPT_DECISIONS = 500
_STATES = tuple(State)


class Appender(Protocol):
    """What the desk needs of a journal: compare-and-append off the loop, and reading on after a lost race."""

    async def append(self, drafts: Sequence[Draft], expected: int) -> tuple[Record, ...]:
        """All or none; JournalConflict when `expected` is not the head, JournalError when the journal cannot take it."""

    async def read(self, start: int) -> Sequence[Record]:
        """Every record from sequence `start` on."""


class Made(msgspec.Struct, frozen=True):
    """A decision that is now in force: what it was, the breaker after it, its revision."""

    decision: Decision
    breaker: Breaker
    revision: int


class Desk:
    """Holds the fold and the board together over one journal. `told` is called with every decision once it is in force."""

    def __init__(self, fold: Fold, board: FlagBoard, journal: Appender, told: Callable[[Made], None]) -> None:
        self.fold = fold
        self.board = board
        self.journal = journal
        self.told = told
        self.made: deque[Made] = deque(maxlen=KEPT_DECISIONS)
        self.owed: list[Decision] = []
        self.trouble = ""
        self._turn = asyncio.Lock()

    def restore(self, records: Sequence[Record]) -> None:
        """Fold the journal at start, before anything else runs; the flags then say what they said before."""
        for record in records:
            self._fold(record)
        for breaker in self.fold.breakers.values():
            self._show(breaker)

    async def decide(self, propose: Callable[[], Sequence[Decision]], notes: Sequence[Noted] = ()) -> list[Made]:
        """Take what `propose` decides on the fold as it stands into the journal, then into the fold, then to the readers.

        Pauses are shown before the journal answers. After a lost race the new records are folded and `propose` is asked again.
        Raises JournalError when a release or a note could not be written; a pause stays shown and is owed instead.
        """
        async with self._turn:
            while True:
                decisions = list(propose())
                for decision in decisions:
                    if decision.pauses and not decision.shadow:
                        self.board.pause_now(decision.integration, decision.reason)
                drafts = [_draft("decision", d, d.at, d.by) for d in decisions]
                drafts += [_draft("finding", note, note.finding.at, f"detector:{note.finding.detector}") for note in notes]
                if not drafts:
                    return []
                try:
                    records = await self.journal.append(drafts, self.fold.head)
                except JournalConflict:
                    for record in await self.journal.read(self.fold.head + 1):
                        self._fold(record)
                    continue
                except JournalError as error:
                    self._refused(error, decisions)
                    raise
                self.trouble = ""
                return [made for record in records if (made := self._fold(record)) is not None]

    async def advance(self, cursor: Cursor, at: float) -> None:
        """Move a chain's cursor; a journal that cannot take it leaves the cursor where it was (the block is read again)."""
        async with self._turn:
            body = _draft("cursor", cursor, at, "follower", durable=False)
            try:
                for record in await self.journal.append([body], self.fold.head):
                    self._fold(record)
            except JournalError as error:
                self._refused(error, [])

    async def note(self, kind: str, value: msgspec.Struct, at: float, by: str) -> None:
        """Record something that changes no flag (a receipt)."""
        async with self._turn:
            try:
                for record in await self.journal.append([_draft(kind, value, at, by, durable=False)], self.fold.head):
                    self._fold(record)
            except JournalError as error:
                self._refused(error, [])

    async def pay(self) -> None:
        """Write the pauses that the journal refused earlier, as soon as it takes them again."""
        owed, self.owed = self.owed, []
        for decision in owed:
            breaker = self.fold.breaker(decision.integration)
            fresh = tuple(hold for hold in decision.place if hold.id not in breaker.holds)
            if fresh:
                again = msgspec.structs.replace(decision, before=breaker.state, after=_after(breaker, decision), place=fresh)
                try:
                    await self.decide(lambda again=again: [again])  # type: ignore[misc]
                except JournalError:
                    return

    def _refused(self, error: JournalError, decisions: Sequence[Decision]) -> None:
        metrics.JOURNAL_ERRORS.inc()
        if self.trouble != str(error):
            log.error("journal.refused", error=str(error))
        self.trouble = str(error)
        known = {decision.id for decision in self.owed}
        self.owed += [decision for decision in decisions if decision.pauses and decision.id not in known]

    def _fold(self, record: Record) -> Made | None:
        try:
            self.fold.apply_record(record.kind, record.body, record.sequence)
        except IllegalTransitionError as error:
            log.error("journal.illegal", sequence=record.sequence, error=str(error))
            self.fold.head = record.sequence
            return None
        if record.kind != "decision":
            return None
        decision = msgspec.json.decode(record.body, type=Decision)
        made = Made(decision, self.fold.breaker(decision.integration), record.sequence)
        self.made.append(made)
        self._show(made.breaker)
        self.told(made)
        return made

    def _show(self, breaker: Breaker) -> None:
        self.board.publish(breaker)
        for state in _STATES:
            metrics.BREAKER_STATE.labels(breaker.integration, state).set(breaker.state is state)
        metrics.WOULD_PAUSE.labels(breaker.integration).set(breaker.would_pause)


def _after(breaker: Breaker, decision: Decision) -> State:
    return breaker.state if breaker.state is State.FORCED_CLOSED else after_change(breaker, decision.place)


def _draft(kind: str, value: msgspec.Struct, at: float, by: str, *, durable: bool = True) -> Draft:
    return Draft(kind=kind, at=at, by=by, body=encode(value), durable=durable)
