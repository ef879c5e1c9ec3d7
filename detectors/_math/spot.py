"""SPOT: how far out of the tail a value lies, by extreme value theory (Siffer et al., KDD 2017); DSPOT follows a drift.

Excesses over a high threshold follow a generalised Pareto law. It is fitted by probability-weighted moments, which are exact
in a few sums, where maximum likelihood would need a search.
"""

from collections.abc import Sequence
from math import log

import msgspec

START = 400
"""Values before there is a threshold."""

LEVEL = 0.98
"""The threshold is this quantile of the first values."""

KEPT = 200
"""Excesses kept for the fit."""

ENOUGH = 50
"""Excesses from which a tail is believed to end: with fewer, a bounded law is a guess that alarms for ever after."""

DEPTH = 20
"""DSPOT: the drift is the mean of so many values that were not out of the tail."""


class Spot(msgspec.Struct, frozen=True):
    """State of one series of values where large is bad. `limit` is the value that `risk` of them exceed, inf before the start.

    >>> import numpy as np
    >>> state = Spot()
    >>> rng = np.random.default_rng(7)
    >>> for value in rng.normal(size=600):
    ...     state, out = state.next(float(value))
    >>> state.next(1.0)[1], state.next(40.0)[1]
    (False, True)
    """

    seen: int = 0
    first: tuple[float, ...] = ()
    threshold: float = float("inf")
    excesses: tuple[float, ...] = ()
    limit: float = float("inf")
    recent: tuple[float, ...] = ()

    def next(self, value: float, *, risk: float = 1e-4, drift: bool = False) -> tuple["Spot", bool]:
        """(after this value, was it out of the tail?). What is out of the tail teaches nothing. `drift`: DSPOT."""
        off = value - (self.level if drift else 0.0)
        if off > self.limit:
            return self, True
        recent = (*self.recent, value)[-DEPTH:] if drift else ()
        if self.seen < START:
            return self._begun(off, risk, recent), False
        if off <= self.threshold:
            return msgspec.structs.replace(self, seen=self.seen + 1, recent=recent), False
        excesses = (*self.excesses, off - self.threshold)[-KEPT:]
        limit = _limit(self.threshold, excesses, self._peaks + 1, self.seen + 1, risk)
        return msgspec.structs.replace(self, seen=self.seen + 1, excesses=excesses, limit=limit, recent=recent), False

    @property
    def level(self) -> float:
        """DSPOT: the mean of late, which `limit` lies above; 0.0 before anything was seen."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    @property
    def _peaks(self) -> int:
        """How many values were over the threshold, by its level: older ones may have been forgotten."""
        return max(len(self.excesses), round((1 - LEVEL) * self.seen))

    def _begun(self, off: float, risk: float, recent: tuple[float, ...]) -> "Spot":
        first, seen = (*self.first, off), self.seen + 1
        if seen < START:
            return msgspec.structs.replace(self, seen=seen, first=first, recent=recent)
        ordered = sorted(first)
        threshold = ordered[round(LEVEL * (len(ordered) - 1))]
        excesses = tuple(value - threshold for value in first if value > threshold)
        limit = _limit(threshold, excesses, len(excesses), seen, risk)
        return Spot(seen=seen, threshold=threshold, excesses=excesses, limit=limit, recent=recent)


def pareto(excesses: Sequence[float]) -> tuple[float, float]:
    """(shape, scale) of the generalised Pareto law by probability-weighted moments (Hosking and Wallis, 1987).

    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> shape, scale = pareto(rng.exponential(2.0, 5000))
    >>> abs(shape) < 0.06, 1.8 < scale < 2.2
    (True, True)
    """
    import numpy as np  # noqa: PLC0415 - a tenth of a second at the start of every command, and few ever fit a tail

    ordered = np.sort(np.asarray(excesses, dtype=float))
    count = len(ordered)
    mean = float(ordered.mean()) if count else 0.0
    if count < 2 or mean <= 0.0:
        return 0.0, max(mean, 1e-12)
    weights = (count - np.arange(1, count + 1)) / (count - 1)
    tilted = float((weights * ordered).mean())
    gap = mean - 2 * tilted
    if gap <= 1e-12 * mean:
        return 0.0, mean
    shape = 2.0 - mean / gap
    return max(-0.5, min(0.95, shape)), max(2 * mean * tilted / gap, 1e-12)


def _limit(threshold: float, excesses: Sequence[float], peaks: int, seen: int, risk: float) -> float:
    """The value that one in 1/`risk` exceeds."""
    if not excesses:
        return float("inf")
    shape, scale = pareto(excesses)
    ratio = risk * seen / max(1, peaks)
    if shape < 0.0 and len(excesses) < ENOUGH:
        shape, scale = 0.0, max(sum(excesses) / len(excesses), 1e-12)
    if abs(shape) < 1e-6:
        return threshold - scale * log(ratio)
    return threshold + scale / shape * (float(ratio**-shape) - 1.0)
