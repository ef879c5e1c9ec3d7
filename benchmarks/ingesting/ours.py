"""Lane (b): Seawall's own way from the socket to the pipeline, all detectors on.

A real link with its four connections; pending transactions through the real feed (mempool included), logs and heads through the
real subscriptions into bounded queues, logs routed as a block's are; every transaction, and each head's opening, states and
closing, through `Pipeline.step`. What stands apart: nothing is simulated or asked of the node, so that detectors see no
executions here, and the state of a touched contract is taken from the last log about it instead of from a read.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from benchmarks.ingesting.bare import Head
from benchmarks.ingesting.feed import WATCHED
from benchmarks.ingesting.tally import Lap, Meter, Tally, drive
from detectors import discover
from detectors.base import Watch
from detectors.events import Block, Committed, Event, PoolState, Position, Transaction
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.policy import Rules
from monitor.chains.base import LogEntry
from monitor.chains.evm import WireLog, log_entry, quantity
from monitor.chains.link import Link
from monitor.chains.rpc import Pushed
from monitor.feeds.pending import A_TURN, CAPACITY, Pending
from monitor.feeds.pools import Pools
from monitor.feeds.pools.holdings import Holdings
from monitor.pipeline import Pipeline, Watched
from monitor.stream import Queue, Rule

CHAIN = "eip155:1"
INTEGRATION = "shore"

_decode_log = msgspec.json.Decoder(WireLog).decode
_decode_head = msgspec.json.Decoder(Head).decode


class Shore:
    """The daemon's parts between a node and a decision, without its journal, API and alerts."""

    def __init__(self, url: str, count: int) -> None:
        registry = {CHAIN: Watch(watched=WATCHED, kinds=dict.fromkeys(WATCHED, Holdings.kind))}
        made = [kind(registry) for kind in discover().values()]  # type: ignore[call-arg]  # every detector takes the registry first
        watched = Watched(integration=INTEGRATION, chain=CHAIN, contracts=tuple(sorted(WATCHED)), rules=Rules())
        self.link = Link(url, chain=CHAIN, provider="pusher")
        self.pending = Pending(self.link.pending, chain=CHAIN)
        self.pools = Pools(self.link.requests, CHAIN, [Holdings(address) for address in sorted(WATCHED)])
        self.pipeline = Pipeline({CHAIN: made}, [watched], Fold({INTEGRATION: Mode.ENFORCE}))
        self.tally = Tally()
        self.count = count
        self.done = asyncio.Event()
        self.moved: dict[str, set[str]] = {}
        self.touched: dict[str, LogEntry] = {}
        self.findings = 0

    def step(self, event: Event) -> None:
        """One event through the pipeline."""
        judged, _ = self.pipeline.step(event)
        self.findings += len(judged.findings)
        if judged.failed:
            raise RuntimeError(f"a detector failed: {judged.failed}")

    async def take_pending(self) -> None:
        """Every transaction the feed gives."""
        tally = self.tally
        async for event in self.pending.follow():
            if not isinstance(event, Transaction):
                raise TypeError(f"the pending feed lost something: {event}")
            self.step(event)
            tally.transactions += 1
            tally.checksum += event.value
            tally.hits += event.to in WATCHED
            self._look()

    async def take_logs(self, queue: Queue[Pushed]) -> None:
        """Every log, typed, normalised and routed."""
        async for pushes in _bursts(queue):
            for push in pushes:
                wire = _decode_log(push.raw)
                self.route(log_entry(wire, wire.block_hash.lower()))
            self._look()

    def route(self, entry: LogEntry) -> None:
        """As a block's logs are: watched contracts that were touched, tokens that moved there."""
        tally = self.tally
        tally.logs += 1
        if entry.address in WATCHED:
            tally.hits += 1
            tally.checksum += int(entry.data[2:66], 16)
            self.touched[entry.address] = entry
        for topic in entry.topics[1:3]:
            if (holder := "0x" + topic[-40:]) in WATCHED:
                tally.hits += 1
                self.touched[holder] = entry
                self.pools.saw(entry.address, holder)
                self.moved.setdefault(holder, set()).add(entry.address)

    async def take_heads(self, queue: Queue[Pushed]) -> None:
        """Every head: the block's opening, what its logs touched, its closing."""
        async for pushes in _bursts(queue):
            for push in pushes:
                for event in self.block(_decode_head(push.raw), push.at):
                    self.step(event)
            self._look()

    def block(self, head: Head, at: float) -> Iterable[Event]:
        """The events of one block."""
        position = Position(quantity(head.number), head.hash.lower(), head.parent_hash.lower())
        self.tally.heads += 1
        self.tally.checksum += position.height
        yield Block(
            chain=CHAIN, at=at, position=position, timestamp=float(quantity(head.timestamp)),
            base_fee=quantity(head.base_fee_per_gas or "0x0"), gas_used=quantity(head.gas_used),
            gas_limit=quantity(head.gas_limit),
        )  # fmt: skip
        for address, entry in self.touched.items():
            reserves = {"native": 0, entry.address: int(entry.data[2:66], 16)}
            yield PoolState(chain=CHAIN, at=at, position=position, pool=address, kind=Holdings.kind, reserves=reserves)
        self.touched = {}
        yield Committed(chain=CHAIN, at=time.time(), first=position, last=position, finalized=position.height - 64)

    def _look(self) -> None:
        if self.tally.messages == self.count:
            self.done.set()


async def _bursts(queue: Queue[Pushed]) -> AsyncIterator[list[Pushed]]:
    """Turns of at most so many pushes, as the pending feed takes them; fails if one was lost."""
    while True:
        pushes = await queue.drain(A_TURN)
        if lost := queue.take_lost():
            raise RuntimeError(f"{lost} messages lost: more than were taken in time")
        yield pushes
        await asyncio.sleep(0)


async def lane(url: str, count: int) -> Lap:
    """Take `count` messages on the connections of a link."""
    shore = Shore(url, count)
    logs, heads = (Queue[Pushed](CAPACITY, Rule.DROP_OLDEST) for _ in range(2))
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(shore.link.run()), tasks.create_task(shore.take_pending())]
        rpc = await shore.link.heads.ready()
        await rpc.subscribe(["newHeads"], queue=heads)
        await rpc.subscribe(["logs", {}], queue=logs)
        running += [tasks.create_task(shore.take_logs(logs)), tasks.create_task(shore.take_heads(heads))]
        meter = Meter(shore.tally)
        await meter.start()
        await shore.done.wait()
        shore.tally.moved = sum(map(len, shore.moved.values()))
        lap = meter.stop(findings=shore.findings, detectors=",".join(shore.pipeline.detectors[CHAIN]))
        for task in running:
            task.cancel()
    return lap


if __name__ == "__main__":
    drive(lane)
