"""What of the chain was really processed since the start: blocks owed, blocks done, and what can never be made good. Pure.

A block is owed once its height has been known for a moment, so that a head that has just come counts as neither done nor missed.
"""

from collections import deque

GRACE = 10.0
"""Seconds in which a new head may be processed before it is owed."""
SEEN = 512
"""Heads remembered within the grace; of a chain that is faster, the oldest count as owed a little early."""


class Coverage:
    """Of one chain in one life. It starts at the first block asked of it: the one after the cursor, or the head of the moment.

    >>> coverage = Coverage()
    >>> coverage.head(12, first=11, now=0.0), coverage.done(), coverage.behind(11), coverage.ratio(5.0)
    (None, None, 1, 1.0)
    >>> coverage.ratio(20.0), coverage.done(), coverage.ratio(20.0)
    (0.5, None, 1.0)
    """

    def __init__(self) -> None:
        self._first: int | None = None
        self._done = 0
        self._lost = 0
        self._owed = -1
        self._top = -1
        self._heads: deque[tuple[float, int]] = deque(maxlen=SEEN)

    def head(self, height: int, *, first: int, now: float) -> None:
        """The chain reaches this height, at our time `now`; `first` is the block that comes next, for the very first call."""
        if self._first is None:
            self._first = first
        self._settle(now)
        if len(self._heads) == SEEN:
            self._owed = max(self._owed, self._heads[0][1])
        if not self._heads or self._heads[-1][1] != height:
            self._heads.append((now, height))
        self._top = height

    def done(self) -> None:
        """One block more was processed."""
        self._done += 1

    def reverted(self, blocks: int, ancestor: int) -> None:
        """So many processed blocks are no longer of the chain, which goes on from `ancestor`."""
        self._done -= blocks
        self._owed = min(self._owed, ancestor)
        self._heads = deque((one for one in self._heads if one[1] <= ancestor), maxlen=SEEN)
        if self._first is not None and ancestor + 1 < self._first:
            self._first = ancestor + 1  # it went below where we began; what was done there is to be done again
            self._done = 0

    def lost(self, blocks: int) -> None:
        """So many blocks will never be processed as they are now."""
        self._lost += blocks

    def behind(self, tip: int) -> int:
        """Blocks the chain has beyond `tip`."""
        return max(0, self._top - tip)

    def ratio(self, now: float) -> float:
        """Done over owed, 0..1."""
        self._settle(now)
        if self._first is None:
            return 1.0
        due = max(0, self._owed - self._first + 1, self._done) + self._lost
        return self._done / due if due else 1.0

    def _settle(self, now: float) -> None:
        while self._heads and now - self._heads[0][0] >= GRACE:
            self._owed = self._heads.popleft()[1]
