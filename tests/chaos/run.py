"""One seed against the follower alone: what it handed out against what an honest look at the node says happened."""

import asyncio
import time
from collections import Counter

from detectors.events import Reverted
from monitor.chains.rpc import Ask
from tests.chaos.consumer import Consumer
from tests.chaos.plan import Fault, plan
from tests.chaos.report import Report, counted, recovered
from tests.chaos.sight import Befallen
from tests.chaos.world import World

SETTLES = 30.0
"""Seconds the follower has to reach the head once the faults have stopped."""


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
    heads = [(at, position.id) for at, position in world.heads]
    times = recovered(befallen, heads, {block: [at] for block, at in ledger.seen.items()})
    caught = sum(ledger.logs_of.get(block, logs) == logs for block, logs in world.frames.lies.items())
    return Report(
        seed=seed,
        mode="fast",
        seconds=seconds,
        nodes=1,
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
        settled_s=round(settled, 3),
        lies=len(world.frames.lies),
        caught_lies=caught,
        trouble=consumer.life.heads.trouble if consumer.life else None,
        **counted(times, befallen),
    )
