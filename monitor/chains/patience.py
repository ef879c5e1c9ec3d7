"""Patience with a node: what an answer takes is learnt from those that came, so that a lost one is soon asked for again.

Whoever asks again goes on listening for the first answer: a node that is only slow is not asked in vain, and one whose reply was
lost costs a moment. Waits grow within one read only, never from one read to the next: a bad second must not make the next dearer.
Only a share of the questions is asked again, with a few in hand: a node that is slow because we ask much is not asked more.
"""

import asyncio
import math
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from monitor.chains.base import LogsMissing
from monitor.chains.credit import Credit
from monitor.errors import NodeGarbled, NodeOversize, NodeSilent, RpcRefused

T = TypeVar("T")

TRIES = 5
"""How often a read is asked before its connection is given up."""
PAUSE = 0.05
"""Seconds before the second try of a read that was throttled or incomplete; doubles each time."""
REMEMBERED = 5
"""Answers from which the next wait is learnt: few, so that a node that turned slow, or quick again, is soon known."""
TIMES = 4.0
"""An answer is waited for so many times as long as is usual before it is asked for again."""
SHORTEST = 0.125
"""Of `within`: what is waited for the quickest, and for whom no answer is known of."""
GROWS = 2.0
"""So much longer each time."""
LONGEST = 16.0
"""Times `within`: the longest wait of all, and what the last try of a read is given at least."""
SHARE, IN_HAND = 0.2, 8.0
"""How many may be asked again for silence: of every question, and saved up."""


class Patience:
    """For one connection. `within` is what an answer may take while none has come, seconds; `what` whose answers they are."""

    def __init__(self, what: str, within: float) -> None:
        self._what, self._within = what, within
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._credit = Credit(SHARE, IN_HAND)

    @property
    def deadline(self) -> float:
        """How long the first answer of a read is waited for before it is asked for again, seconds.

        >>> patience = Patience("a node", 1.0)
        >>> patience.deadline
        0.125
        >>> patience.learn(0.1), patience.deadline
        (None, 0.4)
        >>> patience.learn(9.0), patience.learn(9.0), patience.deadline
        (None, None, 16.0)
        """
        usual = statistics.median(self._took) if self._took else 0.0
        return min(max(TIMES * usual, self._within * SHORTEST), self._within * LONGEST)

    def learn(self, took: float) -> None:
        """An answer came after so many seconds."""
        self._took.append(took)

    async def read(self, ask: Callable[..., Awaitable[T]], *, altogether: float = math.inf) -> T:
        """The first good answer of `ask(within=...)`: asked again after ever longer silence, and where the node was not ready.

        `altogether`: seconds for all of it. Raises the last NodeError, and at once what asking again cannot help.
        """
        self._credit.earn()
        until, wait, tries = time.monotonic() + altogether, self.deadline, _Tries[T](self._what)
        try:
            for number in range(TRIES):
                left, longer = until - time.monotonic(), min(GROWS * wait, LONGEST * self._within)
                last = number == TRIES - 1 or left <= wait
                spare = not last and self._credit.spend()
                lives = max(wait + longer, 0.0 if spare else (LONGEST if last else 1.0) * self._within)
                tries.begin(ask(within=max(0.0, min(lives, left))))
                if await tries.answered(wait if spare else None, None if last else PAUSE * 2**number):
                    if spare:
                        self._credit.give_back()
                    self.learn(tries.took)
                    return tries.answer
                wait = longer
                if last:
                    break
            raise tries.error
        finally:
            tries.end()


class _Tries(Generic[T]):
    """One read's tries, those that are still out with when they began. `error` is the last one's."""

    answer: T
    took: float

    def __init__(self, what: str) -> None:
        self.error: BaseException = NodeSilent(f"{what}: no answer")
        self._out: dict[asyncio.Future[T], float] = {}

    def begin(self, asked: Awaitable[T]) -> None:
        """One more."""
        self._out[asyncio.ensure_future(asked)] = time.monotonic()

    async def answered(self, wait: float | None, pause: float | None) -> bool:
        """Did a good answer come within `wait` seconds (None: while any is out)?

        A node that answered and was not ready is asked again after `pause` seconds (None: not at all). Raises what asking again
        cannot help.
        """
        until = math.inf if wait is None else time.monotonic() + wait
        while self._out and (left := until - time.monotonic()) > 0:
            done, _ = await asyncio.wait(self._out, timeout=_finite(left), return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                if self._good(one):
                    return True
                if pause is not None and not isinstance(self.error, NodeSilent):
                    until = min(until, time.monotonic() + pause)
        if not self._out and _finite(until) is not None:
            await asyncio.sleep(until - time.monotonic())
        return False

    def end(self) -> None:
        """Listen no more."""
        for one in self._out:
            let_go(one)

    def _good(self, one: asyncio.Future[T]) -> bool:
        self.took = time.monotonic() - self._out.pop(one)
        if (failed := one.exception()) is None:
            self.answer = one.result()
            return True
        if not _may_help(failed):
            raise failed
        self.error = failed
        return False


def let_go(task: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more: it is ended, and what it came to is nobody's trouble."""
    if not task.cancel() and not task.cancelled():
        task.exception()


def _finite(seconds: float) -> float | None:
    return seconds if seconds < math.inf else None


def _may_help(error: BaseException) -> bool:
    """May asking again bring what this try did not?"""
    if isinstance(error, RpcRefused):
        return error.throttled
    return isinstance(error, NodeSilent | NodeGarbled | LogsMissing) and not isinstance(error, NodeOversize)
