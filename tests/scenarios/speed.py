"""How fast: a verdict on one pending transaction, and a whole block of two hundred, by the daemon's own watch."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import msgspec

from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from tests.scenarios.lookout import lookout
from tests.scenarios.market import FOREVER, Market, market, pool_of
from tests.scenarios.scenario import Scenario, Staged, pair
from tests.scenarios.ways import AGE, PENDING, START, Outcome, run
from tests.scenarios.world import ETHER, Tx, World

SWAPS = 200
ROUNDS = 3


class Speed(msgspec.Struct):
    """Seconds. `blocks`: from mining a block of 200 swaps to its last verdict; `node`: what the node alone takes to trace it.

    `alone`: each attack once, announced while nothing else runs.
    """

    blocks: list[float] = []
    node: list[float] = []
    alone: list[Outcome] = []


async def quiet(scenarios: Sequence[Scenario], seed: int, tell: Callable[[], None]) -> list[Outcome]:
    """Each attack, one after another: how long a verdict takes when this machine does nothing else. `tell` after each."""
    found = []
    for scenario in scenarios:
        found += await run(scenario, 0, ways=(PENDING,), seed=seed)
        tell()
    return found


async def speed(seed: int) -> Speed:
    """A block of two hundred traced swaps, some times."""
    made = Speed()
    async with AsyncExitStack() as stack:
        options = ("--timestamp", str(START - AGE), "--gas-limit", "100000000")
        anvil = await stack.enter_async_context(await Anvil.start(*options))
        node = await stack.enter_async_context(HttpNode(anvil.http))
        world = World(anvil, node, f"{seed}/speed")
        await world.populate()
        place = await market(world)
        address, assets = pool_of(place)
        await world.jump(AGE // 2)
        await node.call("evm_setAutomine", [False])
        staged = Staged(watch=(pair(address, *assets),), blocks=())
        look = await stack.enter_async_context(lookout(staged, anvil.ws))
        await look.at((await node.call("eth_getBlockByNumber", ["latest", False]))["hash"])
        await look.listening()
        for _ in range(ROUNDS):
            sent = [await world.send(_swap(world, place)) for _ in range(SWAPS)]
            await asyncio.gather(*(look.witness.pending(tx) for tx in sent))
            began = time.perf_counter()
            await node.call("evm_mine", [])
            head = await node.call("eth_getBlockByNumber", ["latest", False])
            await look.at(head["hash"])
            made.blocks.append(time.perf_counter() - began)
            assert len(head["transactions"]) == SWAPS
            began = time.perf_counter()
            await node.call("trace_block", [head["number"]])
            made.node.append(time.perf_counter() - began)
    return made


def _swap(world: World, place: Market) -> Tx:
    user = world.dice.choice(world.users[:3])
    call = ("UniswapV2Router02.swapExactETHForTokens", 1, [place.weth, place.dollar], user, FOREVER)
    return world.tx(user, place.router, *call, value=world.about(ETHER))
