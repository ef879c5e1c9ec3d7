"""A second node asked when the first takes its time or gives what its own header denies: the first verified answer counts.

Only what proves itself is asked for twice: a block whose id is the hash of its header, and logs that are exactly those of their
header's bloom, so that the second node need not be trusted. A question goes out after the time in which nineteen of twenty
answers of the first came; extra load is bounded to a tenth of the questions, with a few in hand for a bad moment.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from monitor import metrics
from monitor.chains.base import BlockData, Extent, LogEntry, LogsMissing
from monitor.chains.credit import Credit
from monitor.chains.evm import Evm
from monitor.chains.link import Lane
from monitor.chains.patience import let_go
from monitor.chains.rpc import Pushed
from monitor.errors import NodeError
from monitor.stream import Queue

T = TypeVar("T")

SHARE, IN_HAND = 0.1, 8.0
"""Second questions for every first one, and how many may be saved up."""
LEAST, UNKNOWN = 0.02, 0.25
"""Seconds: never sooner than this, and after this while little is known of how long answers take."""
REMEMBERED, ENOUGH = 64, 16
BRIDGED = 3
"""Blocks on end whose logs the first node lacks and the second gives: then the first must give them, or is found wanting."""


class Hedged:
    """Reads of `first`, or of another node: `second` gives its lane for heads, None where there is none fit to be asked.

    `blamed` hears what the first node got wrong and the second knew better.
    """

    def __init__(self, first: Evm, second: Callable[[], Lane | None], blamed: Callable[[NodeError], None]) -> None:
        self._first, self._second, self._blamed = first, second, blamed
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._credit = Credit(SHARE, IN_HAND)
        self._top = -1
        self._bridged = 0
        self._late: set[asyncio.Future[Any]] = set()
        """Questions that the second node answered before the first. They run on: that no answer comes is noticed of the first."""

    @property
    def chain(self) -> str:
        """CAIP-2 id."""
        return self._first.chain

    @property
    def delay(self) -> float:
        """Seconds after which a second node is asked."""
        if len(self._took) < ENOUGH:
            return UNKNOWN
        return max(LEAST, sorted(self._took)[int(0.95 * len(self._took))])

    async def extent(self, *, within: float) -> Extent:
        """Head, safe and final; of the second node the head only, since tags prove nothing."""
        found = await self._race(lambda evm: evm.extent(within=within), lambda one: one.head.position.height >= self._top)
        extent, second = found
        self._top = extent.head.position.height
        return Extent(extent.head) if second else extent

    async def block(self, height: int, *, bodies: bool = False, within: float) -> BlockData | None:
        """The canonical block at a height."""
        found = await self._race(lambda evm: evm.block(height, bodies=bodies, within=within), lambda block: block is not None)
        return found[0]

    async def logs(self, block: BlockData, *, within: float) -> tuple[LogEntry, ...]:
        """The logs of this very block. A first node that lacks those of block after block keeps the lead no longer."""
        found, second = await self._race(lambda evm: evm.logs(block, within=within), lambda _: True)
        if not second:
            self._bridged = 0
        return found

    async def audit(self, block: BlockData, logs: Sequence[LogEntry], *, within: float) -> None:
        """Of the first node alone: what is in doubt is what it said."""
        await self._first.audit(block, logs, within=within)

    async def doorbell(self, *, within: float) -> Queue[Pushed]:
        """That of the first node, on a connection of which nothing is known yet."""
        self._bridged = 0
        return await self._first.doorbell(within=within)

    async def _race(self, ask: Callable[[Evm], Awaitable[T]], good: Callable[[T], bool]) -> tuple[T, bool]:
        """The answer, and whether it is the second node's. Raises what the first one did when neither helped."""
        self._credit.earn()
        began = time.monotonic()
        first = asyncio.ensure_future(ask(self._first))
        tasks: list[asyncio.Future[T]] = [first]
        try:
            await asyncio.wait(tasks, timeout=self.delay)
            if not self._doubtful(first) or (lane := self._other()) is None:
                return await first, False
            second = asyncio.ensure_future(ask(self._first.beside(lane)))
            tasks.append(second)
            return await self._sooner(first, second, good)
        finally:
            if first.done() and not first.cancelled():
                self._took.append(time.monotonic() - began)
            for task in tasks:
                if task not in self._late:
                    let_go(task)

    def _doubtful(self, first: asyncio.Future[Any]) -> bool:
        """Not there yet, or not what its header promises; the latter only for a few blocks on end."""
        if not first.done():
            return True
        return isinstance(first.exception(), LogsMissing) and self._bridged < BRIDGED

    def _other(self) -> Lane | None:
        lane = self._second() if self._first.proves else None
        if lane is not None and not self._credit.spend():
            metrics.HEDGES.labels(self.chain, "spared").inc()
            return None
        if lane is not None:
            metrics.HEDGES.labels(self.chain, "sent").inc()
        return lane

    async def _sooner(self, first: asyncio.Future[T], second: asyncio.Future[T], good: Callable[[T], bool]) -> tuple[T, bool]:
        waiting = {first, second}
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if first in done and first.exception() is None:
                break
            if second in done and second.exception() is None and good(second.result()):
                metrics.HEDGES.labels(self.chain, "won").inc()
                if not first.done():
                    self._late.add(first)
                    first.add_done_callback(self._came_late)
                elif isinstance(wrong := first.exception(), LogsMissing):
                    self._bridged += 1
                    self._blamed(wrong)
                return second.result(), True
        return await first, False

    def _came_late(self, first: asyncio.Future[Any]) -> None:
        self._late.discard(first)
        let_go(first)
