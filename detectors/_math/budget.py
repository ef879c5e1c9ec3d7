"""A sum over a moving window: a ring of fixed time buckets with a running total. Integers, and reversible."""

from typing import Any

from detectors._math.undo import Map

NEWEST, TOTAL = "newest", "total"


class Budget:
    """What was added in the last `span` seconds, to the width of one bucket. O(1) amortised; at most `buckets` + 2 entries.

    The ring lives in an undo map, so a reverted block gives back buckets that have passed out of the window, too. Time is the
    argument, in unix seconds; what is older than the window when it arrives is not counted.

    >>> from detectors._math.undo import Undo
    >>> log = Undo()
    >>> hour = Budget(log.map(), span=3600, buckets=60)
    >>> hour.add(0, 5), hour.add(1800, 7), hour.total(3599), hour.total(3660), hour.total(9000)
    (5, 12, 12, 7, 0)
    """

    __slots__ = ("_buckets", "_ring", "_width")

    def __init__(self, ring: Map[Any, int], *, span: int, buckets: int = 60) -> None:
        if span <= 0 or buckets <= 0:
            raise ValueError(f"a window needs a span and buckets above zero, not {span} s in {buckets}")
        self._ring = ring
        self._buckets = buckets
        self._width = span / buckets

    def add(self, at: float, amount: int) -> int:
        """Count `amount` at time `at`; returns the total of the window that ends with the newest bucket."""
        bucket, ring = int(at // self._width), self._ring
        newest = ring.get(NEWEST)
        if newest is None or bucket > newest:
            self._advance(bucket)
        elif bucket <= newest - self._buckets:
            return ring[TOTAL]
        ring[bucket] = ring.get(bucket, 0) + amount
        ring[TOTAL] = ring.get(TOTAL, 0) + amount
        return ring[TOTAL]

    def total(self, at: float) -> int:
        """The sum of the window that ends at `at`; changes nothing. O(buckets) when time has moved past the newest bucket."""
        newest = self._ring.get(NEWEST)
        if newest is None:
            return 0
        bucket = int(at // self._width)
        if bucket <= newest:
            return self._ring[TOTAL]
        oldest = bucket - self._buckets
        return sum(self._ring.get(b, 0) for b in range(max(oldest, newest - self._buckets) + 1, newest + 1))

    def _advance(self, bucket: int) -> None:
        """Move the window so that it ends with `bucket`; what falls out leaves the total."""
        ring, newest = self._ring, self._ring.get(NEWEST)
        if newest is not None:
            first = newest - self._buckets + 1
            for passed in range(first, min(bucket - self._buckets, newest) + 1):
                if (amount := ring.pop(passed, None)) is not None:
                    ring[TOTAL] = ring[TOTAL] - amount
        ring[NEWEST] = bucket
