"""Pending transactions of one chain: taken from the feed in fair turns, simulated on the newest head, judged."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from detectors.events import Gap, Position, Stage, Transaction, Unjudged
from detectors.execution import Execution
from monitor import metrics
from monitor.attention import Attention
from monitor.errors import NodeBusy, NodeError
from monitor.feeds.executions import LATE, OVERSIZE, UNREACHABLE, Executions
from monitor.feeds.flashblocks import Flashblocks
from monitor.feeds.pending import Pending
from monitor.judging import Judging
from monitor.newest import Newest
from monitor.places import Places
from monitor.turns import Turns

log = structlog.get_logger()

NEAR_AT_ONCE, FAR_AT_ONCE = 4, 3
"""Pending transactions simulated at once: those with a visible reason to touch a watched contract, and all others."""

WAITING = 20_000
"""Pending transactions that may wait to be simulated; beyond, they are shed and counted as unjudged."""

TRIES = 3
"""How often one that is too late is tried, at most."""

RECONNECT_WITHIN = 2.0
"""Seconds that a simulation cut off waits for its connection to come back."""

SHED = "shed"
"""The reason of those given up because more came than is judged in time."""

_COSTLY = frozenset((LATE, OVERSIZE, UNREACHABLE))


class Connection(Protocol):
    """What simulations are asked on."""

    async def ready(self) -> object:
        """Wait until it is open."""

    def drop(self, error: NodeError) -> None:
        """End it: another one is made."""


class Arrivals:
    """Judges what is pending. `watched` are the chain's watched contracts.

    What may touch one of them is simulated on `connection`, all else on `aside`: nodes answer a connection's questions one after
    another, and a trace made to be slow must not stand in an attack's way.
    """

    def __init__(
        self,
        pending: Pending,
        executions: Executions,
        connection: Connection,
        aside: Connection,
        judging: Judging,
        newest: Newest,
        watched: frozenset[str],
    ) -> None:
        self.chain = newest.chain
        self.pending = pending
        self.executions = executions
        self._connections = {True: connection, False: aside}
        self.judging = judging
        self.newest = newest
        self.watched = watched
        self.attention = Attention(watched)
        self.shed = 0
        """Transactions given up so far: nobody knows what they would have done."""
        self.flashblocks: Flashblocks | None = None
        """The block being built, where the chain shows it."""
        self._turns = Turns(WAITING)
        self._places = {True: Places(NEAR_AT_ONCE), False: Places(FAR_AT_ONCE)}
        self._tries: dict[str, int] = {}
        """How often transactions were too late or too long, while they are tried once more."""
        self._retry: set[str] = set()
        self._again: set[str] = set()
        """Transactions that are to be judged once more, on the block that was being judged when they were."""

    async def run(self) -> None:
        """Take and simulate until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._arrive(), name=f"{self.chain}/pending")
            if self.flashblocks is not None:
                tasks.create_task(self._promised(self.flashblocks), name=f"{self.chain}/flashblocks")
            tasks.create_task(self._simulate_all(near=True), name=f"{self.chain}/simulations")
            tasks.create_task(self._simulate_all(near=False), name=f"{self.chain}/simulations aside")

    @property
    def waiting(self) -> int:
        """Pending transactions that wait to be simulated."""
        return self._turns.size

    def mined(self, transactions: Sequence[str]) -> None:
        """A block with these was judged: they need no simulation any more."""
        self._turns.forget(transactions)
        for tx_id in transactions:
            self._tries.pop(tx_id, None)

    async def _arrive(self) -> None:
        """What the pending feed gives: transactions to simulate, fates to judge, losses to admit."""
        async for event in self.pending.follow():
            if not isinstance(event, Transaction):
                await self.judging.take(event)
            elif event.to is None or len(event.input) > len("0x") or event.to in self.watched:
                self._offer(event)
                if lost := self._turns.take_lost():
                    await self._shed(lost)

    async def _promised(self, flashblocks: Flashblocks) -> None:
        """What the block being built holds. It goes first: soon it is mined."""
        async for tx in flashblocks.follow():
            self.pending.learn(tx)
            if tx.to is None or len(tx.input) > len("0x") or tx.to in self.watched:
                self._offer(tx)

    def _offer(self, tx: Transaction) -> None:
        self._turns.offer(tx, near=self.attention.near(tx))
        metrics.QUEUE_DEPTH.labels("simulate").set(self._turns.size)

    async def _shed(self, lost: Sequence[Transaction]) -> None:
        """Say what was given up, and by name what may have touched a watched contract: a flood is a place to hide in."""
        self.shed += len(lost)
        metrics.DROPPED.labels(self.chain, "simulate").inc(len(lost))
        metrics.UNJUDGED.labels(self.chain, SHED).inc(len(lost))
        now, reason = time.time(), "more than is judged in time"
        await self.judging.take(Gap(chain=self.chain, at=now, feed="simulate", lost=len(lost), reason=reason))
        for tx in lost:
            if touches := self.attention.named(tx):
                unjudged = Unjudged(chain=self.chain, at=now, id=tx.id, stage=tx.stage, reason=SHED, touches=touches)
                await self.judging.take(unjudged)

    async def _simulate_all(self, *, near: bool) -> None:
        """A few side by side, in turn."""
        places = self._places[near]

        async def once_settled(tx: Transaction) -> None:
            await self.newest.settled()
            self._offer(tx)

        async def one(tx: Transaction) -> None:
            try:
                self._learn(tx, costly=await self._simulate(tx, near=near))
                if tx.id in self._again:
                    tasks.create_task(once_settled(tx), name=f"{self.chain}/again")
            except Exception as error:
                # The one place that decides for pending ones: this transaction is unjudged, the others go on.
                metrics.UNJUDGED.labels(self.chain, "error").inc()
                log.exception("simulation_failed", chain=self.chain, tx=tx.id, error=str(error))
            finally:
                places.leave(tx.id)
                self._turns.done(tx)
                if tx.id in self._retry:
                    self._retry.discard(tx.id)
                    self._offer(tx)

        async with asyncio.TaskGroup() as tasks:
            while True:
                await places.room()
                tx = await self._turns.take(near=near)
                await places.room()
                places.enter(tx.id)
                metrics.QUEUE_DEPTH.labels("simulate").set(self._turns.size)
                tasks.create_task(one(tx), name=f"{self.chain}/simulate")

    def _excused(self, tx: Transaction, reason: str, *, near: bool) -> bool:
        """It was too late or too long. May that have been another's fault? Then it is tried once more, and does not count yet.

        One that was late alone counts, comes last from now on, and is tried a last time: the node may have had enough to do.
        """
        beside = self._places[near].failed(tx.id)
        tries = self._tries[tx.id] = self._tries.get(tx.id, 0) + 1
        excused = beside and tries == 1
        if excused or (reason != OVERSIZE and tries < TRIES):
            self._retry.add(tx.id)
        else:
            del self._tries[tx.id]
        return excused

    def _learn(self, tx: Transaction, *, costly: bool) -> None:
        """Who was costly comes last from now on: its sender, and the contract, unless others need that one."""
        if not costly:
            self._turns.forgive(tx.sender, *([] if tx.to is None else [tx.to]))
        elif tx.to is None or self.attention.needs(tx.to):
            self._turns.blame(tx.sender)
        else:
            self._turns.blame(tx.sender, tx.to)

    async def _simulate(self, tx: Transaction, *, near: bool) -> bool:
        """Simulate on the newest head and judge. Was it costly? If a block came meanwhile, it is in `_again` once."""
        repeated = tx.id in self._again
        self._again.discard(tx.id)
        head = self.newest.position or await self.newest.settled()
        if tx.stage is Stage.PENDING and not executable(tx, self.newest.base_fee):
            metrics.UNJUDGED.labels(self.chain, "underpriced").inc()
            return False
        before = self.pending.before(tx)
        first = await self._simulated(tx, head, before, near=near)
        if isinstance(first, Unjudged):
            costly = first.reason in _COSTLY
            if costly and self._excused(tx, first.reason, near=near):
                return False
            metrics.UNJUDGED.labels(self.chain, first.reason).inc()
            touches = tuple(dict.fromkeys((*first.touches, *self.attention.named(tx))))
            await self.judging.take(msgspec.structs.replace(first, touches=touches))
            return costly
        self._tries.pop(tx.id, None)
        judged, _ = await self.judging.take(first)
        self.attention.saw(first, named=bool(self.attention.named(tx)))
        if judged.wants and not judged.trips:
            await self._look_again(first, head, tx, before)
        if not repeated and not self.newest.still(head) and any(frame.ctx in self.watched for frame in first.frames):
            self._again.add(tx.id)
        if tx.id in self.judging.pipeline.pending_holds().get(self.chain, ()):
            self.pending.track(tx.id)
        return False

    async def _simulated(
        self, tx: Transaction, head: Position, before: Sequence[Transaction], *, near: bool
    ) -> Execution | Unjudged:
        """Once more after a reconnect: another's trace, too long for any connection, may have ended ours under us."""
        places, loop = self._places[near], asyncio.get_running_loop()
        began = loop.time()
        long = places.long or self._places[not near].long
        hurry = None if long is None else loop.call_later(long, self._hurry, tx, near)
        try:
            first = await self.executions.simulate(tx, head, before, aside=not near)
        finally:
            if hurry is not None:
                hurry.cancel()
        if isinstance(first, Execution):
            places.answered(loop.time() - began)
        if isinstance(first, Execution) or first.reason != UNREACHABLE:
            return first
        try:
            async with asyncio.timeout(RECONNECT_WITHIN):
                await self._connections[near].ready()
        except TimeoutError:
            return first
        return await self.executions.simulate(tx, head, before, aside=not near)

    def _hurry(self, tx: Transaction, near: bool) -> None:  # noqa: FBT001 - called by the loop
        """This one is long in coming and others wait behind it: leave the node alone with it, and ask them elsewhere."""
        if self._places[near].shared and tx.id not in self._tries:
            self._connections[near].drop(NodeBusy("a simulation took too long with others behind it"))

    async def _look_again(self, first: Execution, head: Position, tx: Transaction, before: Sequence[Transaction]) -> None:
        found = await self.executions.storage(first, head, tx, before)
        if isinstance(found, Unjudged):
            metrics.UNJUDGED.labels(self.chain, found.reason).inc()
            await self.judging.take(found)
        else:
            await self.judging.take(msgspec.structs.replace(found, supersedes=True))


def executable(tx: Transaction, base_fee: int) -> bool:
    """Could the next block hold it? The base fee falls by an eighth at most (EIP-1559); wei per gas.

    A transaction that no block will take is a free weapon: it would hold a pause for as long as it likes. Should the fee fall
    later and a block take it after all, that block is judged.

    >>> cheap = Transaction(chain="eip155:1", at=0.0, id="0x1", sender="0xa", to=None, value=0, input="0x", nonce=0, gas=1,
    ...                     max_fee=87)
    >>> executable(cheap, 100), executable(cheap, 99)
    (False, True)
    """
    return tx.max_fee >= base_fee - base_fee // 8
