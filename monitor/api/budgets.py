"""How often somebody may ask the admin listener: a budget for each token and kind of order, so that no flood uses up a pause's.

A pause draws on a budget that nothing else draws on. Who has no token draws on none of these at all: what an address may try in
vain is counted by itself, and only ever turns its refusals from 401 to 429. Flag reads have no budget.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

MOST_KNOWN = 4096
"""Budgets kept; the one unused for longest is forgotten first, which is the same as full."""


class Rate(msgspec.Struct, frozen=True):
    """So many at once, and so many a second after that."""

    burst: float
    each_second: float


RATES = {"pause": Rate(60, 5), "order": Rate(30, 1), "refused": Rate(20, 0.5)}
"""By kind: a pause, any other order, an attempt without a token that counts."""


class Budgets:
    """Token buckets by kind and by whoever it is (a token's name, an address)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def spend(self, kind: str, who: str) -> float:
        """Take one; 0 when there was one to take, else the seconds until there is."""
        rate, now = RATES[kind], self._clock()
        left, at = self._left.pop((kind, who), (rate.burst, now))
        left = min(rate.burst, left + (now - at) * rate.each_second)
        wait = 0.0 if left >= 1 else (1 - left) / rate.each_second
        self._left[kind, who] = (left - 1 if not wait else left, now)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return wait


def retry_after(seconds: float) -> str:
    """As the header says it: whole seconds, one at least.

    >>> retry_after(0.2), retry_after(1.5)
    ('1', '2')
    """
    return str(max(1, math.ceil(seconds)))
