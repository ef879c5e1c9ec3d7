"""A chain's life in the daemon: dial the node, ask what it can, take up the earlier state, watch, and leave in order."""

import asyncio
import pickle
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from detectors.base import Detector, Registry
from detectors.events import Event, Position, Reverted
from monitor import metrics
from monitor.breaker.flags import FlagBoard
from monitor.chains.capabilities import Capabilities, of_kind, show
from monitor.chains.evm import Evm
from monitor.chains.finality import Confirmed, Depth
from monitor.chains.hedge import Hedged
from monitor.chains.kinds import KINDS as CHAIN_KINDS
from monitor.chains.link import Link
from monitor.chains.nodes import Nodes
from monitor.config import Config
from monitor.effigy import BANK
from monitor.feeds.contexts import Contexts
from monitor.feeds.executions import Executions
from monitor.feeds.flashblocks import Flashblocks
from monitor.feeds.heads import SHORTER_FOR, Heads
from monitor.feeds.insistence import Insistent
from monitor.feeds.l1_fee import L1Fee
from monitor.feeds.pending import Pending
from monitor.feeds.pools import KINDS, Pools
from monitor.feeds.prices import PoolPrices, Quote
from monitor.feeds.quorum import Quorum
from monitor.feeds.sequencer import SequencerFeed
from monitor.journal.snapshots import Snapshots
from monitor.judging import Judging
from monitor.ledger import Ledger
from monitor.reruns import Reruns
from monitor.watch import ChainWatch, Feeds, Kept

if TYPE_CHECKING:
    from monitor.chains.base import BlockData

log = structlog.get_logger()

TRIED_AFTER = 5.0
"""Seconds after which a chain that never showed a head counts as tried: the daemon is ready, its flags say unknown."""

IDLE_FOR = 10.0
"""Seconds without a judged block, while the node has newer ones, from which that is no chance."""

ANSWER_WITHIN, TRACE_WITHIN = 1.0, 2.0
"""Seconds that a balance, and a trace, may take before they are asked for again, while none has come yet."""


