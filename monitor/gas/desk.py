"""The gas desk: one chain's forecasts beside its watch. It overhears verified blocks, and nothing it does reaches a breaker.

Importing it costs nothing numeric: what computes is loaded in a thread once the first block has come.
"""

import asyncio
import importlib
import os
import pickle
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from detectors.base import Finding
from detectors.events import Position, Reverted
from monitor import metrics
from monitor.chains.base import BlockData
from monitor.config import ChainConfig
from monitor.config.layout import ChainKind
from monitor.errors import JournalError, NodeError
from monitor.gas import gauges
from monitor.gas.answers import Advised, Inclusion, Outlook, Question
from monitor.gas.congestion import Congestion
from monitor.gas.models import GasModel, ModelUnreadable, recorded, restored
from monitor.journal.snapshots import Snapshots
from monitor.stream import Queue, Rule

if TYPE_CHECKING:
    from detectors.gas.arbitrum import Reading
    from detectors.gas.features import Header
    from detectors.gas.model import Model
    from monitor.gas.arbitrum import ArbGasInfo
    from monitor.gas.history import Caller
    from monitor.gas.live import Live
    from monitor.gas.refits import Refits, Tail

log = structlog.get_logger()

WAITING = 1024
"""Blocks overheard and not yet folded in; beyond, the oldest go, and the hole is filled from the node."""

HOLDS = 0.003
"""Seconds of folding on end before other tasks get a turn."""

SAVE_EVERY = 300.0
WARM_TIPS, MOST_TIPS = 40, 20
"""Blocks whose tips are asked for at first, and at most after every block."""

NUMERIC = ("detectors.gas.forecast", "monitor.gas.arbitrum", "monitor.gas.history", "monitor.gas.live", "monitor.gas.refits")

WHOLE = 4
"""Times `gas.history`: the longest hole that is filled from the node."""

READ_OF_LATE = 2
"""Newest of the blocks waiting at which ArbGasInfo is read: the fee of a child rests on its grandparent's backlog."""


