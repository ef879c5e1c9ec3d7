"""A chain's ledger of touches: which transaction of which block had to do with a watched contract. Bounded, and pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from detectors.events import Position, Unjudged
from detectors.execution import Execution
from monitor.chains.base import LogEntry

MOST_BLOCKS = 8192
"""Blocks remembered: a day of Ethereum, four and a half hours of a chain with blocks of two seconds."""

MOST_TOUCHES = 50_000
"""Touches remembered over all of those."""


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A transaction and the watched contracts it touched; `judged` is False where its execution could not be had."""

    tx: str
    index: int
    contracts: tuple[str, ...]
    sender: str
    ok: bool
    judged: bool


class Entry(msgspec.Struct, frozen=True):
    """A block as it was judged: `time` the chain's clock, `at` ours when it was complete here (unix seconds)."""

    position: Position
    time: float
    at: float
    touches: tuple[Touch, ...] = ()


class Ledger:
    """The newest blocks of our own chain, oldest first, without a gap but where we were away."""

    def __init__(self, most_blocks: int = MOST_BLOCKS, most_touches: int = MOST_TOUCHES) -> None:
        self.most_blocks = most_blocks
        self.most_touches = most_touches
        self._entries: deque[Entry] = deque()
        self._touches = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def record(self, entry: Entry) -> None:
        """This block is judged now; whatever stood at its height or above is not on the chain any more."""
        self.revert(entry.position.height)
        self._entries.append(entry)
        self._touches += len(entry.touches)
        while len(self._entries) > self.most_blocks or (self._touches > self.most_touches and len(self._entries) > 1):
            self._touches -= len(self._entries.popleft().touches)

    def revert(self, height: int) -> None:
        """The blocks from this height on were taken back."""
        while self._entries and self._entries[-1].position.height >= height:
            self._touches -= len(self._entries.pop().touches)

    def head_at(self, at: float) -> Entry | None:
        """The newest block that was complete here at this time; None where memory does not reach."""
        return next((entry for entry in reversed(self._entries) if entry.at <= at), None)

    @property
    def newest(self) -> Entry | None:
        """The newest block."""
        return self._entries[-1] if self._entries else None

    def between(self, first: int, last: int) -> list[Entry]:
        """The blocks of these heights, inclusive, as far as they are known."""
        return [entry for entry in self._entries if first <= entry.position.height <= last]

    def save(self) -> bytes:
        """All of it, for the next life."""
        return msgspec.msgpack.encode(list(self._entries))

    def load(self, kept: bytes) -> None:
        """Take up what an earlier life saved. Raises msgspec.DecodeError when it is not that."""
        self._entries = deque(msgspec.msgpack.decode(kept, type=list[Entry]))
        self._touches = sum(len(entry.touches) for entry in self._entries)


def touches(
    executions: Iterable[Execution | Unjudged], logs: Sequence[LogEntry], transactions: Sequence[str], watched: frozenset[str]
) -> tuple[Touch, ...]:
    """The block's transactions that had to do with watched contracts: by frame, by log, or by a topic that names one.

    One that nobody could follow may have touched any of them, so that it counts for all it is not known to have spared.
    """
    places = {tx: index for index, tx in enumerate(transactions)}
    named: dict[str, set[str]] = {}
    for entry in logs:
        holders = ("0x" + topic[-40:] for topic in entry.topics[1:3])
        if about := watched.intersection((entry.address, *holders)):
            named.setdefault(entry.tx, set()).update(about)
    found = []
    for one in executions:
        if isinstance(one, Unjudged):
            may = (named.get(one.id, set()) | watched.intersection(one.touches)) or watched
            found.append(Touch(one.id, places.get(one.id, -1), tuple(sorted(may)), "", ok=True, judged=False))
            continue
        met = set(named.get(one.tx, ()))
        for frame in one.frames:
            met.update(address for address in (frame.ctx, frame.to) if address in watched)
        if met:
            root = one.frames[0]
            index = places.get(one.tx, -1) if one.index is None else one.index
            found.append(Touch(one.tx, index, tuple(sorted(met)), root.sender or "", ok=root.ok, judged=True))
    return tuple(found)
