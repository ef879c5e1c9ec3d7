"""Pending transactions as the node hears of them, and the fate of those somebody keeps an eye on.

Full objects where the node pushes them, else hashes that are looked up (`lookups.py`). The queue is lossy by declared rule (the
newest count most), and what was lost, in the queue or while the connection was down, is said in a `Gap`: an attack may have been
in it.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence

import msgspec
import structlog

from detectors.events import Dropped, Gap, Position, Transaction
from monitor import metrics
from monitor.chains.evm import Evm, Hash, WireTx, transaction
from monitor.chains.link import Line
from monitor.chains.rpc import Pushed, Rpc
from monitor.chains.wire import UNREADABLE
from monitor.errors import NodeError, NodeGarbled, NodeUnreachable, RpcRefused
from monitor.feeds.liveness import Liveness
from monitor.feeds.lookups import Lookups
from monitor.feeds.mempool import Mempool
from monitor.stream import Queue, Rule

log = structlog.get_logger()

CAPACITY = 20_000
"""Pushes that may wait; beyond, the oldest go."""
ROOM = 64 << 20
"""Bytes of pending transactions remembered."""
A_TURN = 200
"""Pushes decoded before other tasks get a turn: about a millisecond's worth."""
LOOK_AFTER = 100
"""Tracked ones asked about in one frame."""
WITHIN = 2.0
GONE_AFTER = 2
"""Blocks on end after which a transaction that the node does not know counts as dropped."""
LONGEST_WAIT = 30.0
POLL = 0.5
"""Seconds between two questions to the filter that stands in for a silent subscription."""
A_MISS = 1.0
"""Seconds within which blocks without a push before them count as one miss."""

UNSUPPORTED = "unsupported: this chain, or this node, shows no pending transactions"
UNHEARD = 200
"""Mined transactions on end, none of them told before, from which a feed counts as there in name only."""

_push = msgspec.json.Decoder(Hash | WireTx)
_RING = Pushed(0.0, msgspec.Raw(b""))