class GasDesk:
    """One chain's desk, and its oracle. `keep` takes a new model's record, `told` a finding (None: congestion is over).

    `saw` and `reverted` only queue. `schema` names the code whose snapshots are understood.
    """

    def __init__(
        self,
        name: str,
        config: ChainConfig,
        rpc: "Caller",
        snapshots: Snapshots,
        *,
        schema: str,
        keep: Callable[[GasModel], Awaitable[None]],
        told: Callable[[str, Finding | None], None],
    ) -> None:
        self.name = name
        self.chain: str = config.id
        self.model: GasModel | None = None
        """The journal's newest for this chain, once it was read."""
        self._config = config
        self._rpc = rpc
        self._snapshots = snapshots
        self._schema = schema
        self._keep = keep
        self._told = told
        self._queue: Queue[BlockData | Reverted] = Queue(WAITING, Rule.DROP_OLDEST)
        self._live: Live | None = None
        self._fitted: Model | None = None
        self._congestion = Congestion()
        self._owing: ArbGasInfo | None = None
        self._rung: str | None = None
        self._trouble = "no block yet"
        self._trusts_snapshots = True
        self._saved = 0.0

    def saw(self, block: BlockData | Reverted) -> None:
        """A verified block was judged, or some were reverted."""
        self._queue.offer(block)

    @property
    def outlook(self) -> Outlook | None:
        """The newest; one that is old or was reverted says so."""
        live = self._live
        if live is None or live.outlook is None:
            return None
        degraded = self._doubts(live.outlook, gone=live.forecast is None)
        return live.outlook if degraded == live.outlook.degraded else msgspec.structs.replace(live.outlook, degraded=degraded)

    @property
    def trouble(self) -> str | None:
        """Why there is nothing to say yet."""
        return self._trouble or None

    def advise(self, question: Question) -> tuple[Advised, Inclusion | None]:
        """Advice on the newest. Raises LookupError while there is none."""
        outlook = self.outlook
        if self._live is None or outlook is None:
            raise LookupError(f"{self.name}: no forecast yet")
        return self._live.advise(question, outlook.degraded)

    def failed(self, error: Exception) -> None:
        """The desk broke and is begun again: from the chain, since what it had kept may be the cause."""
        self._live, self._trusts_snapshots = None, False
        self._trouble = f"forecasting failed ({type(error).__name__}) and is begun again; the log has the cause"

    async def run(self) -> None:
        """Forecast until cancelled."""
        block = await self._first()
        await asyncio.to_thread(_load)
        live, tail = await asyncio.to_thread(self._begin, block)
        self._live = live
        refits = self._refits(live, tail)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(refits.run(), name=f"{self.name}/gas/refits")
                tasks.create_task(self._follow(live, refits, block), name=f"{self.name}/gas/follow")
        finally:
            if (kept := self._kept(live, refits)) is not None:
                self._save(*kept)

    async def _first(self) -> BlockData:
        while True:
            if isinstance(block := await self._queue.get(), BlockData):
                return block

    def _begin(self, block: BlockData) -> "tuple[Live, Tail | None]":
        """As the last life left it, if that is to be trusted; else empty. The model is the journal's."""
        from monitor.gas.arbitrum import ArbGasInfo  # noqa: PLC0415 - as above
        from monitor.gas.live import Live, kind_of  # noqa: PLC0415 - loaded in a thread before

        rules = msgspec.structs.replace(self._config.gas, kind=fee_kind(self._config))
        if kind_of(rules, self.chain) == "arbitrum":
            self._owing = ArbGasInfo(self._rpc, self.chain)
        if self.model is not None:
            try:
                self._fitted = restored(self.model)
            except ModelUnreadable as error:
                log.warning("gas_model_unusable", chain=self.chain, error=str(error))
        kept = self._snapshots.load(self.chain, self._schema) if self._trusts_snapshots else None
        if kept is not None and kept.position.height <= block.position.height:
            try:
                begun: tuple[Live, Tail | None] = pickle.loads(kept.blob)  # noqa: S301 - our own file, private and checksummed
            except Exception as error:  # noqa: BLE001 - a pickle can raise anything; without it the past is read again
                log.warning("gas_snapshot_unusable", chain=self.chain, error=str(error))
            else:
                log.info("gas_resumed", chain=self.chain, height=kept.position.height)
                return begun
        return Live(self.name, self.chain, rules, self._config.block_time), None

    def _refits(self, live: "Live", tail: "Tail | None") -> "Refits":
        from monitor.gas.memory import Memory  # noqa: PLC0415 - as above
        from monitor.gas.refits import Refits  # noqa: PLC0415 - as above

        model = self._fitted
        return Refits(
            self.chain, 0 if model is None else model.last - model.first + 1, self._adopt,
            memory=Memory.beside(self._snapshots.path, self.chain), clock=live.forecaster.features.clock, tail=tail,
        )  # fmt: skip

    async def _adopt(self, model: "Model") -> None:
        """A fit came back: into the journal, then into use. A journal that refuses costs the next start a fit."""
        self.model = await asyncio.to_thread(recorded, self.chain, model)
        try:
            await self._keep(self.model)
        except JournalError as error:
            log.warning("gas_model_not_recorded", chain=self.chain, error=str(error))
        self._fitted = model

    async def _follow(self, live: "Live", refits: "Refits", first: BlockData) -> None:
        waiting: list[BlockData | Reverted] = [first]
        while True:
            for left, item in zip(range(len(waiting), 0, -1), waiting, strict=True):
                if isinstance(item, Reverted):
                    self._revert(live, item)
                else:
                    reading = await self._owed(live, item) if left <= READ_OF_LATE else None
                    await self._block(live, refits, item, reading)
            await self._tips(live)
            if time.time() - self._saved > SAVE_EVERY and (kept := self._kept(live, refits)) is not None:
                await asyncio.to_thread(self._save, *kept)
            waiting = await self._queue.drain()

    def _revert(self, live: "Live", item: Reverted) -> None:
        if not live.reverted(item.first.height):
            log.warning("gas_reorg_too_deep", chain=self.chain, first=item.first.height)

    async def _owed(self, live: "Live", block: BlockData) -> "Reading | None":
        """What an Arbitrum chain owes after this block; None, and why is said with every answer, where the node does not say."""
        if self._owing is None:
            return None
        try:
            return await self._owing.read(block)
        except NodeError as error:
            live.unread = str(error)
            return None

    async def _block(self, live: "Live", refits: "Refits", block: BlockData, reading: "Reading | None" = None) -> None:
        last = live.forecaster.features.number
        if last is None or block.position.height > last + 1:
            await self._fill(live, refits, block, last)
        began = time.perf_counter()
        outlook = live.block(block, time.time(), model=self._fitted, reading=reading)
        if outlook is None:
            self._trouble = "this chain's blocks have no base fee" if block.base_fee is None else "its headers cannot be"
        else:
            self._trouble = ""
            self._learn(live, refits, live.header)
            self._say(outlook)
            gauges.show(outlook)
        metrics.GAS_STEP.labels(self.chain).observe(time.perf_counter() - began)
        wrong = live.take_wrong()
        metrics.GAS_WRONG.labels(self.chain).inc(wrong)
        if wrong and self._owing is not None:
            self._owing.doubt()
        await asyncio.sleep(0)

    def _learn(self, live: "Live", refits: "Refits", header: "Header | None") -> None:
        """Keep what is to be learned from, unless the header was refused."""
        features = live.forecaster.features
        if header is not None and live.learns and features.number == header.number:
            refits.add(header, features.vector, features.x)

    async def _fill(self, live: "Live", refits: "Refits", block: BlockData, last: int | None) -> None:
        """What lies before this block and was never seen, from the node's own account of fees; without it there is a hole."""
        from monitor.gas.history import History  # noqa: PLC0415 - loaded in a thread before

        most = self._config.gas.history
        # More is asked to keep a history whole than to begin one: a hole costs all that lies before it.
        count = most if last is None else min(block.position.height - last - 1, most * WHOLE)
        history = History(self._rpc, self.chain, live.forecaster.features.clock.seconds)
        past: list[Header] = []
        if count and block.base_fee is not None:
            try:
                past = await history.before(block, count)
            except NodeError as error:
                log.warning("gas_history_missing", chain=self.chain, error=str(error))
        whole = last is None or bool(past and past[0].number == last + 1)
        if not whole:
            refits.broken()
        await self._warm(live, refits, past)
        if last is None:
            await self._tips(live, block, WARM_TIPS)

    async def _warm(self, live: "Live", refits: "Refits", past: "Iterable[Header]") -> None:
        began = time.perf_counter()
        for header in past:
            live.warm(header)
            self._learn(live, refits, header)
            if time.perf_counter() - began > HOLDS:
                metrics.GAS_STEP.labels(self.chain).observe(time.perf_counter() - began)
                await asyncio.sleep(0)
                began = time.perf_counter()

    async def _tips(self, live: "Live", block: BlockData | None = None, most: int = MOST_TIPS) -> None:
        """What was paid since tips were last read, if the node says; without an answer the last offer stands, with its block."""
        from monitor.gas.history import History  # noqa: PLC0415 - loaded in a thread before

        block = block or live.last
        if block is None or block.base_fee is None:
            return
        offered = live.outlook.priority_wei if live.outlook is not None else None
        count = most if offered is None else min(max(block.position.height - offered.number, 1), most)
        try:
            live.tipped(await History(self._rpc, self.chain, 1).tips(block, count))
        except NodeError as error:
            log.debug("gas_tips_missing", chain=self.chain, error=str(error))
        else:
            if live.outlook is not None:
                gauges.show(live.outlook)

    def _say(self, outlook: Outlook) -> None:
        if outlook.model.name != self._rung:
            log.info("gas_rung", chain=self.chain, before=self._rung, now=outlook.model.name, last=outlook.model.last)
            self._rung = outlook.model.name
        if (finding := self._congestion.look(outlook)) is not None:
            metrics.SIGNALS.labels(finding.detector, finding.chain, finding.severity).inc()
            log.info("finding", detector=finding.detector, kind=finding.kind, title=finding.title, finding=finding.id)
            self._told(self.chain, finding)
        elif self._congestion.over():
            self._told(self.chain, None)

    def _doubts(self, outlook: Outlook, *, gone: bool) -> str | None:
        age = time.time() - outlook.seen_at
        reasons = (
            f"no block for {age:.0f} s" if age > self._config.blind_after else None,
            "the block it rests on was reverted" if gone else None,
            outlook.degraded,
        )
        return "; ".join(reason for reason in reasons if reason) or None

    def _kept(self, live: "Live", refits: "Refits") -> tuple[Position, bytes] | None:
        """The state as it stands, for the next life; None before there is any."""
        self._saved = time.time()
        if live.last is None:
            return None
        return live.last.position, pickle.dumps((live, refits.tail), protocol=pickle.HIGHEST_PROTOCOL)

    def _save(self, position: Position, blob: bytes) -> None:
        """Keep it; a failure costs a longer start, nothing else."""
        try:
            self._snapshots.save(self.chain, position, self._schema, blob)
        except JournalError as error:
            log.warning("gas_snapshot_failed", chain=self.chain, error=str(error))


def fee_kind(config: ChainConfig) -> Literal["auto", "ethereum", "op_stack", "arbitrum"]:
    """Who sets the fee, where the chain's own kind says it and its fees' does not."""
    if config.gas.kind != "auto" or config.kind is ChainKind.ETHEREUM:
        return config.gas.kind
    return "arbitrum" if config.kind is ChainKind.ARBITRUM else "op_stack"


def _load() -> None:
    """Import what computes. One thread for its algebra: more would be slower at this size, and take the judging's core."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for module in NUMERIC:
        importlib.import_module(module)
