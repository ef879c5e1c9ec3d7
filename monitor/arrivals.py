"""Pending transactions of one chain: taken from the feed in fair turns, simulated on the newest head, judged.

Each contract call that came ends as judged or as counted and told (`reckoning.py`), and is judged once more where a block or a
predecessor came after its verdict that may change it (`afresh.py`).
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial

import msgspec
import structlog

from detectors.events import Gap, Position, Stage, Transaction, Unjudged
from detectors.execution import Execution
from monitor import metrics, spans
from monitor.afresh import Afresh
from monitor.asking import Asking, Connection
from monitor.attention import Attention
from monitor.feeds.executions import LATE, OVERSIZE, UNREACHABLE, Executions
from monitor.feeds.flashblocks import Flashblocks
from monitor.feeds.pending import Pending
from monitor.judging import Judging
from monitor.newest import Newest
from monitor.places import Places
from monitor.reckoning import JUDGED, MINED, UNDERPRICED, Reckoning
from monitor.reruns import Reruns  # noqa: TC001 - as the parts beside it
from monitor.turns import Kind, Turns

log = structlog.get_logger()

AT_ONCE = {Kind.NEAR: 4, Kind.FAR: 3, Kind.SLOW: 1}
"""Pending transactions simulated at once: those that may touch a watched contract, others, and what was too slow before."""

WAITING = 20_000
"""Pending transactions that may wait to be simulated; beyond, they are shed and counted as unjudged."""

TRIES = 2
"""How often one that is too late by its own fault is tried: among others, and then by itself, in all its time."""

PATIENT = 4.0
"""So many times what is long for the node is given to one of those with no visible reason to touch what is watched."""

EXCUSES = 5
"""How often it may fail by another's fault."""

SUCCESSORS = 16
"""Of a sender's later ones that were judged already, how many are judged again when an earlier one comes after them."""

QUICK = 0.1
"""Seconds: what is simulated within them may be judged again after every block."""

TRANSFER_GAS = 21_000
"""Gas of a plain payment; who allows more and sends no data may be calling a contract's fallback."""

SHED, ERROR = "shed", "error"
"""The reasons of those given up because more came than is judged in time, and of those on which we ourselves failed."""

_COSTLY = frozenset((LATE, OVERSIZE, UNREACHABLE))