class ChainLife:
    """One configured chain, by its name in the configuration."""

    def __init__(
        self,
        name: str,
        config: Config,
        judging: Judging,
        board: FlagBoard,
        snapshots: Snapshots,
        detectors: Callable[[], Iterable[Detector]],
        registry: Registry,
        *,
        schema: str,
    ) -> None:
        self.name = name
        self.config = config
        self.chain = config.chains[name]
        self.traits = CHAIN_KINDS[self.chain.kind]
        self.judging = judging
        self.board = board
        self.snapshots = snapshots
        self.detectors = detectors
        self.watched = (registry[self.chain.id].watched or frozenset()) - {BANK}
        self.trusted = registry[self.chain.id].trusted
        self.schema = schema
        pinned = self.chain.pinned
        links = [
            Link(node.ws.reveal(), chain=self.chain.id, provider=node.name, checkpoint=pinned, rate=node.rate)
            for node in self.chain.nodes
        ]
        self.nodes = Nodes(links, block_time=self.chain.block_time, quorum=self.chain.quorum)
        self.nodes.moved = self._moved
        self.watch: ChainWatch | None = None
        self.overheard: Callable[[BlockData | Reverted], None] = lambda _: None
        """What every watch of this chain tells of its blocks."""
        self.ledger = Ledger()
        self.greeting: Callable[[str], Iterable[Event]] = lambda _: ()
        """What its detectors must be told before anything else: they may be new."""
        self._began = time.monotonic()
        for outcome in ("spared", "sent", "won"):
            metrics.HEDGES.labels(self.chain.id, outcome)  # no second question is a figure too

    @property
    def tried(self) -> bool:
        """A head was processed, or we waited long enough to know that there is none to be had yet."""
        return (self.watch is not None and self.watch.head is not None) or time.monotonic() - self._began > TRIED_AFTER

    @property
    def judged(self) -> bool:
        """Has a block been judged in this life?"""
        return self.ledger.newest is not None

    @property
    def suspicion(self) -> str:
        """What says by itself that nothing is judged here though there is something to judge; nothing when nothing does."""
        if self.watch is None:
            return "the chain's watch failed and is begun again"
        head, node = self.watch.head, max((one.height for one in self.nodes.health.values()), default=-1)
        fresh = self.watch.feeds.heads.freshness
        late = fresh is None or time.time() - fresh.at > max(IDLE_FOR, 3 * self.chain.block_time)
        if late and node > (head.height if head is not None else -1):
            return f"no block has been judged for long though the node has {node}"
        return ""

    def facts(self) -> Mapping[str, object]:
        """What people may know of it."""
        state, watch, capabilities = self.nodes.leader.state, self.watch, self.nodes.capabilities
        fresh = watch.feeds.heads.freshness if watch else None
        trouble = self._trouble
        return {
            "head": fresh.position.height if fresh else None,
            "age": f"{max(0.0, time.time() - fresh.at):.0f} s ago" if fresh else "never",
            "node": "connected" if state.up else f"not connected: {trouble or 'dialling'}",
            "judging": of_kind(capabilities, self.traits).described if capabilities else "not asked yet",
            "mempool": self._mempool,
            "waiting": watch.arrivals.waiting if watch else 0,
            "given_up": watch.arrivals.shed if watch else 0,
            "promised": watch.arrivals.flashblocks.seen if watch and watch.arrivals.flashblocks else None,
            "up": state.up,
            "trouble": trouble,
            "degraded": self.nodes.degraded,
            "nodes": self.nodes.facts(),
            "sequencer": self._sequencer,
            "l1_data_fee_wei": watch.l1_fee.wei if watch and watch.l1_fee else None,
        }

    @property
    def _sequencer(self) -> str | None:
        """How the sequencer's feed is doing; None without one."""
        feed = self.watch.sequencer if self.watch is not None else None
        if feed is None:
            return None
        return feed.missing.why if feed.missing is not None else feed.trouble or "whole"

    @property
    def _mempool(self) -> str:
        """How pending transactions are seen, for people: an empty feed that cannot be otherwise is not a quiet one."""
        if self.watch is None:
            return "not asked yet"
        pending = self.watch.feeds.pending
        return pending.unsupported or pending.trouble or "followed"

    @property
    def _trouble(self) -> str | None:
        """Why nothing is seen, or nothing that could be vouched for."""
        feeds = self.watch.feeds if self.watch else None
        return self.nodes.trouble or ((feeds.heads.trouble or feeds.quorum.trouble) if feeds else None)

    async def run(self) -> None:
        """Keep the chain watched until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.nodes.run(), name=f"{self.name}/nodes")
            tasks.create_task(self._explain(), name=f"{self.name}/explain")
            self.watch = self._watch(self._of_kind(await self.nodes.capable()))
            self.watch.overheard, self.watch.ledger = self.overheard, self.ledger
            for event in self.greeting(self.chain.id):
                await self.judging.take(event)
            await self.watch.run()

    def failed(self, error: Exception) -> None:
        """The watch broke: its flags are unknown until it sees again."""
        self.watch = None
        self.board.blind_now(self.chain.id, f"watching failed ({type(error).__name__}) and is begun again; the log has the cause")

    async def leave(self) -> None:
        """Keep cursor and detector state for the next life."""
        if self.watch is not None:
            await self.watch.leave()

    def _moved(self, capabilities: Capabilities) -> None:
        """Another node is asked from now on."""
        if self.watch is not None:
            self.watch.adapt(self._of_kind(capabilities))

    def _of_kind(self, capabilities: Capabilities) -> Capabilities:
        """What the node offers comes to on a chain of this kind."""
        found = of_kind(capabilities, self.traits)
        show(self.chain.id, found)
        return found

    async def _explain(self) -> None:
        """Tell the flags why nothing is seen, so that an `unknown` comes with its reason."""
        broken = 0
        while True:
            await asyncio.sleep(0.5)
            # What was final and is not is no delay to wait out; only another node may have a moment to show that it was a lie.
            broken = broken + 1 if self.watch is not None and self.watch.feeds.heads.broken else 0
            if (trouble := self._trouble) and broken > (0 if len(self.chain.nodes) == 1 else 4):
                self.board.blind_now(self.chain.id, trouble)
            elif trouble:
                self.board.lost_sight(self.chain.id, trouble)

    def _watch(self, capabilities: Capabilities) -> ChainWatch:
        chain, nodes = self.chain, self.nodes
        contracts = {c.address: c for one in self.config.integrations.values() if one.chain == self.name for c in one.contracts}
        prices = PoolPrices(Quote(token=p.token, pool=p.pool, quote=p.quote) for p in self.config.prices.get(self.name, ()))
        requests = Insistent(nodes.requests, ANSWER_WITHIN)
        contexts = Contexts(requests, {address: c.assets for address, c in contracts.items()}, prices.values)
        pools = [KINDS[c.kind].of(c.address, c.assets, c.asks) for c in contracts.values()]
        cursor, known = self._resume()
        evm = Evm(nodes.heads, chain=chain.id, pinned=capabilities.pinned, tags=capabilities.tags, verify=chain.verify_headers)
        # With one node a chain that stays shorter was rolled back; with several the one that took over may only lag.
        patience = SHORTER_FOR if len(chain.nodes) == 1 else max(SHORTER_FOR, chain.blind_after)
        depth = Depth(chain.confirmations.safe, chain.confirmations.final) if chain.confirmations else None
        hedged = Hedged(evm, nodes.second, lambda error: nodes.noticed(nodes.leader.heads, error))
        heads = Heads(nodes.heads, Confirmed(hedged, depth), cursor=cursor, known=known, shorter_for=patience)
        feeds = Feeds(
            evm=evm,
            heads=heads,
            pending=Pending(nodes.pending, chain=chain.id, full=capabilities.full_pending, mempool=capabilities.mempool),
            executions=Executions(
                nodes.simulations,
                chain.id,
                contexts,
                slow=Insistent(nodes.traces, TRACE_WITHIN),
                rows=capabilities.rows,
            ),
            contexts=contexts,
            pools=Pools(requests, chain.id, pools),
            prices=prices,
            quorum=Quorum(nodes, heads, patience=chain.blind_after),
        )
        watch = ChainWatch(
            chain.id,
            nodes,
            feeds,
            self.judging,
            self.board,
            self.watched,
            self.snapshots,
            schema=self.schema,
            judges=capabilities.judges,
            snapshot_every=chain.snapshot_every,
        )
        if chain.reruns.enabled:
            watch.arrivals.reruns = Reruns(
                nodes.traces, contexts, self.judging, watch.newest, self.watched, self.trusted, watch.arrivals.attention.near,
                rate=chain.reruns.rate,
            )  # fmt: skip
        if self.traits.l1_fee:
            asker = Evm(nodes.requests, chain=chain.id, pinned=capabilities.pinned)
            watch.l1_fee = L1Fee(asker, watch.newest, self.traits.l1_fee)
        if self.traits.flashblocks:
            watch.arrivals.flashblocks = Flashblocks(nodes.pending, watch.newest)
        if self.traits.feed and chain.sequencer_feed is not None:
            watch.sequencer = SequencerFeed(chain.sequencer_feed.reveal(), chain=chain.id)
        return watch

    def _resume(self) -> tuple[Position | None, Sequence[Position]]:
        """Where to go on: after the newest usable snapshot, else after the journal's cursor, else at the head of the moment.

        A snapshot of another version or configuration is no state of ours, but what was processed below it is: without that, a
        reorganisation during an upgrade could not be undone.
        """
        self.judging.restore(self.chain.id, {detector.name: detector for detector in self.detectors()})
        kept = self.snapshots.load(self.chain.id, self.schema)
        if kept is not None:
            try:
                state: Kept = pickle.loads(kept.blob)  # noqa: S301 - our own file, private and checksummed
                self.judging.restore(self.chain.id, state.detectors, after=kept.position)
                if self.ledger.newest is None and state.ledger:
                    self.ledger.load(state.ledger)
            except Exception as error:  # noqa: BLE001 - a pickle can raise anything
                # A cache in doubt is no cache: the detectors start empty, which costs budget windows, never a block.
                log.warning("snapshot_unusable", chain=self.chain.id, error=str(error))
            else:
                log.info("resumed", chain=self.chain.id, height=kept.position.height)
                return kept.position, kept.lineage
        other = self.snapshots.load(self.chain.id, None)
        if other is not None and other.lineage:
            return other.position, other.lineage
        return self.judging.desk.fold.cursors.get(self.chain.id), ()
