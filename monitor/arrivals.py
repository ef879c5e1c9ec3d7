"""Pending transactions of one chain: taken from the feed in fair turns, simulated on the newest head, judged.

Each contract call that came ends as judged or as counted and told (`reckoning.py`), and is judged once more where a block or a
predecessor came after its verdict that may change it (`afresh.py`).
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec
import structlog

from detectors.events import Gap, Position, Stage, Transaction, Unjudged
from detectors.execution import Execution
from monitor import metrics
from monitor.afresh import Afresh
from monitor.attention import Attention
from monitor.errors import NodeBusy, NodeError
from monitor.feeds.executions import LATE, OVERSIZE, UNREACHABLE, Executions
from monitor.feeds.flashblocks import Flashblocks
from monitor.feeds.pending import Pending
from monitor.judging import Judging
from monitor.newest import Newest
from monitor.places import Places
from monitor.reckoning import JUDGED, MINED, UNDERPRICED, Reckoning
from monitor.turns import Turns

log = structlog.get_logger()

NEAR_AT_ONCE, FAR_AT_ONCE = 4, 3
"""Pending transactions simulated at once: those with a visible reason to touch a watched contract, and all others."""

WAITING = 20_000
"""Pending transactions that may wait to be simulated; beyond, they are shed and counted as unjudged."""

TRIES = {True: 3, False: 2}
"""How often a near one, and another, that is too late is tried: quickly, when no near one waits, and at last in all its time."""

EXCUSES = 5
"""How often it may fail by another's fault."""

SUCCESSORS = 16
"""Of a sender's later ones that were judged already, how many are judged again when an earlier one comes after them."""

QUICK = 0.1
"""Seconds: what is simulated within them may be judged again after every block."""

TRANSFER_GAS = 21_000
"""Gas of a plain payment; who allows more and sends no data may be calling a contract's fallback."""

LOOKS_EVERY = 0.05
"""Seconds between looks at whether one that is in flight holds up others."""

RECONNECT_WITHIN = 2.0
"""Seconds that a simulation cut off waits for its connection to come back."""