class Arrivals:
    """Judges what is pending. `watched` are the chain's watched contracts.

    What may touch one of them is simulated on the first of the `connections`, all else on the second, and on the third what was
    too slow before: nodes answer a connection's questions one after another, and a trace made to be slow must not stand in an
    attack's way.
    """

    def __init__(
        self,
        pending: Pending,
        executions: Executions,
        connections: tuple[Connection, Connection, Connection],
        judging: Judging,
        newest: Newest,
        watched: frozenset[str],
    ) -> None:
        self.chain = newest.chain
        self.pending = pending
        self.executions = executions
        self.judging = judging
        self.newest = newest
        self.watched = watched
        self.attention = Attention(watched)
        self.shed = 0
        """Transactions given up so far: nobody knows what they would have done."""
        self.flashblocks: Flashblocks | None = None
        """The block being built, where the chain shows it."""
        self.reruns: Reruns | None = None
        """Where what looks harmless is run again in other environments."""
        self._turns = Turns(WAITING)
        self._asking = {
            kind: Asking(
                connection, executions, Places(AT_ONCE[kind]), partial(self._turns.waits, kind), partial(self._patience, kind)
            )
            for kind, connection in zip(Kind, connections, strict=True)
        }
        self.reckoning = Reckoning(self.chain)
        self._afresh = Afresh()
        self._tries: dict[str, int] = {}
        """How often transactions were too late or too long by their own fault, while they are tried once more."""
        self._excused: Counter[str] = Counter()
        """How often by another's."""
        self._flying: set[str] = set()
        self._retry: set[str] = set()
        """Of those in flight, which are to be offered again as soon as they are done."""
        self._repeated: set[str] = set()
        """Those whose verdict was too old when it came: once on end."""

    async def run(self) -> None:
        """Take and simulate until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._arrive(), name=f"{self.chain}/pending")
            if self.flashblocks is not None:
                tasks.create_task(self._promised(self.flashblocks), name=f"{self.chain}/flashblocks")
            for kind in Kind:
                tasks.create_task(self._simulate_all(kind), name=f"{self.chain}/simulations/{kind}")

    @property
    def waiting(self) -> int:
        """Pending transactions that wait to be simulated."""
        return self._turns.size

    @property
    def urgent(self) -> bool:
        """Is a verdict being made on something that may touch a watched contract?"""
        return self._asking[Kind.NEAR].places.first is not None or self._turns.waits(Kind.NEAR)

    def mined(self, transactions: Sequence[str], *, since: float = 0.0, touched: Collection[str] = ()) -> None:
        """A block with these was judged: they need no simulation any more, and some others need another.

        The block may have been there `since` (unix seconds), and ran code of the contracts `touched`.
        """
        for tx_id in self._turns.forget(transactions):
            self.reckoning.ended(tx_id, MINED)
        for tx_id in transactions:
            self._forgive(tx_id)
        self._afresh.forget(transactions)
        self.pending.track_only(self.judging.pipeline.fears(self.chain))
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
            if self._outlived(event.id):
                self.pending.forget(event.id)  # its push was read late: its sender's next ones do not run after it any more
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

    def _outlived(self, tx_id: str) -> bool:
        """Is it in a block that was judged? Then what it would do on another state is of no interest."""
        return self.judging.pipeline.outlived(self.chain, tx_id)

    def _calls(self, tx: Transaction) -> bool:
        """May it run code? A payment with gas for nothing else does not, save that to a watched contract."""
        return tx.to is None or len(tx.input) > len("0x") or tx.gas > TRANSFER_GAS or tx.to in self.watched

    def _offer(self, tx: Transaction) -> None:
        if self._outlived(tx.id):
            self.reckoning.ended(tx.id, MINED)
            return
        self.reckoning.came(tx.id, time.monotonic())
        if tx.id in self._flying:
            self._retry.add(tx.id)
            return
        self._turns.offer(tx, near=self.attention.near(tx), slow=tx.id in self._tries)
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

    async def _simulate_all(self, kind: Kind) -> None:
        """A few side by side, in turn."""
        asking = self._asking[kind]
        places = asking.places

        async def one(tx: Transaction) -> None:
            try:
                if (end := await self._simulate(tx, asking)) is not None:
                    self.reckoning.ended(tx.id, end)
                    self._forgive(tx.id)
            except Exception as error:
                # The one place that decides for pending ones: this transaction is unjudged, the others go on.
                log.exception("simulation_failed", chain=self.chain, tx=tx.id, error=str(error))
                self.reckoning.ended(tx.id, ERROR)
                self._forgive(tx.id)
                await self._unjudged(tx, ERROR)
            finally:
                asking.done(tx.id)
                self._flying.discard(tx.id)
                self._turns.done(tx)
                if tx.id in self._retry:
                    self._retry.discard(tx.id)
                    self._offer(tx)

        async with asyncio.TaskGroup() as tasks:
            while True:
                await asking.connection.ready()
                await places.room()
                tx = await self._turns.take(kind)
                self._flying.add(tx.id)
                await self._tell_lost()
                await places.room()
                places.enter(tx.id)
                metrics.QUEUE_DEPTH.labels("simulate").set(self._turns.size)
                tasks.create_task(one(tx), name=f"{self.chain}/simulate")

    def _fails(self, tx: Transaction, reason: str, asking: Asking) -> bool:
        """It was too late or too long. Is that the end? Else it is tried once more.

        May it have been another's fault, then it does not count, a few times: nodes answer one after another, so it was the fault
        of the first of those in flight. One that was late by its own comes last from now on, and has all of its time only when it
        is tried the last time.
        """
        places = asking.places
        beside = places.failed(tx.id)
        excused = tx.id not in asking.hurried and (reason == UNREACHABLE or (beside and not places.busy_with(tx.id)))
        if excused and self._excused[tx.id] < EXCUSES:
            self._excused[tx.id] += 1
            self._retry.add(tx.id)
            return False
        self._blame(tx)
        tries = self._tries[tx.id] = self._tries.get(tx.id, 0) + 1
        if (beside or reason != OVERSIZE) and tries < TRIES:
            self._retry.add(tx.id)
            return False
        return True

    def _patience(self, kind: Kind) -> float:
        """Seconds given to one while others wait: what is long for the node now. Who comes apart has all its time.

        Whom we leave the node alone with, it still works on: so it is done once, not again and again.
        """
        known = [long for fast in (Kind.NEAR, Kind.FAR) if (long := self._asking[fast].places.long) is not None]
        if not known or kind is Kind.SLOW:
            return math.inf
        return max(known) * (1.0 if kind is Kind.NEAR else PATIENT)

    def _forgive(self, tx_id: str) -> None:
        """It ended: how often it was tried is of no use any more."""
        self._tries.pop(tx_id, None)
        self._excused.pop(tx_id, None)

    def _blame(self, tx: Transaction) -> None:
        """Who was costly comes last from now on: its sender, and the contract, unless others need that one."""
        contract = () if tx.to is None or self.attention.needs(tx.to) else (tx.to,)
        self._turns.blame(tx.sender, *contract)

    async def _simulate(self, tx: Transaction, asking: Asking) -> str | None:
        """Simulate on the newest head and judge. How it ended, None when it is tried again."""
        head = self.newest.position or await self.newest.settled()
        if tx.stage is Stage.PENDING and not executable(tx, self.newest.base_fee):
            metrics.UNJUDGED.labels(self.chain, UNDERPRICED).inc()
            self._afresh.too_poor(tx.id, tx.max_fee)
            return UNDERPRICED
        before = self.pending.before(tx)
        began = time.monotonic()
        first = await asking.simulated(tx, head, before)
        if self._outlived(tx.id):
            return MINED
        if isinstance(first, Unjudged):
            if first.reason in _COSTLY and not self._fails(tx, first.reason, asking):
                return None
            await self._unjudged(tx, first.reason, first.touches)
            return first.reason
        if spans.way is not None:
            spans.way.simulated(tx.id, (time.time() - (time.monotonic() - began), time.time()))
        self._turns.forgive(tx.sender, *([] if tx.to is None else [tx.to]))
        judged, _ = await self.judging.take(first)
        self.attention.saw(first, named=bool(self.attention.named(tx)))
        if judged.wants and not judged.trips:
            await self._look_again(first, head, tx, before)
        if self.reruns is not None and not judged.trips:
            self.reruns.offer(tx, first, head, before)
        if not judged.trips:
            touches = self.attention.near(tx) or any(frame.ctx in self.watched for frame in first.frames)
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
