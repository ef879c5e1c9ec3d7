"""Following a chain: every block of the canonical chain once, in order, and every reorganisation, whatever the node does.

A head pushed by a node is a doorbell, not a source: heads are skipped, doubled and never sent by real nodes. On a ring, or a
timer, the common ancestor is found by hash; blocks are read ahead at once but handed out one by one, each checked against its
parent and its logs against its own header. The tip moves only when the consumer acknowledges a step, so that progress is kept
block by block even when faults come faster than a gap can be read, and nothing is passed that was not processed.
"""

import asyncio
import random
import time
import zlib
from collections.abc import AsyncGenerator, Iterable
from functools import partial

import msgspec
import structlog

from detectors.events import Block, Committed, Gap, Position, Reverted
from monitor import metrics
from monitor.chains.base import BlockData, Chain, Extent, LogEntry
from monitor.chains.link import Line
from monitor.chains.patience import PAUSE, TRIES, Patience
from monitor.chains.rpc import Pushed
from monitor.chains.seal import Forged
from monitor.errors import NodeError, NodeSilent, NodeUnreachable, RpcRefused
from monitor.feeds.ahead import Ahead
from monitor.feeds.coverage import Coverage
from monitor.feeds.lineage import Lineage
from monitor.feeds.liveness import Liveness
from monitor.stream import Queue, Rule

log = structlog.get_logger()

SHORTER_FOR = 2.0
"""Seconds a node may show a shorter chain before we believe that it was rolled back and does not merely lag."""
LONGEST_WAIT = 1.0
AUDITED = 32
"""One block in so many has its logs proven by its receipts, beside every one that raises an alarm."""


class FinalityBroken(NodeError):
    """The node's chain contradicts or does not reach a block that was final: nothing is followed until it agrees again."""


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """One block of the canonical chain with all its logs. `at` is our clock when it was complete (unix seconds).

    `head`, `safe` and `finalized` are heights as the node gave them before this block was read (-1: it does not say).
    """

    chain: str
    block: BlockData
    logs: tuple[LogEntry, ...]
    at: float
    head: int
    safe: int = -1
    finalized: int = -1

    @property
    def opening(self) -> Block:
        """The event that comes before the block's executions."""
        block = self.block
        return Block(
            chain=self.chain, at=self.at, position=block.position, timestamp=float(block.timestamp), base_fee=block.base_fee,
            gas_used=block.gas_used, gas_limit=block.gas_limit, transactions=len(block.transactions),
        )  # fmt: skip

    def closing(self, at: float) -> Committed:
        """The event that comes after everything of this block was given out, at our time `at`."""
        position = self.block.position
        return Committed(chain=self.chain, at=at, first=position, last=position, finalized=self.finalized)


Step = Ingested | Reverted | Gap


class Freshness(msgspec.Struct, frozen=True):
    """The newest acknowledged block: `timestamp` the chain's clock, `at` ours when it was acknowledged, both unix seconds."""

    position: Position
    timestamp: int
    at: float


