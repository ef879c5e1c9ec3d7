"""A cumulative sum of what is worse than usual, in units of usual: many small steps one way are told early."""

from math import sqrt

import msgspec

FLOOR = 1e-12
"""Variance below which a series is taken to stand still."""

CLIP = 4.0
"""An increment teaches the variance at most as if it were so many deviations: an attack must not teach that it is normal."""


class Cusum(msgspec.Struct, frozen=True):
    """State of one series: `seen` increments, their EWMA variance, and the sums of what fell and rose beyond `slack`.

    >>> state = Cusum()
    >>> for step in [0.01, -0.01] * 50:
    ...     state = state.next(step)
    >>> round(state.down, 3)
    0.5
    >>> for _ in range(12):
    ...     state = state.next(-0.02)
    >>> state.down > 12
    True
    """

    seen: int = 0
    variance: float = 0.0
    down: float = 0.0
    up: float = 0.0

    def standard(self, step: float) -> float:
        """The increment in deviations; 0.0 while nothing is known of them."""
        return step / sqrt(self.variance) if self.variance > FLOOR else 0.0

    def next(self, step: float, *, slack: float = 0.5, memory: float = 0.01, most: float = 1e6) -> "Cusum":
        """After one more increment. `memory` is the weight of the newest in the variance, `most` bounds the sums."""
        z = self.standard(step)
        known = sqrt(self.variance)
        learnt = step if self.seen * memory < 1 or known == 0.0 else max(-CLIP * known, min(CLIP * known, step))
        weight = max(memory, 1.0 / (self.seen + 1))
        return Cusum(
            seen=self.seen + 1,
            variance=self.variance + weight * (learnt * learnt - self.variance),
            down=min(most, max(0.0, self.down - z - slack)),
            up=min(most, max(0.0, self.up + z - slack)),
        )
