"""How fast one node may be asked: a token bucket with a share kept for following the chain, and a breath after every refusal.

Plans are sold by calls a second, and a provider that refuses answers nobody, heads included. So what can wait waits: the last
third of the bucket is for heads, blocks and logs alone. A refusal makes everyone else pause, twice as long each time on end,
with jitter so that several of us do not come back at once; the memory of it fades.
"""

import asyncio
import random
import time

from monitor.errors import RpcRefused

RESERVED = 1 / 3
"""The share of the bucket that only urgent calls may use."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 4.0
HALF_LIFE = 2.0
"""Seconds in which the memory of refusals fades to half."""
AT_ONCE = 0.05
"""Seconds within which refusals are one: a limit that names no call is told to everyone who waits."""
LIMIT_EXCEEDED = -32005


class Bucket:
    """Pure. `rate` is calls a second, None for no limit. Times are monotonic seconds.

    >>> bucket = Bucket(10.0)
    >>> bucket.wait(6, urgent=False, now=0.0), round(bucket.wait(1, urgent=False, now=0.0), 3)
    (0.0, 0.033)
    >>> bucket.wait(4, urgent=True, now=0.0), bucket.wait(1, urgent=True, now=0.0)
    (0.0, 0.1)
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._most = max(1.0, rate or 0.0)
        self._tokens, self._at = self._most, float("-inf")
        self._refusals, self._refused_at = 0.0, float("-inf")
        self._until = float("-inf")

    def wait(self, calls: int, *, urgent: bool, now: float) -> float:
        """0: go, so many calls are taken. Else the seconds after which to ask again."""
        if not urgent and now < self._until:
            return self._until - now
        if self._rate is None:
            return 0.0
        if self._at > float("-inf"):
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        needed = min(self._most, calls + (0.0 if urgent else RESERVED * self._most))  # more than it holds goes when it is full
        if self._tokens >= needed:
            self._tokens -= calls
            return 0.0
        return (needed - self._tokens) / self._rate

    def refused(self, now: float, dice: float) -> bool:
        """The node refused for being asked too much; `dice` is 0..1. False when it is the same refusal once more."""
        if now - self._refused_at < AT_ONCE:
            return False
        self._refusals = self._refusals * 0.5 ** (max(0.0, now - self._refused_at) / HALF_LIFE) + 1.0
        self._refused_at = now
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._refusals - 1.0, 10.0))
        self._until = max(self._until, now + pause * (0.5 + dice / 2))
        return True


class Pace:
    """A bucket with the clock. `provider` is the node's name."""

    def __init__(self, provider: str, rate: float | None) -> None:
        self._provider = provider
        self._bucket = Bucket(rate)

    async def turn(self, calls: int, *, urgent: bool, within: float) -> float:
        """Wait until so many calls may be made; gives what is left of `within` seconds. Raises RpcRefused when none would be."""
        until, waited = time.monotonic() + within, False
        while (wait := self._bucket.wait(calls, urgent=urgent, now=time.monotonic())) > 0.0:
            if time.monotonic() + wait > until:
                what = f"{self._provider}: not asked, its limit is used up for {wait:.1f} s; is its plan, or `rate`, too small?"
                raise RpcRefused(what, LIMIT_EXCEEDED, throttled=True)
            waited = True
            await asyncio.sleep(wait)
        return until - time.monotonic() if waited else within

    def refused(self) -> bool:
        """The node refused for being asked too much; False when it is the same refusal once more."""
        return self._bucket.refused(time.monotonic(), random.random())  # noqa: S311 - jitter, no secret
