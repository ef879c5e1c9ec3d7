"""One chain watched: block by block from its feeds through judging, to a cursor that passes nothing unseen."""

import asyncio
import pickle
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from detectors.base import Detector
from detectors.events import Event, Gap, PoolState, Position, Reverted, Unjudged
from detectors.execution import Execution
from monitor import metrics
from monitor.arrivals import Arrivals
from monitor.breaker.depths import Depths
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Cursor
from monitor.chains.capabilities import Capabilities
from monitor.chains.evm import Evm
from monitor.chains.nodes import Nodes
from monitor.errors import JournalError, NodeError, NodeGarbled
from monitor.feeds.accord import Accord, Verdict
from monitor.feeds.contexts import Contexts
from monitor.feeds.executions import UNREACHABLE, Executions
from monitor.feeds.heads import Heads, Ingested
from monitor.feeds.pending import Pending
from monitor.feeds.pools import Pools
from monitor.feeds.prices import PoolPrices
from monitor.feeds.quorum import Quorum
from monitor.feeds.refusals import Refusals
from monitor.feeds.sequencer import SequencerFeed
from monitor.journal.snapshots import Snapshots
from monitor.judging import Judging
from monitor.ledger import Entry, Ledger, touches
from monitor.newest import Newest
from monitor.pipeline import HARMLESS

if TYPE_CHECKING:
    from monitor.chains.base import BlockData
    from monitor.feeds.l1_fee import L1Fee

log = structlog.get_logger()

MAY_BE_LATE = 1.0
"""Seconds by which we may learn of a block later than it was there, at least; its own time says it otherwise."""

LEAVE_WITHIN = 3.0
"""Seconds a block in hand may take before it is left half judged, and judged again by the next life."""

_LOOK_WITHIN = 5.0
_REFUSED_FOR = 0.5


class Feeds(msgspec.Struct, frozen=True):
    """What a watch reads from."""

    evm: Evm
    heads: Heads
    pending: Pending
    executions: Executions
    contexts: Contexts
    pools: Pools
    prices: PoolPrices
    quorum: Quorum

    def adapt(self, capabilities: Capabilities) -> None:
        """Another node is asked from now on, and this is what it offers."""
        self.evm.pinned, self.evm.tags = capabilities.pinned, capabilities.tags
        self.pending.adapt(full=capabilities.full_pending, mempool=capabilities.mempool)
        self.executions.adapt(rows=capabilities.rows)


class Kept(NamedTuple):
    """The state that a snapshot holds: each detector's, and the ledger of touches."""

    detectors: Mapping[str, Detector]
    ledger: bytes = b""


