"""What is usually wanted of a block, and how far the mean of the next ones strays from it, since demand also swings."""

import math

import msgspec
import numpy as np

SPAN = 100
"""Blocks over which the usual amount is averaged."""

WINDOWS = (1, 4, 16, 64)
"""Blocks over which it is measured how far their mean strays from what was usual before."""

STRAYS_OVER = 600
"""Blocks over which that is averaged."""

_RATE, _STRAY_RATE = 2.0 / (SPAN + 1.0), 2.0 / (STRAYS_OVER + 1.0)
_LOGS = np.log(WINDOWS)


class Demand(msgspec.Struct, frozen=True):
    """After some blocks: `usual` amount of one, mean squared `strays` by window. A value: a reverted block is the one before."""

    usual: float
    strays: tuple[float, ...] = (0.0,) * len(WINDOWS)
    past: tuple[tuple[float, float], ...] = ()
    """Usual amount and running sum after each of the newest blocks."""
    seen: int = 0

    def then(self, amount: float) -> "Demand":
        """After one more block that took this amount.

        >>> Demand(10.0).then(10.0).usual, round(Demand(10.0).then(111.0).usual, 6)
        (10.0, 12.0)
        """
        counted = (self.past[-1][1] if self.past else 0.0) + amount
        usual = self.usual + _RATE * (amount - self.usual)
        past = (*self.past[-WINDOWS[-1] :], (usual, counted))
        strays = list(self.strays)
        for index, blocks in enumerate(WINDOWS):
            if len(past) > blocks:
                then, before = past[-1 - blocks]
                away = (counted - before) / blocks - then
                # The first ones count in full: from nothing, a slow average would be too sure for long.
                strays[index] += max(_STRAY_RATE, 1.0 / (self.seen + 1 - blocks)) * (away * away - strays[index])
        return Demand(usual, tuple(strays), past, self.seen + 1)

    def spread(self, blocks: int) -> float:
        """Standard deviation of the mean amount of so many blocks to come."""
        return math.sqrt(float(np.interp(math.log(max(blocks, 1)), _LOGS, self.strays)))
