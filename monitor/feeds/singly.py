"""A block's transactions traced one by one, for when the block as a whole cannot be had: a monster among them hides only itself.

An answer longer than a connection takes ends the connection, and with it whatever else was asked there. So whoever was asked at
that moment is asked again alone, and only who ends a connection alone is the monster. Otherwise a dollar's worth of gas, spent on
a trace too long for us, would keep the block unprocessed and the chain unseen for ever.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from detectors.events import Unjudged
from detectors.execution import Execution
from monitor.chains.traces import Origin, Words, calltracer
from monitor.feeds.tracing import LATE, OVERSIZE, UNREACHABLE, Caller, Failed, ask, nested, unjudged

AT_ONCE = 4
"""Transactions asked for side by side."""

ALONE = 2
"""How often one must end a connection alone to be the monster: the first time it may have been somebody else's answer."""

RECONNECTED = 0.1
"""Seconds between looks whether the connection is back."""

Found = Execution | Unjudged


class Singly:
    """One block's transactions. `within` is the deadline of each, `altogether` that of all, seconds.

    `patient`: the node is known to be there, only the connection was lost; it is waited for, until the deadline of all.
    """

    def __init__(self, rpc: Caller, words: Words, *, within: float, altogether: float, patient: bool) -> None:
        self._rpc = rpc
        self._words = words
        self._within = within
        self._altogether = altogether
        self._patient = patient
        self._deadline = 0.0

    async def traced(self, origins: Sequence[Origin]) -> list[Found]:
        """Each in its place; `late` where time ran out."""
        self._deadline = asyncio.get_running_loop().time() + self._altogether
        found: dict[str, Found] = {}
        todo, suspects = deque(origins), deque[Origin]()

        async def work() -> None:
            while todo:
                origin = todo.popleft()
                try:
                    found[origin.source] = await self._one(origin)
                except Failed:
                    suspects.append(origin)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        for origin in suspects:
            found[origin.source] = await self._alone(origin)
        return [found[origin.source] for origin in origins]

    async def _alone(self, origin: Origin) -> Found:
        reason = OVERSIZE
        for _ in range(ALONE):
            try:
                return await self._one(origin)
            except Failed as failed:
                reason = failed.reason
        return unjudged(origin, reason)

    async def _one(self, origin: Origin) -> Found:
        """What came of it. Raises Failed where the connection ended over an answer that may have been this one's."""
        clock = asyncio.get_running_loop().time
        while (left := self._deadline - clock()) > 0:
            try:
                raw = await ask(self._rpc, "debug_traceTransaction", [origin.tx, calltracer.TRACER], min(self._within, left))
            except Failed as failed:
                if failed.cut:
                    self._patient = True
                    raise
                if failed.reason != UNREACHABLE or not self._patient:
                    return unjudged(origin, failed.reason)
                await asyncio.sleep(RECONNECTED)
            else:
                return await nested(raw, origin, self._words)
        return unjudged(origin, LATE)
