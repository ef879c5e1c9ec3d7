"""Patience with a node: what an answer takes is learnt from those that came, so that a lost one is soon asked for again.

Whoever asks again goes on listening for the first answer: a node that is only slow is not asked in vain, and one whose reply was
lost costs a moment. Waits grow within one read only, never from one read to the next: a bad second must not make the next dearer.
"""

import asyncio
import math
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from monitor.chains.base import LogsMissing
from monitor.errors import NodeGarbled, NodeOversize, NodeSilent, RpcRefused

T = TypeVar("T")

TRIES = 5
"""How often a read is asked before its connection is given up."""
PAUSE = 0.05
"""Seconds before the second try of a read that was throttled or incomplete; doubles each time."""
REMEMBERED = 5
"""Answers from which the next wait is learnt: few, so that a node that turned slow, or quick again, is soon known."""
TIMES = 4.0
"""An answer is waited for so many times as long as is usual before it is asked for again, and no longer than as many `within`."""
SHORTEST = 0.125
"""Of `within`: what is waited for the quickest, and for whom no answer is known of."""
GROWS = 2.0
"""So much longer each time."""
LONGEST = 16.0
"""Times `within`: the longest wait of all."""


class Patience:
    """For one connection. `within` is what an answer may take while none has come, seconds; `what` whose answers they are."""

    def __init__(self, what: str, within: float) -> None:
        self._what, self._within = what, within
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def deadline(self) -> float:
        """How long the first answer of a read is waited for before it is asked for again, seconds.

        >>> patience = Patience("a node", 1.0)
        >>> patience.deadline
        0.125
        >>> patience.learn(0.1), patience.deadline
        (None, 0.4)
        >>> patience.learn(9.0), patience.learn(9.0), patience.deadline
        (None, None, 4.0)
        """
        usual = statistics.median(self._took) if self._took else 0.0
        return min(max(TIMES * usual, self._within * SHORTEST), self._within * TIMES)

    def learn(self, took: float) -> None:
        """An answer came after so many seconds."""
        self._took.append(took)

    async def read(self, ask: Callable[..., Awaitable[T]], *, altogether: float = math.inf) -> T:
        """The first good answer of `ask(within=...)`: asked again after ever longer silence, and where the node was not ready.

        `altogether`: seconds for all of it. Raises the last NodeError, and at once what asking again cannot help.
        """
        until, wait = time.monotonic() + altogether, self.deadline
        out: dict[asyncio.Future[T], float] = {}
        error: BaseException = NodeSilent(f"{self._what}: no answer")
        try:
            for tries in range(TRIES):
                now, longer = time.monotonic(), min(GROWS * wait, LONGEST * self._within)
                last = tries == TRIES - 1 or until - now <= wait
                within = until - now if last and until < math.inf else min(wait + longer, until - now)
                out[asyncio.ensure_future(ask(within=max(0.0, within)))] = now
                again = math.inf if last else now + wait
                while out and (left := again - time.monotonic()) > 0:
                    done, _ = await asyncio.wait(
                        out, timeout=left if left < math.inf else None, return_when=asyncio.FIRST_COMPLETED
                    )
                    for one in done:
                        took = time.monotonic() - out.pop(one)
                        if (failed := one.exception()) is None:
                            self.learn(took)
                            return one.result()
                        if not _may_help(failed):
                            raise failed
                        error = failed
                        if not isinstance(failed, NodeSilent):  # it answered, and was not ready
                            again = min(again, time.monotonic() + PAUSE * 2**tries)
                if last:
                    break
                await asyncio.sleep(again - time.monotonic())
                wait = longer
            raise error
        finally:
            for one in out:
                if not one.cancel() and not one.cancelled():
                    one.exception()


def _may_help(error: BaseException) -> bool:
    """May asking again bring what this try did not?"""
    if isinstance(error, RpcRefused):
        return error.throttled
    return isinstance(error, NodeSilent | NodeGarbled | LogsMissing) and not isinstance(error, NodeOversize)
