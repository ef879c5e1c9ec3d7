"""One seed of chaos from start to verdict: what was processed against what an honest look at the node says happened."""

import asyncio
import statistics
import time
from collections import Counter
from typing import NamedTuple

import msgspec

from detectors.events import Position, Reverted
from monitor.chains.rpc import Ask
from tests.chaos.consumer import Consumer
from tests.chaos.plan import Fault, plan
from tests.chaos.world import World

SETTLES = 30.0
"""Seconds the follower has to reach the head once the faults have stopped."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed did. Events are logs by (block hash, log index); seconds are wall seconds.

    `events` the canonical chain's; `duplicated` handed over twice without a revert between; `lies` blocks whose logs were lied
    about, `caught_lies` those never processed with the lie; recovery counts from the end of a fault to a head of its time.
    """

    seed: int
    seconds: float
    events: int
    processed: int
    lost: int
    phantom: int
    duplicated: int
    chain_equal: bool
    blocks: int
    reorgs: int
    gaps: int
    faults: dict[str, int]
    recoveries: int
    unrecovered: int
    recovery_p50_s: float
    recovery_max_s: float
    recovery_ms: list[int]
    settled_s: float
    lies: int
    caught_lies: int
    trouble: str | None

    @property
    def good(self) -> bool:
        """Nothing lost, nothing invented, the very chain."""
        return self.lost == 0 and self.phantom == 0 and self.chain_equal


class Befallen(NamedTuple):
    """A fault that was: `began` and `ended` on the monotonic clock, seconds."""

    kind: str
    began: float
    ended: float


def recovered(faults: list[Befallen], heads: list[tuple[float, Position]], seen: dict[str, float]) -> list[float | None]:
    """Seconds from each fault's end until a head of that time or later was processed; None when none was.

    Time in which a later fault held is not counted.

    >>> a, b = Position(1, "a"), Position(2, "b", "a")
    >>> recovered([Befallen("reset", 1.0, 1.0)], [(0.5, a), (1.2, b)], {"a": 0.6, "b": 1.5})
    [0.5]
    """
    found: list[float | None] = []
    for fault in faults:
        current = max((head for head in heads if head[0] <= fault.ended), default=heads[0], key=lambda head: head[0])
        later = [current, *(head for head in heads if head[0] > fault.ended)]
        times = [seen[head.id] for _, head in later if seen.get(head.id, 0.0) > fault.ended]
        if not times:
            found.append(None)
            continue
        end = min(times)
        held = sum(max(0.0, min(end, other.ended) - max(fault.ended, other.began)) for other in faults if other is not fault)
        found.append(end - fault.ended - held)
    return found


async def run(seed: int, seconds: float) -> Report:
    """Faults for so many seconds, then peace, then the reckoning."""
    async with World.begin(seed) as world:
        consumer = Consumer(world.proxy.ws, await world.chain.at(1))
        consumer.start()
        try:
            befallen = await _suffer(world, consumer, plan(seed, seconds), seconds)
            head, stopped = await world.look(), time.monotonic()
            await consumer.reaches(head, SETTLES)
            settled = time.monotonic() - stopped
            return await _reckon(world, consumer, befallen, seed=seed, seconds=seconds, settled=settled)
        finally:
            await consumer.kill()


async def _suffer(world: World, consumer: Consumer, faults: list[Fault], seconds: float) -> list[Befallen]:
    befallen: list[Befallen] = []
    world.frames.begin(world.proxy)
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.talk())
        for fault in faults:
            await asyncio.sleep(fault.after)
            began = time.monotonic()
            if fault.kind == "consumer_killed":
                await consumer.kill()
                await asyncio.sleep(fault.seconds)
                consumer.start()
            else:
                await world.befall(fault)
            befallen.append(Befallen(fault.kind, began, time.monotonic()))
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        world.stopping = True
    world.frames.end(world.proxy)
    await world.chain.speak()
    return befallen


async def _reckon(
    world: World, consumer: Consumer, befallen: list[Befallen], *, seed: int, seconds: float, settled: float
) -> Report:
    ledger, head = consumer.ledger, await world.chain.head()
    expected = await world.chain.canonical(2)
    asks = [Ask("eth_getBlockByNumber", (hex(height), False)) for height in range(2, head.height + 1)]
    chain = {int(block["number"], 16): block["hash"] for block in await world.chain.rpc.batch(asks, timeout=20)}
    times = recovered(befallen, world.heads, ledger.seen)
    known = [took for took in times if took is not None]
    caught = sum(ledger.logs_of.get(block, logs) == logs for block, logs in world.frames.lies.items())
    return Report(
        seed=seed,
        seconds=seconds,
        events=len(expected),
        processed=len(ledger.logs),
        lost=len(expected - ledger.logs),
        phantom=len(ledger.logs - expected),
        duplicated=ledger.twice,
        chain_equal={height: step.block.position.id for height, step in ledger.blocks.items()} == chain,
        blocks=len(chain),
        reorgs=sum(isinstance(step, Reverted) for step in ledger.steps),
        gaps=len(ledger.gaps),
        faults=dict(sorted((world.frames.counts + Counter(fault.kind for fault in befallen)).items())),
        recoveries=len(known),
        unrecovered=len(times) - len(known),
        recovery_p50_s=round(statistics.median(known), 3) if known else 0.0,
        recovery_max_s=round(max(known, default=0.0), 3),
        recovery_ms=[round(took * 1000) for took in known],
        settled_s=round(settled, 3),
        lies=len(world.frames.lies),
        caught_lies=caught,
        trouble=consumer.life.heads.trouble if consumer.life else None,
    )