class Pending:
    """The pending feed of one chain. `full`: the node pushes whole transactions; hashes it sends all the same are looked up."""

    def __init__(
        self, lane: Line, *, chain: str, full: bool = True, mempool: bool = True, capacity: int = CAPACITY, room: int = ROOM
    ) -> None:
        self.chain = chain
        self.full = full
        self.trouble: str | None = None
        """Why nothing comes, for people; None while subscribed."""
        self.mempool = mempool
        """Are pending transactions to be had at all? Where not, nothing comes, and that is no quiet."""
        self._unheard = 0
        self._lane = lane
        self._evm = Evm(lane, chain=chain)
        self._capacity = capacity
        self._pool = Mempool(room)
        self._queue: Queue[Pushed] | None = None
        self._left: list[Pushed] = []
        """What had come and was not read when the last connection was over."""
        self._lookups = Lookups(lane, chain, capacity)
        self._tracked: dict[str, int] = {}
        self._whose: dict[str, tuple[str, int]] = {}
        self._fates: list[Dropped] = []
        self._check: asyncio.Task[None] | None = None
        self._failures = 0
        self._live = Liveness(chain, "newPendingTransactions")
        self._pushed, self._missed_at = False, 0.0
        self._polled: list[Pushed] = []
        self._poll: asyncio.Task[None] | None = None

    def before(self, tx: Transaction) -> tuple[Transaction, ...]:
        """The pending transactions of the same sender that must run before this one, lowest nonce first."""
        return self._pool.before(tx)

    def after(self, tx: Transaction, most: int) -> list[Transaction]:
        """The pending transactions of the same sender that run right after this one, lowest nonce first, at most so many."""
        return self._pool.after(tx, most)

    def get(self, tx_id: str) -> Transaction | None:
        """A pending transaction, if it is remembered."""
        return self._pool.get(tx_id)

    def learn(self, tx: Transaction) -> None:
        """One that was told elsewhere: its sender's next ones run after it."""
        if tx.id not in self._pool:
            self._pool.add(tx)

    def track(self, tx_id: str) -> None:
        """Tell this one's fate: a `Dropped` when it is replaced or dropped. Ends by itself when it is mined."""
        self._tracked.setdefault(tx_id, 0)
        if (tx := self._pool.get(tx_id)) is not None:
            self._whose[tx_id] = tx.sender, tx.nonce

    def track_only(self, ids: frozenset[str]) -> None:
        """Track these and no others: whoever is in no judged block yet, or not any more, and whose fate somebody waits for."""
        for tx_id in self._tracked.keys() - ids:
            self._untrack(tx_id)
        for tx_id in sorted(ids):
            self.track(tx_id)

    def forget(self, tx_id: str) -> None:
        """It is not pending any more, though it was told just now."""
        self._pool.remove(tx_id)

    @property
    def tracked(self) -> frozenset[str]:
        """Ids whose fate is still open."""
        return frozenset(self._tracked)

    async def mined(self, transactions: Sequence[str], position: Position) -> None:
        """A block was processed: forget what it holds, and look after the tracked ones beside the caller, not in its way."""
        self._listened(mined=bool(transactions), now=time.monotonic())
        self._counted(transactions)
        self._pool.mined(transactions)
        for tx_id in transactions:
            self._untrack(tx_id)
        if self._tracked and (self._check is None or self._check.done()):
            name = f"fates of {self.chain} at {position.height}"
            self._check = asyncio.create_task(self._look_after(list(self._tracked)), name=name)

    async def follow(self) -> AsyncGenerator[Transaction | Dropped | Gap, None]:
        """Events for ever; `at` of a transaction is when its push was read."""
        since: float | None = None
        try:
            while True:
                try:
                    queue = self._queue = await self._subscribe(await self._lane.ready())
                    self._go_on(queue)
                    if since is not None:
                        yield self._gap(
                            0, f"not connected for {max(0.0, time.time() - since):.1f} s: what came meanwhile is unknown"
                        )
                    since, self.trouble, self._failures = None, None if self.mempool else UNSUPPORTED, 0
                    while True:
                        async for event in self._turn(queue):
                            yield event
                        await asyncio.sleep(0)  # a queue that never empties must not keep everyone else from running
                except NodeError as error:
                    since = since or time.time()
                    await self._recover(error)
        finally:
            for task in (self._check, self._poll):
                if task is not None:
                    task.cancel()

    async def _turn(self, queue: Queue[Pushed]) -> AsyncGenerator[Transaction | Dropped | Gap, None]:
        """What came since the last turn. Raises NodeError after all that could be told."""
        pushes = await queue.drain(A_TURN)
        if lost := queue.take_lost():
            yield self._gap(lost, "more than was taken in time; the oldest were given up")
        metrics.QUEUE_DEPTH.labels("pending").set(len(queue))
        self._pushed = self._pushed or any(push is not _RING for push in pushes)
        polled, self._polled = self._polled, []
        for tx in self._read(pushes + polled if polled else pushes):
            yield tx
        while len(self._lookups):
            for tx in self._new(await self._lookups.next()):
                yield tx
        if lost := self._lookups.take_lost():
            yield self._gap(lost, "told by hash, and the node did not say what they are")
        while self._fates:
            yield self._fates.pop(0)

    def _listened(self, *, mined: bool, now: float) -> None:
        """A block was processed; with transactions in it, some should have been pushed since the last. Ask, while none is."""
        if self._pushed:
            self._pushed = False
            self._live.heard()
            if self._poll is not None:
                self._poll.cancel()
        elif mined and self.mempool and self._queue is not None and now - self._missed_at >= A_MISS:
            self._missed_at = now  # blocks made up for in a burst are one miss
            self._live.missed()
        if self._live.silent and self._queue is not None and (self._poll is None or self._poll.done()):
            self._poll = asyncio.create_task(self._ask_instead(self._queue), name=f"pending of {self.chain}, asked for")

    async def _ask_instead(self, queue: Queue[Pushed]) -> None:
        """What the silent subscription should tell, from the node's filter. Where that fails, the next block tries again."""
        try:
            name = await self._lane.call("eth_newPendingTransactionFilter", timeout=WITHIN, type=str)
            while not queue.closed:
                await asyncio.sleep(POLL)
                found = await self._lane.call("eth_getFilterChanges", (name,), timeout=WITHIN, type=list[msgspec.Raw])
                self._polled += [Pushed(time.time(), one) for one in found]
                if over := len(self._polled) - self._capacity:
                    metrics.DROPPED.labels(self.chain, "pending").inc(max(0, over))
                    del self._polled[: max(0, over)]
                if found and not len(queue):
                    queue.offer(_RING)
        except NodeError as error:
            log.warning("pending_not_told", chain=self.chain, error=str(error))

    async def _subscribe(self, rpc: Rpc) -> Queue[Pushed]:
        queue: Queue[Pushed] = Queue(self._capacity, Rule.DROP_OLDEST)
        if not self.mempool:
            return queue  # only the fates of what somebody keeps an eye on go through it
        if self.full:
            try:
                await rpc.subscribe(("newPendingTransactions", True), queue=queue)
            except RpcRefused as error:
                if error.throttled:
                    raise
                self.full = False
            else:
                return queue
        try:
            await rpc.subscribe(("newPendingTransactions",), queue=queue)
        except RpcRefused as error:
            if error.throttled:
                raise
            self.mempool = False
        return queue

    def adapt(self, *, full: bool, mempool: bool) -> None:
        """Another node is asked from now on, and this is what it offers."""
        self.full = full
        if mempool is not self.mempool:
            self.mempool, self._unheard = mempool, 0
            if self._queue is not None:
                self._queue.close(NodeUnreachable(f"{self.chain}: another node, with other pending transactions"))

    @property
    def unsupported(self) -> str | None:
        """Why pending transactions are not to be had, for people; None where they are, or may be."""
        if not self.mempool:
            return UNSUPPORTED
        if self._unheard >= UNHEARD:
            return f"{UNSUPPORTED}: none of the last {self._unheard} mined ones was ever told"
        return None

    def _counted(self, transactions: Sequence[str]) -> None:
        """Of what is mined, something must have been told before, or the feed is there in name only."""
        heard = any(tx_id in self._pool for tx_id in transactions)
        self._unheard = 0 if heard else self._unheard + len(transactions)

    def _go_on(self, queue: Queue[Pushed]) -> None:
        """Read on this connection what was left of the last one."""
        left, self._left = self._left, []
        for push in left:
            queue.offer(push)
        if len(self._lookups):
            queue.offer(_RING)

    def _read(self, pushes: Sequence[Pushed]) -> list[Transaction]:
        """The new transactions among these pushes, in order; hashes are to be looked up."""
        found: list[Transaction] = []
        for push in pushes:
            if push is _RING:
                continue
            try:
                pushed = _push.decode(push.raw)
                if not isinstance(pushed, str):
                    found += self._new([transaction(self.chain, pushed, push.at)])
                elif (tx_id := pushed.lower()) not in self._pool:
                    self._lookups.add(tx_id, push.at)
            except (*UNREADABLE, NodeGarbled):
                metrics.FRAMES_BAD.labels(self.chain, "undecodable").inc()
        return found

    def _new(self, found: Sequence[Transaction]) -> list[Transaction]:
        """Those among them that were not told yet; they are remembered."""
        new = [tx for tx in found if tx.id not in self._pool]
        for tx in new:
            replaced = self._pool.add(tx)
            if replaced is not None and replaced in self._tracked:
                self._end(replaced, "replaced")
            if tx.id in self._tracked:
                self._tracked[tx.id] = 0
        return new

    async def _look_after(self, ids: Sequence[str]) -> None:
        """What became of tracked transactions. An error decides nothing: the next block asks again."""
        try:
            for start in range(0, len(ids), LOOK_AFTER):
                part = ids[start : start + LOOK_AFTER]
                for tx_id, wire in zip(part, await self._evm.transactions(part, within=WITHIN), strict=True):
                    await self._judge_fate(tx_id, wire)
        except NodeError as error:
            log.warning("fates_unknown", chain=self.chain, error=str(error))

    async def _judge_fate(self, tx_id: str, wire: WireTx | None) -> None:
        if tx_id not in self._tracked:
            return
        if wire is not None:
            self._tracked[tx_id] = 0  # pending still, or in a block that is yet to be processed
            if tx_id not in self._whose:
                known = transaction(self.chain, wire, 0.0)
                self._whose[tx_id] = known.sender, known.nonce
            return
        sender, nonce = self._whose.get(tx_id, (None, 0))
        if sender is not None and await self._evm.nonce(sender, within=WITHIN) > nonce:
            self._end(tx_id, "replaced")  # another transaction with its nonce was mined
            return
        self._tracked[tx_id] = self._tracked.get(tx_id, 0) + 1
        if self._tracked[tx_id] >= GONE_AFTER:
            self._end(tx_id, "dropped")

    def _end(self, tx_id: str, reason: str) -> None:
        self._untrack(tx_id)
        self._pool.remove(tx_id)
        self._fates.append(Dropped(chain=self.chain, at=time.time(), id=tx_id, reason=reason))
        if self._queue is not None and not len(self._queue):
            self._queue.offer(_RING)  # wakes the reader, who gives fates out

    def _untrack(self, tx_id: str) -> None:
        self._tracked.pop(tx_id, None)
        self._whose.pop(tx_id, None)

    def _gap(self, lost: int, reason: str) -> Gap:
        metrics.DROPPED.labels(self.chain, "pending").inc(lost)
        return Gap(chain=self.chain, at=time.time(), feed="pending", lost=lost, reason=reason)

    async def _recover(self, error: NodeError) -> None:
        if (over := self._queue) is not None:
            over.close(error)  # its subscription may outlive it
            self._left = await over.drain() if len(over) else []
        self._queue = None
        if self.trouble != str(error):
            log.warning("pending_stopped", chain=self.chain, error=str(error))
        self.trouble = str(error)
        if isinstance(error, NodeUnreachable):
            return  # the lane dials again, at its own pace
        if not isinstance(error, RpcRefused):
            self._lane.drop(error)
        wait = random.uniform(0.05, 0.3) * 2**self._failures  # noqa: S311 - jitter, no secret
        self._failures = min(self._failures + 1, 10)
        await asyncio.sleep(min(LONGEST_WAIT, wait))