class ChainWatch:
    """Runs one chain. `watched` are its watched contracts, `schema` names the code and configuration its snapshots belong to.

    `judges`: the node can trace at all; without that the chain is blind, however fresh its heads.
    """

    def __init__(
        self,
        chain: str,
        nodes: Nodes,
        feeds: Feeds,
        judging: Judging,
        board: FlagBoard,
        watched: Iterable[str],
        snapshots: Snapshots,
        *,
        schema: str,
        judges: bool = True,
        snapshot_every: int = 100,
    ) -> None:
        self.chain = chain
        self.nodes = nodes
        self.feeds = feeds
        self.judging = judging
        self.board = board
        self.watched = frozenset(watched)
        self.snapshots = snapshots
        self.schema = schema
        self.snapshot_every = snapshot_every
        self.judges = judges
        self.newest = Newest(chain)
        self.arrivals = Arrivals(
            feeds.pending, feeds.executions, (nodes.simulations, nodes.aside, nodes.slow), judging, self.newest, self.watched
        )
        self.courtesy = feeds.executions.courtesy
        self.courtesy.urgent = lambda: self.arrivals.urgent
        self.overheard: Callable[[BlockData | Reverted], None] = lambda _: None
        """Told of every block once it was judged, and of what was reverted; it must not raise, nor take time."""
        self.sequencer: SequencerFeed | None = None
        """The chain's sequencer, where it tells its messages by number."""
        self.l1_fee: L1Fee | None = None
        """What data costs on layer 1, where the chain lies above one."""
        self._last: Ingested | None = None
        self.depths = Depths(chain, judging.desk.fold.reorgs.get(chain))
        self._counts_new = self._saving = False
        self._ran: set[str] = set()
        """Contracts whose code the block being judged ran."""
        self._between = asyncio.Lock()
        """Held while a block is judged or taken back: who has it finds the detectors as they stand after `head`."""
        self.accord = Accord(chain)
        self.refusals = Refusals(chain)
        self.ledger = Ledger()
        """What touched the watched contracts, for reconciliation."""
        board.weigh(chain, self.depths.odds)

    @property
    def head(self) -> Position | None:
        """The newest block that was judged."""
        return self.newest.position

    async def run(self) -> None:
        """Follow blocks and pending transactions until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._old_fears(self.feeds.heads.tip), name=f"{self.chain}/old fears")
            tasks.create_task(self._blocks(), name=f"{self.chain}/blocks")
            tasks.create_task(self.arrivals.run(), name=f"{self.chain}/arrivals")
            tasks.create_task(self.feeds.quorum.run(self._show), name=f"{self.chain}/quorum")
            if self.arrivals.reruns is not None:
                tasks.create_task(self.arrivals.reruns.run(), name=f"{self.chain}/reruns")
            if self.l1_fee is not None:
                tasks.create_task(self.l1_fee.run(), name=f"{self.chain}/l1 fee")
            if self.sequencer is not None:
                tasks.create_task(self._ordered(self.sequencer), name=f"{self.chain}/sequencer")

    def adapt(self, capabilities: Capabilities) -> None:
        """Another node took the lead, with other gifts."""
        self.feeds.adapt(capabilities)
        self.judges = capabilities.judges

    async def _old_fears(self, resumed: Position | None) -> None:
        """Pending holds of an earlier life: keep an eye on what is still pending, settle what was mined and judged then.

        A block that the cursor had passed was judged, and had its transaction been feared there, the journal would say so.
        """
        fears = sorted(self.judging.pipeline.pending_holds().get(self.chain, ()))
        for tx in fears:
            self.feeds.pending.track(tx)
        while fears:
            await self.newest.settled()
            try:
                for tx, wire in zip(fears, await self.feeds.evm.transactions(fears, within=_LOOK_WITHIN), strict=True):
                    if wire is None or wire.block is None:
                        continue
                    block = await self.feeds.evm.block_by_id(wire.block.lower(), within=_LOOK_WITHIN)
                    if block is not None and resumed is not None and block.position.height <= resumed.height:
                        self.judging.settle(self.chain, tx, HARMLESS)
            except NodeError as error:
                log.warning("old_fears_unknown", chain=self.chain, error=str(error))
                await asyncio.sleep(1.0)
            else:
                return

    async def _blocks(self) -> None:
        """Blocks one at a time. A step that could not be processed is not acknowledged, and is offered again."""
        try:
            async for step in self.feeds.heads.follow():
                if not isinstance(step, Ingested):
                    async with self._between:
                        await self._turned(step)
                elif not await self._block(step):
                    continue
                self.feeds.heads.acknowledge(step)
        finally:
            await self.feeds.executions.forget()

    async def _turned(self, step: Reverted | Gap) -> None:
        await self.judging.take(step)
        if isinstance(step, Reverted):
            self.newest.reverted()
            self._last = None
            self._counts_new = True
            self.ledger.revert(step.first.height)
            self.depths.taken_back(step.first.height, step.last.height)
            metrics.REORG_DEPTH.labels(self.chain).observe(step.last.height - step.first.height + 1)
            self.overheard(step)

    async def _block(self, step: Ingested) -> bool:
        """Everything of one block, in order: its opening, each execution, the states and prices at its end, its closing."""
        position, moves = step.block.position, self.nodes.moves
        self.courtesy.begin()
        await self.courtesy.stand_aside()  # the node, too, has better to do than to trace a block
        executions = await self.feeds.executions.block(position, step.block.transactions, step.at)
        for later in self.feeds.heads.upcoming():
            self.feeds.executions.look_ahead(later.block.position, later.block.transactions, later.at)
        executions = [self.arrivals.attention.told(one, step.logs) if isinstance(one, Unjudged) else one for one in executions]
        failed = [one.reason for one in executions if isinstance(one, Unjudged)]
        if UNREACHABLE in failed or (failed and self.nodes.moves != moves):
            return False  # by no fault of the block: the node went away, or another was asked for what it may not have yet
        if (verdict := self.refusals.asked(position, executions)) is not Verdict.TAKE:
            if verdict is Verdict.DOUBT:
                self.nodes.ask_anew()
            await asyncio.sleep(_REFUSED_FOR)  # another may take the lead meanwhile
            return False
        if not self.judges and len(failed) < len(executions):
            self.nodes.ask_anew()  # it does what it did not offer
        if (verdict := self.accord.asked(position, executions, step.logs)) is not Verdict.TAKE:
            if verdict is Verdict.DOUBT:
                self.nodes.traces.doubt(NodeGarbled(f"{self.chain}: traces of block {position.id} tell other logs than it has"))
            return False
        async with self._between:
            await self._whole(step, executions)
        return True

    async def _whole(self, step: Ingested, executions: Sequence[Execution | Unjudged]) -> None:
        """Judge a block whose every part is here, and commit it."""
        position = step.block.position
        told = touches(executions, step.logs, step.block.transactions, self.watched)
        self.ledger.record(Entry(position, float(step.block.timestamp), step.at, told))
        self.newest.judging()
        await self.judging.take(step.opening)
        decided = await self._judge(executions)
        touched = self._touched(step, executions)
        states = await self._states(position, step.at, touched)
        self._look_for_unread()
        for event in (*states, *self.feeds.prices.take(states)):
            decided |= await self._take(event)
        closing = step.closing(time.time())
        safe, final = (self.feeds.quorum.certain(height) for height in (step.safe, closing.finalized))
        agreed = self.feeds.quorum.certain(position.height)
        decided |= await self._take(msgspec.structs.replace(closing, finalized=final, safe=safe, agreed=agreed))
        metrics.SAFE_NUMBER.labels(self.chain).set(safe)
        metrics.FINALIZED_NUMBER.labels(self.chain).set(final)
        await self._get_ready(position, touched)
        await self._committed(step, decided=decided)

    async def _judge(self, executions: Sequence[Execution | Unjudged]) -> bool:
        """Each execution, then the second looks that were wanted, making way for what is pending."""
        decided, wants = False, dict[str, Execution]()
        self._ran.clear()
        for event in executions:
            judged, made = await self.judging.take(event)
            decided |= bool(made)
            if isinstance(event, Execution):
                self.arrivals.attention.saw(event)
                self._ran.update([frame.to for frame in event.frames if frame.to is not None])
                if judged.wants and not judged.trips:
                    wants[event.tx] = event
            else:
                metrics.UNJUDGED.labels(self.chain, event.reason).inc()
            await self.courtesy.pause()
        # One at a time: each keeps a core of the node busy, and pending simulations need one too.
        for first in wants.values():
            await self.courtesy.stand_aside()
            decided |= await self._second(await self.feeds.executions.storage(first, first.position or self.newest.at()))
        return decided

    async def _second(self, found: Execution | Unjudged) -> bool:
        """A second look is shown to those who asked; one that could not be had is unjudged, which is said."""
        if isinstance(found, Unjudged):
            metrics.UNJUDGED.labels(self.chain, found.reason).inc()
            return await self._take(found)
        return await self._take(msgspec.structs.replace(found, supersedes=True))

    async def _take(self, event: Event) -> bool:
        _, made = await self.judging.take(event)
        return bool(made)

    async def _states(self, position: Position, at: float, touched: set[str]) -> list[PoolState]:
        """The block-end states; while the node gives nothing the block waits, since without them it is not judged."""
        while True:
            try:
                return await self.feeds.pools.read(position, at, touched)
            except NodeError as error:
                self.board.lost_sight(self.chain, str(error))
                await asyncio.sleep(0.2)

    def _look_for_unread(self) -> None:
        """A watched contract that never told its state is not watched: its integrations are unknown, with the reason."""
        pools = self.feeds.pools
        metrics.POOLS_UNREAD.labels(self.chain).set(len(pools.unread))
        hidden = {
            watched.integration: f"{contract} never told its state as a {pools.kind(contract)}; `seawall doctor` looks at it"
            for contract in sorted(pools.never)
            for watched in self.judging.pipeline.integrations_of(self.chain, [contract])
        }
        if self.sequencer is not None and self.sequencer.missing is not None:
            mine = self.judging.pipeline.integrations_of(self.chain, self.watched)
            hidden = {watched.integration: self.sequencer.missing.why for watched in mine} | hidden
        if self.board.hide(self.chain, hidden) and pools.never:
            log.warning("contracts_unreadable", chain=self.chain, contracts=sorted(pools.never))

    async def _ordered(self, sequencer: SequencerFeed) -> None:
        """What the sequencer's numbers miss is not seen until its blocks are judged."""
        async for gap in sequencer.follow():
            await self.judging.take(gap)
            self._look_for_unread()

    def _touched(self, step: Ingested, executions: Sequence[Execution | Unjudged]) -> set[str]:
        """Watched contracts that this block had to do with; tokens that moved there are followed from now on."""
        if any(isinstance(execution, Unjudged) for execution in executions):
            return set(self.watched)  # what nobody could follow may have touched anything: all of it is read anew
        touched = {entry.address for entry in step.logs}
        for execution in executions:
            if isinstance(execution, Execution):
                touched.update(frame.ctx for frame in execution.frames if frame.ctx is not None)
        for entry in step.logs:
            for topic in entry.topics[1:3]:
                if (holder := "0x" + topic[-40:]) in self.watched:
                    touched.add(holder)
                    self.feeds.pools.saw(entry.address, holder)
        return touched & self.watched

    async def _get_ready(self, position: Position, touched: set[str]) -> None:
        """Have this block's balances in memory before anything pending is simulated on it; until then, it is on the parent."""
        try:
            await self.feeds.contexts.advance(position, touched)
        except NodeError as error:
            log.warning("balances_late", chain=self.chain, error=str(error))

    async def _committed(self, step: Ingested, *, decided: bool) -> None:
        """The block is done: the flags may trust it, pending ones are simulated on it, the cursor moves now and then."""
        position = step.block.position
        first, self._last = self._last is None, step  # without any cursor the next life would begin at its own head
        self.newest.judged(position, step.block.base_fee or 0)
        self.depths.committed(position.height)
        metrics.REORG_RISK.labels(self.chain).set(self.depths.odds(0).probability)
        self.overheard(step.block)
        if self.sequencer is not None and self.sequencer.missing is not None:
            self.sequencer.judged(float(step.block.timestamp))
            self._look_for_unread()
        self._show()
        since = min(float(step.block.timestamp), step.at - MAY_BE_LATE)
        self.arrivals.mined(step.block.transactions, since=since, touched=self._ran)
        await self.feeds.pending.mined(step.block.transactions, position)
        metrics.CAPABILITY.labels(self.chain, "mempool").set(self.feeds.pending.unsupported is None)
        if decided:
            await self.feeds.heads.audit(step)
        due = position.height % self.snapshot_every == 0
        if due or not self._saving:
            self._saving = True  # once: on a disk that takes none, an attempt a block would cost every block its time
            await self.save(position)  # before any cursor: what lies below one cannot be undone by who does not know it
        if first or decided or self._counts_new or due:
            self._counts_new = False
            await self.judging.taped()
            await self.judging.desk.advance(Cursor(self.chain, position), time.time(), self.depths.kept)

    def _show(self) -> None:
        """Vouch for the newest head, or say why that cannot be done."""
        if not self.judges:
            self.board.blind_now(self.chain, "the node has no call tracer, nothing can be judged: see `seawall doctor`")
        elif trouble := self.refusals.why or self.feeds.quorum.trouble:
            self.board.blind_now(self.chain, trouble)
        elif self._last is not None:
            self.board.saw_head(self.chain, self._last.block.position, float(self._last.block.timestamp))

    async def leave(self) -> None:
        """Keep cursor and state for the next life, as they stand after a whole block.

        A block that is not done in time is left half judged: what was kept before counts then, as after a crash.
        """
        try:
            async with asyncio.timeout(LEAVE_WITHIN), self._between:
                if (head := self.head) is not None:
                    await self.judging.desk.advance(Cursor(self.chain, head), time.time(), self.depths.kept)
                    await self.save(head)
        except TimeoutError:
            log.warning("left_in_mid_block", chain=self.chain, after=self.head)

    async def save(self, position: Position) -> None:
        """Keep the detectors' state after this block; a failure costs a longer restart, nothing else."""
        state = Kept(self.judging.saved(self.chain, position), self.ledger.save())
        blob = pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL)
        await self.judging.taped()
        try:
            lineage = self.feeds.heads.lineage.positions
            await asyncio.to_thread(self.snapshots.save, self.chain, position, self.schema, blob, lineage)
        except JournalError as error:
            log.warning("snapshot_failed", chain=self.chain, error=str(error))