class Heads:
    """The follower of one chain. `cursor` is the last block already processed (None: begin with the head of the moment).

    `known` are earlier positions down to finality, from which a reorganisation during our absence is told exactly; without them
    a deeper one is followed too, and a `Gap` says that something below was not undone. `every` is the timer, seconds;
    `ahead` how many blocks are read at once; `bodies` whether blocks come with their transactions in full; `shorter_for` for how
    many seconds a shorter chain is taken for a node that lags.
    """

    def __init__(
        self,
        lane: Line,
        chain: Chain,
        *,
        cursor: Position | None = None,
        known: Iterable[Position] = (),
        finalized: int = -1,
        every: float = 1.0,
        within: float = 1.0,
        ahead: int = 16,
        bodies: bool = False,
        shorter_for: float = SHORTER_FOR,
    ) -> None:
        own = {position.height: position for position in known}
        if cursor is not None:
            own = {height: position for height, position in own.items() if height < cursor.height} | {cursor.height: cursor}
        self.lineage = Lineage(own.values(), final=finalized)
        self.freshness: Freshness | None = None
        self.trouble: str | None = None
        """Why nothing can be followed at the moment, for people; None while all is well."""
        self.broken = False
        """The node's chain contradicts what was final."""
        self._lane = lane
        self._chain = chain
        self._every, self._within, self._most, self._bodies = every, within, ahead, bodies
        self._shorter_for = shorter_for
        self._patience = Patience(chain.chain, within)
        self._extent: Extent | None = None
        self._ahead = Ahead[Ingested]()
        self._offered: Step | None = None
        self._below: tuple[Position, Gap | None] | None = None
        self._owed: Gap | None = None
        self._shorter_since: float | None = None
        self._failures = 0
        self._coverage = Coverage()
        self._rings = Liveness(chain.chain, "newHeads")
        self._by_timer, self._seen = False, -1

    @property
    def tip(self) -> Position | None:
        """The newest acknowledged block."""
        return self.lineage.tip

    async def follow(self) -> AsyncGenerator[Step, None]:
        """Steps for ever. Acknowledge each before asking for the next; one that was not is checked and offered again."""
        bell: Queue[Pushed] | None = None
        try:
            while True:
                try:
                    bell = await self._listen() if bell is None else bell
                    if self._offered is not None:
                        self._look_again()
                        await self._ring(bell)
                    step = await self._next()
                    if step is None:
                        await self._ring(bell)
                        continue
                except NodeError as error:
                    bell = None
                    await self._recover(error)
                    continue
                self._offered = step
                yield step
        finally:
            self._look_again()

    def upcoming(self) -> list[Ingested]:
        """What was read ahead of the step offered last, as far as it is there."""
        return self._ahead.ready()

    def acknowledge(self, step: Step) -> None:
        """The consumer has processed the step that was offered last: the tip moves. Raises ValueError for any other step."""
        if step is not self._offered:
            raise ValueError("only the step offered last can be acknowledged, once")
        self._offered = None
        self._failures, self.trouble, self.broken = 0, None, False
        if isinstance(step, Ingested):
            self._committed(step)
        elif isinstance(step, Reverted):
            self._coverage.reverted(step.last.height - step.first.height + 1, step.first.height - 1)
            self.lineage.cut(step.first.height - 1)
            if self.tip is None and self._below is not None:
                below, self._owed = self._below
                self.lineage.extend(below)
            self._below = self._extent = None
        else:
            self._owed = None
            self._coverage.lost(step.lost)
        self._show()

    async def audit(self, step: Ingested) -> None:
        """Have the logs of a block that raised an alarm proven; a node that fails this loses the lead to a better one."""
        try:
            await self._patience.read(partial(self._chain.audit, step.block, step.logs))
        except Forged as error:
            self._lane.doubt(error)
        except NodeError as error:
            log.warning("audit_failed", chain=step.chain, height=step.block.position.height, error=str(error))

    def _show(self) -> None:
        metrics.COVERAGE.labels(self._chain.chain).set(self._coverage.ratio(time.monotonic()))
        metrics.BEHIND.labels(self._chain.chain).set(self._coverage.behind(self.tip.height) if self.tip is not None else 0)

    def _committed(self, step: Ingested) -> None:
        position, now = step.block.position, time.time()
        self.lineage.extend(position)
        self.lineage.settle(step.finalized)
        self._coverage.done()
        self.freshness = Freshness(position, step.block.timestamp, now)
        metrics.HEAD_NUMBER.labels(step.chain).set(position.height)
        metrics.HEAD_TIMESTAMP.labels(step.chain).set(step.block.timestamp)
        metrics.HEAD_SEEN.labels(step.chain).set(now)
        metrics.BLOCK_SECONDS.labels(step.chain).observe(max(0.0, now - step.at))

    async def _listen(self) -> Queue[Pushed]:
        await self._lane.ready()
        self._look_again()
        self._patience = Patience(self._chain.chain, self._within)
        try:
            return await self._patience.read(self._chain.doorbell)
        except RpcRefused as error:
            if error.throttled:
                raise
            return Queue(1, Rule.DROP_OLDEST)  # it pushes no heads: the timer alone rings

    async def _ring(self, bell: Queue[Pushed]) -> None:
        try:
            async with asyncio.timeout(self._every):
                await bell.get()
        except TimeoutError:
            self._by_timer = True
        else:
            self._by_timer = False
            self._rings.heard()
        self._extent = None

    def _saw(self, head: int) -> None:
        """A head, after a ring or without. Raises NodeSilent when rings fail to come and another connection may have them."""
        if self._by_timer and -1 < self._seen < head:
            self._rings.missed()
        self._by_timer, self._seen = False, head
        first = head if self.tip is None else self.tip.height + 1
        self._coverage.head(head, first=first, now=time.monotonic())
        self._show()
        if self._rings.renew(time.monotonic()):
            raise NodeSilent(f"{self._chain.chain}: new heads come, and none is pushed; subscribing on another connection")

    async def _next(self) -> Step | None:
        """The next step to take, None when there is none before the next ring."""
        for number in range(TRIES):
            if self._owed is not None:
                return self._owed
            if not self._ahead:
                if self._extent is not None and self._reaches(self._extent):
                    return None
                if (reverted := await self._survey()) is not None:
                    return reverted
                if not self._ahead:
                    return None
            try:
                step = await self._ahead.take()
            except RpcRefused as error:
                if error.throttled or number == TRIES - 1:
                    raise
                step = None  # nodes refuse what they have just replaced, for a moment
                await asyncio.sleep(PAUSE * 2**number)
            if step is not None and self._links(step.block):
                return step
            self._look_again()  # the chain moved under us
        return None

    def _reaches(self, extent: Extent) -> bool:
        return self.tip is not None and self.tip.height >= extent.head.position.height

    def _links(self, block: BlockData) -> bool:
        return self.tip is None or block.position.parent == self.tip.id

    async def _survey(self) -> Reverted | None:
        """Look how far the chain goes; what of ours it contradicts, or else the blocks to come read ahead."""
        self._extent = extent = _in_order(await self._patience.read(self._chain.extent))
        head, tip = extent.head.position, self.tip
        self._saw(head.height)
        if tip is not None and head.id != tip.id and not (head.height == tip.height + 1 and head.parent == tip.id):
            ancestor = await self._ancestor(extent, tip)
            if ancestor is None:
                return None
            if ancestor.height < tip.height:
                return self._revert(ancestor, tip)
        self._shorter_since = None
        first = head.height if tip is None else tip.height + 1
        for height in range(first, min(head.height, first + self._most - 1) + 1):
            self._ahead.begin(self._fetch(height, extent), name=f"block {height} of {self._chain.chain}")
        return None

    async def _ancestor(self, extent: Extent, tip: Position) -> Position | None:
        """The newest block that is ours and the chain's. None: wait, the chain is only shorter, which a lagging node's is too."""
        head = extent.head.position
        oldest = max(self.lineage.final, self.lineage.bottom.height if self.lineage.bottom else 0)
        if head.height < oldest:
            raise FinalityBroken(
                f"{self._chain.chain}: the node's head is {head.height}, but block {oldest} was final or long processed; "
                "is it still syncing, or another network? Nothing is followed until it catches up"
            )
        height = min(tip.height, head.height)
        while (own := self.lineage.at(height)) is not None:
            theirs = head if height == head.height else await self._position(height)
            if theirs is not None and theirs.id == own.id:
                return own if height != head.height or height == tip.height else self._shorter(own)
            if height <= max(self.lineage.final, 0):
                raise FinalityBroken(
                    f"{self._chain.chain}: the node's block {height} is {theirs.id if theirs else 'missing'}, but {own.id} was "
                    "final there; is it the right network? Nothing is followed until it agrees"
                )
            height -= 1
        return await self._unknown(height)

    def _shorter(self, own: Position) -> Position | None:
        now = time.monotonic()
        self._shorter_since = self._shorter_since or now
        return own if now - self._shorter_since >= self._shorter_for else None

    async def _unknown(self, height: int) -> Position | None:
        """Nothing of ours is left on the chain: go on from the block below what we remember, and say so if that changed too."""
        bottom, below = self.lineage.bottom, await self._position(height)
        if bottom is None or below is None:
            return None
        gap = Gap(
            chain=self._chain.chain, at=time.time(), feed="heads", lost=1,
            reason=f"a reorganisation below height {bottom.height}, the oldest remembered: blocks before it were not undone",
        )  # fmt: skip
        self._below = below, None if below.id == bottom.parent else gap
        return below

    def _revert(self, ancestor: Position, tip: Position) -> Reverted:
        bottom = self.lineage.bottom
        first = self.lineage.at(ancestor.height + 1) or bottom or tip
        metrics.REORGS.labels(self._chain.chain).inc()
        log.warning("reorg", chain=self._chain.chain, first=first.height, last=tip.height, ancestor=ancestor.id)
        return Reverted(chain=self._chain.chain, at=time.time(), first=first, last=tip)

    async def _position(self, height: int) -> Position | None:
        if height < 0:
            return None
        block = await self._patience.read(partial(self._chain.block, height))
        return None if block is None else block.position

    async def _fetch(self, height: int, extent: Extent) -> Ingested | None:
        """One block and its logs; None when it is no longer there."""
        block: BlockData | None = extent.head
        if height != extent.head.position.height or self._bodies:
            block = await self._patience.read(partial(self._chain.block, height, bodies=self._bodies))
        if block is None:
            return None
        logs = await self._patience.read(partial(self._chain.logs, block))
        if _sampled(block):
            await self._patience.read(partial(self._chain.audit, block, logs))
        return Ingested(
            chain=self._chain.chain, block=block, logs=logs, at=time.time(),
            head=extent.head.position.height, safe=extent.safe, finalized=max(extent.finalized, self.lineage.final),
        )  # fmt: skip

    def _look_again(self) -> None:
        """Forget what was read ahead and offered: the next step is found afresh from the tip."""
        self._ahead.clear()
        self._offered = self._below = self._extent = None

    async def _recover(self, error: NodeError) -> None:
        """The node cannot be followed as it is: a new connection (unless that cannot help), and a breath before it."""
        self._look_again()
        if self.trouble != str(error):
            log.warning("heads_stopped", chain=self._chain.chain, tip=self.tip.height if self.tip else None, error=str(error))
        self.trouble = str(error)
        keeps = isinstance(error, NodeUnreachable) or (isinstance(error, RpcRefused) and error.throttled)
        if isinstance(error, FinalityBroken):
            if not self.broken:
                metrics.FINALITY_BROKEN.labels(self._chain.chain).inc()
            self.broken = True
            self._lane.doubt(error)
        elif not keeps:
            self._lane.drop(error)
        if not isinstance(error, NodeUnreachable):
            wait = random.uniform(PAUSE, 6 * PAUSE) * 2**self._failures  # noqa: S311 - jitter, no secret
            self._failures = min(self._failures + 1, 10)
            await asyncio.sleep(min(LONGEST_WAIT, wait))


def _sampled(block: BlockData) -> bool:
    """One block in so many, by its id, which nobody can choose without choosing the block."""
    return zlib.crc32(block.position.id.encode()) % AUDITED == 0


def _in_order(extent: Extent) -> Extent:
    """Finalized, safe and head must come in this order; a node whose tags do not is not believed in what is certain."""
    if extent.finalized <= extent.safe <= extent.head.position.height:
        return extent
    return Extent(extent.head)
