"""Patience with a node: what an answer takes is learnt from those that came, so that a lost one is soon asked for again.

Deadlines grow within one read only, never from one read to the next: a bad second must not make the next bad one dearer.
"""

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from monitor.chains.base import LogsMissing
from monitor.errors import NodeGarbled, NodeSilent, RpcRefused

T = TypeVar("T")

TRIES = 5
"""How often a read is asked again before its connection is given up."""
PAUSE = 0.05
"""Seconds before the second try of a read that was throttled or incomplete; doubles each time."""
REMEMBERED = 5
"""Answers from which the next deadline is learnt: few, so that a node that turned slow, or quick again, is soon known."""
TIMES = 4.0
"""A deadline is so many times the usual answer's time, within this factor of `within`, and as much longer after silence."""
LONGEST = 16.0
"""Times `within`: the longest deadline of all."""


class Patience:
    """For one connection. `within` is what an answer may take while none has come, seconds; `what` whose answers they are."""

    def __init__(self, what: str, within: float) -> None:
        self._what, self._within = what, within
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def deadline(self) -> float:
        """What the first try of a read may take, seconds.

        >>> patience = Patience("a node", 1.0)
        >>> patience.deadline
        1.0
        >>> patience.learn(0.01), patience.deadline
        (None, 0.25)
        >>> patience.learn(9.0), patience.learn(9.0), patience.deadline
        (None, None, 4.0)
        """
        if not self._took:
            return self._within
        return min(max(TIMES * statistics.median(self._took), self._within / TIMES), self._within * TIMES)

    def learn(self, took: float) -> None:
        """An answer came after so many seconds."""
        self._took.append(took)

    async def read(self, ask: Callable[..., Awaitable[T]]) -> T:
        """What `ask(within=...)` gives at last: ever longer deadlines after silence, pauses where the node was not ready.

        Raises the last try's NodeError, and at once what trying again cannot help.
        """
        deadline = self.deadline
        for tries in range(TRIES):
            began = time.monotonic()
            try:
                found = await ask(within=deadline)
            except (NodeSilent, NodeGarbled, LogsMissing, RpcRefused) as error:
                if tries == TRIES - 1 or (isinstance(error, RpcRefused) and not error.throttled):
                    raise
                if isinstance(error, NodeSilent):
                    deadline = min(max(TIMES * deadline, self.deadline), LONGEST * self._within)
                else:
                    await asyncio.sleep(PAUSE * 2**tries)
            else:
                self.learn(time.monotonic() - began)
                return found
        raise NodeSilent(f"{self._what}: no try left")