SHED, ERROR = "shed", "error"
"""The reasons of those given up because more came than is judged in time, and of those on which we ourselves failed."""

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
        self.reckoning = Reckoning(self.chain)
        self._afresh = Afresh()
        self._tries: dict[str, int] = {}
        """How often transactions were too late or too long by their own fault, while they are tried once more."""
        self._excused: Counter[str] = Counter()
        """How often by another's."""
        self._flying: set[str] = set()
        self._retry: set[str] = set()
        """Of those in flight, which are to be offered again as soon as they are done."""
        self._hurried: set[str] = set()
        """Of those in flight, for whose sake, or rather without it, the connection was ended."""
        self._repeated: set[str] = set()
        """Those whose verdict was too old when it came: once on end."""

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

    def unaccounted(self) -> int:
        """Open ones that neither wait nor fly: none, ever."""
        return len(self.reckoning) - self._turns.size - len(self._flying)

    def mined(self, transactions: Sequence[str], *, since: float = 0.0, touched: Collection[str] = ()) -> None:
        """A block with these was judged: they need no simulation any more, and some others need another.

        The block may have been there `since` (unix seconds), and ran code of the contracts `touched`.
        """
        for tx_id in self._turns.forget(transactions):
            self.reckoning.ended(tx_id, MINED)
        for tx_id in transactions:
            self._forgive(tx_id)
        self._afresh.forget(transactions)
        if (head := self.newest.position) is not None:
            least = least_fee(self.newest.base_fee)
            for tx_id in self._afresh.after(head.id, since, touched, least):
                if (tx := self.pending.get(tx_id)) is not None:
                    self._offer(tx)

    async def _arrive(self) -> None:
        """What the pending feed gives: transactions to simulate, fates to judge, losses to admit."""
        async for event in self.pending.follow():
            if not isinstance(event, Transaction):
                await self.judging.take(event)
                continue
            if self._calls(event):
                self._offer(event)
            for later in self.pending.after(event, SUCCESSORS):
                if later.id in self._afresh or later.id in self._flying:
                    self._offer(later)  # judged as if this one were not before it
            await self._tell_lost()

    async def _promised(self, flashblocks: Flashblocks) -> None:
        """What the block being built holds. It goes first: soon it is mined."""
        async for tx in flashblocks.follow():
            self.pending.learn(tx)
            if self._calls(tx):
                self._offer(tx)
                await self._tell_lost()

    def _calls(self, tx: Transaction) -> bool:
        """May it run code? A payment with gas for nothing else does not, save that to a watched contract."""
        return tx.to is None or len(tx.input) > len("0x") or tx.gas > TRANSFER_GAS or tx.to in self.watched

    def _offer(self, tx: Transaction) -> None:
        self.reckoning.came(tx.id, time.monotonic())
        if tx.id in self._flying:
            self._retry.add(tx.id)
            return
        tries, near = self._tries.get(tx.id, 0), self.attention.near(tx)
        self._turns.offer(tx, near=near and tries < TRIES[near] - 1, slow=tries > 0)
        metrics.QUEUE_DEPTH.labels("simulate").set(self._turns.size)

    async def _tell_lost(self) -> None:
        if lost := self._turns.take_lost():
            await self._shed(lost)

    async def _shed(self, lost: Sequence[Transaction]) -> None:
        """Say what was given up, and by name what may have touched a watched contract: a flood is a place to hide in."""
        self.shed += len(lost)
        metrics.DROPPED.labels(self.chain, "simulate").inc(len(lost))
        metrics.UNJUDGED.labels(self.chain, SHED).inc(len(lost))
        now, reason = time.time(), "more than is judged in time"
        await self.judging.take(Gap(chain=self.chain, at=now, feed="simulate", lost=len(lost), reason=reason))
        for tx in lost:
            self.reckoning.ended(tx.id, SHED)
            self._forgive(tx.id)
            if touches := self.attention.named(tx):
                unjudged = Unjudged(chain=self.chain, at=now, id=tx.id, stage=tx.stage, reason=SHED, touches=touches)
                await self.judging.take(unjudged)

    async def _simulate_all(self, *, near: bool) -> None:
        """A few side by side, in turn."""
        places = self._places[near]

        async def one(tx: Transaction) -> None:
            try:
                if (end := await self._simulate(tx, near=near)) is not None:
                    self.reckoning.ended(tx.id, end)
                    self._forgive(tx.id)
            except Exception as error:
                # The one place that decides for pending ones: this transaction is unjudged, the others go on.
                log.exception("simulation_failed", chain=self.chain, tx=tx.id, error=str(error))
                self.reckoning.ended(tx.id, ERROR)
                self._forgive(tx.id)
                await self._unjudged(tx, ERROR)
            finally:
                places.leave(tx.id)
                self._flying.discard(tx.id)
                self._hurried.discard(tx.id)
                self._turns.done(tx)
                if tx.id in self._retry:
                    self._retry.discard(tx.id)
                    self._offer(tx)

        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._connections[near].ready()
                await places.room()
                tx = await self._turns.take(near=near)
                self._flying.add(tx.id)
                await self._tell_lost()
                await places.room()
                places.enter(tx.id)
                metrics.QUEUE_DEPTH.labels("simulate").set(self._turns.size)
                tasks.create_task(one(tx), name=f"{self.chain}/simulate")

    def _fails(self, tx: Transaction, reason: str, *, near: bool) -> bool:
        """It was too late or too long. Is that the end? Else it is tried once more.

        May it have been another's fault, then it does not count, a few times: nodes answer one after another, so it was the fault
        of the first of those in flight. One that was late by its own comes last from now on, and has all of its time only when it
        is tried the last time.
        """
        places = self._places[near]
        beside = places.failed(tx.id)
        excused = tx.id not in self._hurried and (reason == UNREACHABLE or (beside and not places.busy_with(tx.id)))
        if excused and self._excused[tx.id] < EXCUSES:
            self._excused[tx.id] += 1
            self._retry.add(tx.id)
            return False
        self._blame(tx)
        tries = self._tries[tx.id] = self._tries.get(tx.id, 0) + 1
        if (beside or reason != OVERSIZE) and tries < TRIES[self.attention.near(tx)]:
            self._retry.add(tx.id)
            return False
        return True

    def _forgive(self, tx_id: str) -> None:
        """It ended: how often it was tried is of no use any more."""
        self._tries.pop(tx_id, None)
        self._excused.pop(tx_id, None)

    def _blame(self, tx: Transaction) -> None:
        """Who was costly comes last from now on: its sender, and the contract, unless others need that one."""
        contract = () if tx.to is None or self.attention.needs(tx.to) else (tx.to,)
        self._turns.blame(tx.sender, *contract)

    async def _simulate(self, tx: Transaction, *, near: bool) -> str | None:
        """Simulate on the newest head and judge. How it ended, None when it is tried again."""
        head = self.newest.position or await self.newest.settled()
        if tx.stage is Stage.PENDING and not executable(tx, self.newest.base_fee):
            metrics.UNJUDGED.labels(self.chain, UNDERPRICED).inc()
            self._afresh.too_poor(tx.id, tx.max_fee)
            return UNDERPRICED
        before = self.pending.before(tx)
        began = time.monotonic()
        first = await self._simulated(tx, head, before, near=near)
        if isinstance(first, Unjudged):
            if first.reason in _COSTLY and not self._fails(tx, first.reason, near=near):
                return None
            await self._unjudged(tx, first.reason, first.touches)
            return first.reason
        self._turns.forgive(tx.sender, *([] if tx.to is None else [tx.to]))
        judged, _ = await self.judging.take(first)
        self.attention.saw(first, named=bool(self.attention.named(tx)))
        if judged.wants and not judged.trips:
            await self._look_again(first, head, tx, before)
        if not judged.trips:
            touches = near or any(frame.ctx in self.watched for frame in first.frames)
            self._stands(tx, head, near=touches and time.monotonic() - began < QUICK)
        if tx.id in self.judging.pipeline.pending_holds().get(self.chain, ()):
            self.pending.track(tx.id)
        return JUDGED

    def _stands(self, tx: Transaction, head: Position, *, near: bool) -> None:
        """A verdict that fears nothing, until a block comes that may change it. If one was judged meanwhile, look again now."""
        self._afresh.judged(tx.id, tx.to, head.id, time.time(), near=near)
        if tx.id not in self._repeated and self.newest.passed(head):
            self._repeated.add(tx.id)
            self._retry.add(tx.id)
        else:
            self._repeated.discard(tx.id)

    async def _unjudged(self, tx: Transaction, reason: str, touches: Iterable[str] = ()) -> None:
        """Count and tell one that nobody could judge, with the watched contracts that it names."""
        metrics.UNJUDGED.labels(self.chain, reason).inc()
        named = tuple(dict.fromkeys((*touches, *self.attention.named(tx))))
        await self.judging.take(Unjudged(chain=self.chain, at=tx.at, id=tx.id, stage=tx.stage, reason=reason, touches=named))

    async def _simulated(
        self, tx: Transaction, head: Position, before: Sequence[Transaction], *, near: bool
    ) -> Execution | Unjudged:
        """Once more after a reconnect: another's trace, too long for any connection, may have ended ours under us."""
        places, loop = self._places[near], asyncio.get_running_loop()
        began = loop.time()
        first = await self._in_time(tx, head, before, near=near)
        if isinstance(first, Execution):
            places.answered(loop.time() - began)
        if isinstance(first, Execution) or first.reason != UNREACHABLE:
            return first
        if tx.id in self._hurried:
            return msgspec.structs.replace(first, reason=LATE)
        try:
            async with asyncio.timeout(RECONNECT_WITHIN):
                await self._connections[near].ready()
        except TimeoutError:
            return first
        places.again()
        again = await self._in_time(tx, head, before, near=near)
        return msgspec.structs.replace(again, reason=LATE) if tx.id in self._hurried and isinstance(again, Unjudged) else again

    async def _in_time(
        self, tx: Transaction, head: Position, before: Sequence[Transaction], *, near: bool
    ) -> Execution | Unjudged:
        """Simulated, and hurried past as soon as others wait for one that is long in coming."""
        asked = asyncio.create_task(self.executions.simulate(tx, head, before, aside=not near), name=f"{self.chain}/{tx.id}")
        try:
            while not (await asyncio.wait((asked,), timeout=LOOKS_EVERY))[0]:
                self._hurry(tx, near=near)
            return asked.result()
        finally:
            asked.cancel()

    def _hurry(self, tx: Transaction, *, near: bool) -> None:
        """This one is long in coming. If the node is at work on it, and others wait: leave the node alone, ask them elsewhere."""
        places, last = self._places[near], self._tries.get(tx.id, 0) >= TRIES[self.attention.near(tx)] - 1
        long = places.long or self._places[not near].long or math.inf
        if places.busy_with(tx.id) and places.works >= long and not last and (places.shared or self._turns.waits(near=near)):
            self._hurried.add(tx.id)
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
    return tx.max_fee >= least_fee(base_fee)


def least_fee(base_fee: int) -> int:
    """What the next block asks for at least, wei per gas."""
    return base_fee - base_fee // 8
