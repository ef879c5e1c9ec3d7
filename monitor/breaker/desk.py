"""The desk: the one place where decisions become records. Pause first and write after; write first and release after."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import msgspec
import structlog

from monitor import metrics
from monitor.breaker.depths import Reorgs
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Cursor, Fold, Note, Request, proves_life
from monitor.breaker.holds import Decision, Hold, State, internal, outdoes
from monitor.breaker.machine import Breaker, IllegalTransitionError, Retraction, after_change, apply
from monitor.breaker.shadows import WouldPause
from monitor.breaker.timing import Acknowledged, GivenBack, Timings
from monitor.errors import JournalConflict, JournalError
from monitor.journal import failpoints
from monitor.journal.base import Draft, Record, encode
from monitor.journal.reserve import Reserve  # noqa: TC001 - as the journal beside it
from monitor.journal.thread import AsyncJournal

log = structlog.get_logger()

KEPT_DECISIONS = 500
KEPT_WOULD = 64
APPEND_WITHIN = 5.0
_STATES = tuple(State)


Pause = Callable[[Callable[[str], Breaker]], Iterable[Decision]]
"""An order to pause, on breakers that are looked up by integration."""


class Made(msgspec.Struct, frozen=True):
    """A decision that is now in force: what it was, the breaker after it, its revision."""

    decision: Decision
    breaker: Breaker
    revision: int


_NOTHING: tuple[Sequence[Decision], Sequence[Note]] = ((), ())


class _Batch:
    """Orders that go into the journal together, shown until they are through."""

    def __init__(self) -> None:
        self.orders: list[Pause] = []
        self.shown = ExitStack()
        self.carrier: asyncio.Task[None] | None = None


class Desk:
    """Holds the fold and the board together over one journal. `told` is called with every decision once it is in force."""

    def __init__(self, fold: Fold, board: FlagBoard, journal: AsyncJournal, told: Callable[[Made | Retraction], None]) -> None:
        self.fold = fold
        self.board = board
        self.journal = journal
        self.told = told
        self.made: deque[Made] = deque(maxlen=KEPT_DECISIONS)
        self.would: deque[WouldPause] = deque(maxlen=KEPT_WOULD)
        """What detectors in shadow would have paused, newest last."""
        self.owed: list[Decision] = []
        self.trouble = ""
        self.timings = Timings()
        self.folded: Callable[[Record], None] | None = None
        """Told of every record that enters the fold from now on, whoever wrote it."""
        self.reserve: Reserve | None = None
        """Where pauses that the journal refused are set aside, to outlive this process."""
        self._turn = asyncio.Lock()
        self._under_way: Counter[str] = Counter()
        """Pauses by integration that are shown while they wait for their turn or for the disk."""
        self._batch: _Batch | None = None
        """What was ordered and waits for its turn; whoever orders until then goes along."""

    def restore(self, records: Iterable[Record]) -> None:
        """Fold the journal at start, before anything else runs; the flags then say what they said before.

        A pause that an earlier life showed on a full disk is shown again, and owed.
        """
        aside = [] if self.reserve is None else [msgspec.json.decode(entry, type=Decision) for entry in self.reserve.kept]
        missing = [(owed, hold) for owed in aside for hold in owed.place]
        for record in records:
            if proves_life(record.kind, record.body):
                self.fold.head = record.sequence
                continue
            if (made := self._enter(record)) is not None:
                missing = [(owed, hold) for owed, hold in missing if not _says(made.decision, owed, hold)]
                self.told(made)  # alerts are told at least once: one of an earlier life may not have been
        for breaker in self.fold.breakers.values():
            self._show(breaker)
        unpaid = {owed.id for owed, _ in missing}
        self.owed = [decision for decision in aside if decision.id in unpaid]
        self._show_now(self.owed)

    @contextmanager
    def showing(self, decisions: Sequence[Decision]) -> Iterator[None]:
        """Show these pauses now, before the journal has them, and until what is done inside is over; releases wait.

        Whatever else is recorded of an integration meanwhile leaves its pause shown. Then the journal's word counts, or what it
        is owed; a pause that was being recorded as its task was cancelled stays shown until the next record.
        """
        held = [one.integration for one in decisions if one.pauses and not one.shadow]
        self._under_way.update(held)
        self._show_now(decisions)
        over = False
        try:
            yield
            over = True
        except JournalError:
            over = True
            raise
        finally:
            self._under_way.subtract(held)
            for name in held if over else ():
                self._show(self.fold.breaker(name))

    def _show_now(self, decisions: Sequence[Decision]) -> None:
        decided_at = time.time()
        for decision in decisions:
            if decision.pauses and not decision.shadow:
                self.board.pause_now(decision.integration, decision.reason)
                if not internal(decision.integration):
                    self.timings.shown(decision, decided_at, time.time())

    async def decide(self, propose: Callable[[], tuple[Sequence[Decision], Sequence[Note]]]) -> list[Made]:
        """Take what `propose` decides on the fold as it stands into the journal, then into the fold, then to the readers.

        Pauses are shown before the journal answers. After a lost race the new records are folded and `propose` is asked again.
        Raises JournalError when the journal took nothing: a release is then off, a pause stays shown and is owed (see `pay`).
        """
        async with self._turn:
            with ExitStack() as shown:
                while True:
                    decisions, notes = propose()
                    shown.enter_context(self.showing(decisions))
                    failpoints.reach("desk.shown")
                    try:
                        return await self._record(decisions, notes)
                    except JournalConflict:
                        metrics.JOURNAL_CONFLICTS.inc()
                        await self._catch_up()

    async def _record(self, decisions: Sequence[Decision], notes: Sequence[Note]) -> list[Made]:
        drafts = [_draft("decision", d, d.at, d.by) for d in decisions]
        drafts += [_draft(note.kind, note, note.at, note.by, durable=note.durable) for note in notes]
        if not drafts:
            return []
        try:
            records = await self._append(drafts, self.fold.head)
        except JournalConflict:
            raise
        except JournalError as error:
            self._refused(error, decisions)
            await self._set_aside()
            raise
        failpoints.reach("desk.appended")
        self.trouble = ""
        for note in notes:
            if isinstance(note, Retraction):
                metrics.RETRACTIONS.labels(note.integration).inc()
            elif isinstance(note, WouldPause):
                metrics.WOULD_PAUSES.labels(note.integration, note.finding.detector).inc()
        return [_counted(made) for record in records if (made := self._fold(record)) is not None]

    async def pause(self, order: Pause) -> None:
        """Show an ordered pause, whatever is being written, and take it into the journal with those ordered meanwhile.

        So a hundred orders at once wait for two syncs, not for a hundred. It is carried out though its caller may be gone. Raises
        JournalError as `decide` does.
        """
        batch = self._batch
        if batch is None:
            batch = self._batch = _Batch()
        batch.shown.enter_context(self.showing(tuple(order(self.fold.breaker))))
        batch.orders.append(order)
        if batch.carrier is None:
            batch.carrier = asyncio.create_task(self._carry(batch), name="desk/pauses")
            batch.carrier.add_done_callback(lambda done: done.cancelled() or done.exception())  # told to all, if any are left
        await asyncio.shield(batch.carrier)

    async def _carry(self, batch: "_Batch") -> None:
        def propose() -> tuple[Sequence[Decision], Sequence[Note]]:
            if self._batch is batch:
                self._batch = None
            return self._one_after_another(batch.orders), ()

        with batch.shown:
            await self.decide(propose)

    def _one_after_another(self, orders: Iterable[Pause]) -> list[Decision]:
        """What these come to, each decided on what the ones before it leave."""
        ahead: dict[str, Breaker] = {}
        decisions: list[Decision] = []

        def breaker(name: str) -> Breaker:
            return ahead.get(name) or self.fold.breaker(name)

        for order in orders:
            for decision in order(breaker):
                decisions.append(decision)
                ahead[decision.integration] = apply(breaker(decision.integration), decision, self.fold.head + len(decisions))
        return decisions

    async def ask(self, propose: Callable[[], Request]) -> Request:
        """Record a request that another must approve. Raises JournalError, and whatever `propose` does."""
        async with self._turn:
            while True:
                request = propose()
                try:
                    for record in await self._append([_draft("request", request, request.at, request.by)], self.fold.head):
                        self._fold(record)
                except JournalConflict:
                    metrics.JOURNAL_CONFLICTS.inc()
                    await self._catch_up()
                else:
                    return request

    async def note(self, kind: str, value: msgspec.Struct, at: float, by: str) -> None:
        """Record something that decides nothing. Raises JournalError."""
        async with self._turn:
            for record in await self._append([_draft(kind, value, at, by)], self.fold.head):
                self._fold(record)

    async def _append(self, drafts: Sequence[Draft], expected: int) -> tuple[Record, ...]:
        try:
            async with asyncio.timeout(APPEND_WITHIN):
                return await self.journal.append(drafts, expected)
        except TimeoutError as error:
            raise JournalError(f"append to the journal: its disk has not answered for {APPEND_WITHIN:g} s") from error

    async def _catch_up(self) -> None:
        start = self.fold.head + 1
        for record in await asyncio.to_thread(lambda: list(self.journal.journal.read(start))):
            self._fold(record)

    async def advance(self, cursor: Cursor, at: float, reorgs: Reorgs | None = None) -> None:
        """Move a chain's cursor, and keep what was counted on the way.

        A journal that cannot take it leaves the cursor where it was: the block is read again.
        """
        async with self._turn:
            drafts = [_draft("cursor", cursor, at, "follower", durable=False)]
            drafts += [_draft(reorgs.kind, reorgs, at, "follower", durable=False)] if reorgs is not None else []
            try:
                for record in await self._append(drafts, self.fold.head):
                    self._fold(record)
            except JournalError as error:
                self._refused(error, [])

    async def pay(self) -> None:
        """Write the pauses that the journal refused earlier, as soon as it takes them again."""
        for decision in tuple(self.owed):
            try:
                await self.decide(partial(self._due, decision))
            except JournalError:
                return
            if self._due(decision) == _NOTHING:
                self._paid(decision)
        await self._set_aside()

    def _due(self, owed: Decision) -> tuple[Sequence[Decision], Sequence[Note]]:
        """What an owed pause would still change, decided on the breaker as it stands now."""
        breaker = self.fold.breaker(owed.integration)
        fresh = tuple(hold for hold in owed.place if outdoes(hold.stage, hold.level, breaker.holds.get(hold.id)))
        if not fresh:
            return _NOTHING
        after = after_change(breaker, fresh)
        return [msgspec.structs.replace(owed, before=breaker.state, after=after, place=fresh)], ()

    def _paid(self, decision: Decision) -> None:
        self.owed = [owed for owed in self.owed if owed.id != decision.id]

    async def _set_aside(self) -> None:
        """Have what is owed outlive this process; evidence stays behind, the holds are what counts."""
        if self.reserve is None:
            return
        first = {decision.integration: decision.id for decision in reversed(self.owed)}  # should room run out, one of each
        ordered = sorted(self.owed, key=lambda decision: first[decision.integration] != decision.id)
        entries = [encode(msgspec.structs.replace(decision, findings=())) for decision in ordered]
        if entries == self.reserve.kept:
            return
        try:
            async with asyncio.timeout(APPEND_WITHIN):
                kept = await asyncio.to_thread(self.reserve.keep, entries)
        except (JournalError, TimeoutError) as error:
            log.error("reserve.failed", error=str(error) or "no answer from the disk", owed=len(entries))  # noqa: TRY400 - no trace
            return
        if kept < len(entries):
            log.error("reserve.full", owed=len(entries), kept=kept)

    def _refused(self, error: JournalError, decisions: Sequence[Decision]) -> None:
        metrics.JOURNAL_ERRORS.inc()
        if self.trouble != str(error):
            log.error("journal.refused", error=str(error))
        self.trouble = str(error)
        known = {decision.id for decision in self.owed}
        self.owed += [one for one in decisions if one.pauses and one.id not in known and not internal(one.integration)]

    def _fold(self, record: Record) -> Made | None:
        """A record enters the fold, and what it decided is shown and told."""
        made = self._enter(record)
        if made is not None:
            self._paid(made.decision)
            self._show(made.breaker)
            if not internal(made.decision.integration):
                self.timings.recorded(made.decision, time.time())
                self.told(made)
        return made

    def _enter(self, record: Record) -> Made | None:
        if self.folded is not None:
            self.folded(record)
        try:
            decision = self.fold.apply_record(record.kind, record.body, record.sequence)
        except IllegalTransitionError as error:
            log.exception("journal.illegal", sequence=record.sequence, error=str(error))
            self.fold.head = record.sequence
            return None
        if record.kind == WouldPause.kind:
            self.would.append(record.read(WouldPause))
        if record.kind == Acknowledged.kind:
            self.timings.acknowledged(record.read(Acknowledged))
        elif record.kind == GivenBack.kind:
            self.timings.given_back(record.read(GivenBack))
        if isinstance(decision, Retraction):
            self._show(self.fold.breaker(decision.integration))
            self.told(decision)
            return None
        if decision is None:
            return None
        made = Made(decision, self.fold.breaker(decision.integration), record.sequence)
        if not internal(decision.integration):
            self.made.append(made)
        return made

    def _show(self, breaker: Breaker) -> None:
        unsettled = self._under_way[breaker.integration] > 0 or any(one.integration == breaker.integration for one in self.owed)
        self.board.publish(breaker, owed=unsettled)
        if internal(breaker.integration):
            return
        for state in _STATES:
            metrics.BREAKER_STATE.labels(breaker.integration, state).set(breaker.state is state)
        metrics.WOULD_PAUSE.labels(breaker.integration).set(breaker.would_pause)


def _counted(made: Made) -> Made:
    decision = made.decision
    if decision.before is not decision.after and not internal(decision.integration):
        cause = decision.by.partition(":")[0]
        metrics.TRANSITIONS.labels(decision.integration, decision.before, decision.after, cause).inc()
        log.info(
            "decision", integration=decision.integration, was=decision.before, now=decision.after, by=decision.by,
            shadow=decision.shadow, decision=decision.id, revision=made.revision,
        )  # fmt: skip
    return made


def _says(made: Decision, owed: Decision, hold: Hold) -> bool:
    """Is this decision the owed one, or one taken no earlier that says as much of the same hold?"""
    if made.id == owed.id:
        return True
    placed = next((one for one in made.place if one.id == hold.id), None)
    return placed is not None and made.at >= owed.at and not outdoes(hold.stage, hold.level, placed)


def _draft(kind: str, value: msgspec.Struct, at: float, by: str, *, durable: bool = True) -> Draft:
    return Draft(kind=kind, at=at, by=by, body=encode(value), durable=durable)
