"""Danger windows: from an incident's decisions and its chain's ledger to what a payment service must reconcile."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec
import structlog

from alerts.window import Edge, Moved, Phase, Window
from monitor.breaker.desk import Made
from monitor.breaker.holds import State
from monitor.breaker.timing import Timing, Timings
from monitor.journal.base import Record
from monitor.ledger import Entry, Ledger

log = structlog.get_logger()

KIND = "window"
"""The journal's kind of record of a window, written when it opens and when it closes."""

MOST_BLOCKS, MOST_TRANSACTIONS = 2000, 5000
"""Blocks of a window that are all listed, and transactions listed at most."""

KEPT = 64
"""Windows of the journal kept in memory, newest."""

_ENDS = frozenset((State.CLOSED, State.FORCED_CLOSED))


class Span(msgspec.Struct, frozen=True):
    """One incident of an integration: the decision that opened it, the later ones, and the one that ended it, if any did."""

    opening: Made
    later: tuple[Made, ...]
    closing: Made | None
    whole: bool
    """Is the opening one known, or were older decisions forgotten?"""

    @property
    def decisions(self) -> tuple[Made, ...]:
        """All of it, oldest first."""
        return (self.opening, *self.later)


class Windows:
    """All windows. `contracts` and `chain_of` say what each integration is.

    `made` gives the decisions in force, oldest first.
    """

    def __init__(
        self,
        contracts: Mapping[str, Iterable[str]],
        chain_of: Mapping[str, str],
        made: Callable[[], Iterable[Made]],
    ) -> None:
        self.contracts = {name: frozenset(mine) for name, mine in contracts.items()}
        self.chain_of = chain_of
        self.made = made
        self.timing: Callable[[str], Timing | None] = lambda _: None
        self._ledgers: dict[str, Ledger] = {}
        self._kept: dict[str, Window] = {}

    def ledger(self, chain: str) -> Ledger:
        """A chain's ledger, by the chain's CAIP-2 id."""
        return self._ledgers.setdefault(chain, Ledger())

    def passing(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, unchanged; the windows among them are remembered."""
        for record in records:
            if record.kind == KIND:
                self.remember(record.read(Window))
            yield record

    def recall(self, timings: Timings) -> None:
        """From now on windows carry these times, which learn from the journal's windows of pauses of an earlier life."""
        self.timing = timings.of
        for window in self._kept.values():
            if window.seen_at is not None and window.readable_at is not None:
                known = Timing(seen_at=window.seen_at, decided_at=window.decided_at, readable_at=window.readable_at)
                timings.remember(window.incident, known)

    def remember(self, window: Window) -> None:
        """The journal has it."""
        self._kept.pop(window.incident, None)
        self._kept[window.incident] = window
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def of(self, decision: str) -> Window | None:
        """The window of the incident that a decision belongs to, by the decision's id; None when there is no such incident."""
        made = next((one for one in self.made() if one.decision.id == decision), None)
        if made is None:
            return self._kept.get(decision)
        span = span_of(made, self.made())
        if span is None:
            return None
        kept = self._kept.get(span.opening.decision.id)
        return kept if kept is not None and not kept.open else self._drawn(span, kept)

    def due(self, made: Made) -> Window | None:
        """The window to record with this decision: when an incident begins and when it ends, once each."""
        decision = made.decision
        if decision.before is decision.after or (decision.before not in _ENDS and decision.after not in _ENDS):
            return None
        window = self.of(decision.id)
        if window is None:
            return None
        kept = self._kept.get(window.incident)
        return window if kept is None or (kept.open and not window.open) else None

    def _drawn(self, span: Span, kept: Window | None) -> Window:
        opening, closing = span.opening.decision, span.closing.decision if span.closing is not None else None
        name, chain = opening.integration, self.chain_of.get(opening.integration, "")
        ledger = self.ledger(chain)
        head, newest = ledger.head_at(opening.at), ledger.head_at(closing.at) if closing is not None else ledger.newest
        at_head = [] if head is None else [head.position.height]
        kept_start = [] if kept is None or kept.start is None else [kept.start.number]
        kept_decided = [] if kept is None or kept.decided is None else [kept.decided.number]
        first = min((*_heights(span.decisions), *at_head, *kept_start), default=None)
        decided = max((*_heights([span.opening]), *at_head, *kept_decided), default=None)
        last = newest.position.height if newest is not None else None
        timing = self.timing(opening.id)
        drawn = Window(
            incident=opening.id, integration=name, chain=chain, open=closing is None, state=span.decisions[-1].breaker.state,
            decided_at=opening.at if timing is None else timing.decided_at,
            seen_at=None if timing is None else timing.seen_at, readable_at=None if timing is None else timing.readable_at,
            ended_at=closing.at if closing is not None else None,
        )  # fmt: skip
        if first is None or last is None or decided is None:
            return msgspec.structs.replace(drawn, complete=False, why=f"no block of {chain} before the decision is remembered")
        entries = ledger.between(first, max(last, decided))
        return _filled(drawn, entries, kept, self.contracts.get(name, frozenset()), (first, decided), whole=span.whole)


def span_of(made: Made, decisions: Iterable[Made]) -> Span | None:
    """The incident around one decision; None for one that belongs to none, as a bypass while nothing holds."""
    mine = [one for one in decisions if one.decision.integration == made.decision.integration]
    return next((span for span in spans_of(mine) if any(known is made for known in span.decisions)), None)


def spans_of(decisions: Iterable[Made]) -> Iterator[Span]:
    """The incidents among one integration's decisions, oldest first; the last may still stand."""
    current: list[Made] = []
    whole = True
    for one in decisions:
        opens = one.decision.before in _ENDS and one.decision.after not in _ENDS
        if opens or (not current and one.decision.before not in _ENDS):
            whole = opens
            current = [one]
        elif current:
            current.append(one)
        if one.decision.after in _ENDS:
            if current:
                yield Span(current[0], tuple(current[1:]), one, whole)
            current = []
    if current:
        yield Span(current[0], tuple(current[1:]), None, whole)


def _heights(decisions: Iterable[Made]) -> list[int]:
    """The blocks that the evidence of these decisions stands in."""
    return [f.position.height for one in decisions for f in one.decision.findings if f.position is not None]


def _filled(
    drawn: Window,
    entries: Sequence[Entry],
    kept: Window | None,
    mine: frozenset[str],
    edges: tuple[int, int],
    *,
    whole: bool,
) -> Window:
    """The window with its blocks and transactions: those in memory, before them those that the journal recorded."""
    first, decided = edges
    blocks = {edge.number: edge for edge in (kept.blocks if kept is not None else ())}
    here = {entry.position.height for entry in entries}
    moved = {one.hash: one for one in (kept.transactions if kept is not None else ()) if one.block not in here}
    for entry in entries:
        number = entry.position.height
        phase = Phase.EXPOSED if number <= decided else Phase.PAUSED
        blocks[number] = Edge(number, entry.position.id, entry.time, entry.at, phase)
        for touch in entry.touches:
            if met := mine.intersection(touch.contracts):
                moved[touch.tx] = Moved(
                    touch.tx, touch.index, number, entry.time, tuple(sorted(met)), touch.sender, touch.ok, touch.judged, phase
                )
    known = sorted(blocks.values(), key=lambda edge: edge.number)
    listed = tuple(sorted(moved.values(), key=lambda one: (one.block, one.index)))
    why = _missing(known, first, listed, whole=whole)
    busy = {one.block for one in listed} | {first, decided, known[-1].number if known else first}
    shown = known if len(known) <= MOST_BLOCKS else [edge for edge in known if edge.number in busy]
    return msgspec.structs.replace(
        drawn, start=known[0] if known else None, decided=blocks.get(decided), end=known[-1] if known else None,
        complete=not why, why=why, quiet=len(known) - len(shown), transactions_total=len(listed),
        blocks=tuple(shown), transactions=listed[:MOST_TRANSACTIONS],
    )  # fmt: skip


def _missing(known: Sequence[Edge], first: int, listed: Sequence[Moved], *, whole: bool) -> str:
    """What keeps the window from being all there was, or nothing."""
    if not whole:
        return "older decisions of this incident are not remembered; the journal has them"
    if not known or known[0].number > first:
        return f"blocks from {first} on are not remembered" + (f", only those from {known[0].number} on" if known else "")
    gap = next((a.number for a, b in pairwise(known) if b.number != a.number + 1), None)
    if gap is not None:
        return f"blocks after {gap} were judged in an earlier life and are not remembered"
    if len(listed) > MOST_TRANSACTIONS:
        return f"only {MOST_TRANSACTIONS} of {len(listed)} transactions are listed"
    return ""
