"""Honest traffic before the rules, every transaction with its storage in order: how often is anybody suspected?"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from detectors import discover
from detectors.base import WARN_AT
from detectors.events import Position, Stage
from monitor.chains.rpc import MIB, Rpc
from monitor.chains.traces import Origin, Words, calltracer, storage
from monitor.chains.traces.words import decode
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.inspect import Bench, verdict
from tests.scenarios.honest import Town
from tests.scenarios.ways import AGE, START
from tests.scenarios.world import Tx, World

CHAIN = "eip155:31337"
SIZE = 10
"""Transactions of a block. The node runs those before again for each that is traced: larger ones cost it a third more."""
TOWNS, AT_ONCE = 4, 4
"""Worlds in which the traffic is made, and how many of them side by side."""
WITHIN = 60.0

Tally = dict[str, int]


class Trial(msgspec.Struct):
    """What came of it.

    `kinds`: transactions by what they did. `verdicts` with storage in order and every contract counting as watched, `watched`
    with the town's own, `trees` on the call tree alone. `suspected`: what was said at a warning or above, and how often.
    `reverted`: mined, and failed. `micros`: our own CPU time for parsing and judging both looks at one transaction.
    """

    transactions: int = 0
    ordered: int = 0
    reverted: int = 0
    kinds: Tally = {}
    verdicts: Tally = {}
    watched: Tally = {}
    trees: Tally = {}
    suspected: Tally = {}
    micros: list[float] = []


async def trial(count: int, seed: int, tell: Callable[[str], None] = lambda _: None) -> Trial:
    """So many honest transactions, in several towns."""
    made, places = Trial(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            await _town(made, count // TOWNS + (number < count % TOWNS), f"{seed}/honest/{number}", tell)

    await asyncio.gather(*(one(number) for number in range(TOWNS)))
    return made


async def _town(made: Trial, count: int, seed: str, tell: Callable[[str], None]) -> None:
    async with AsyncExitStack() as stack:
        options = ("--timestamp", str(START - AGE), "--gas-limit", "1000000000")
        anvil = await stack.enter_async_context(await Anvil.start(*options))
        node = await stack.enter_async_context(HttpNode(anvil.http))
        world = World(anvil, node, seed)
        await world.populate()
        town = Town(world)
        await town.build()
        await world.jump(AGE // 2)
        await node.call("evm_setAutomine", [False])
        rpc = await Rpc.connect(anvil.ws, provider="trial", chain=CHAIN, max_size=64 * MIB)
        judge = _Judge(made, town, rpc)
        async for block, kinds in _blocks(world, town, count):
            here = Position(int(block["number"], 16), block["hash"], block["parentHash"])
            for index, tx in enumerate(block["transactions"]):
                await judge.take(kinds[tx], tx, here, index)
            tell(f"honest: {made.transactions}")
        await rpc.close()


async def _blocks(world: World, town: Town, count: int) -> AsyncIterator[tuple[dict[str, Any], dict[str, str]]]:
    sent = 0
    while sent < count:
        deeds: list[tuple[str, Tx]] = town.block(min(SIZE, count - sent))
        kinds = {await world.send(tx): kind for kind, tx in deeds}
        await world.node.call("evm_mine", [])
        block = await world.node.call("eth_getBlockByNumber", ["latest", False])
        assert set(block["transactions"]) == set(kinds), "all of them in one block"
        sent += len(kinds)
        yield block, kinds


class _Judge:
    """Reads and judges one town's transactions; counts its own time."""

    def __init__(self, made: Trial, town: Town, rpc: Rpc) -> None:
        self.made = made
        self.rpc = rpc
        self.words = Words()
        strict, own = Bench(discover().values(), None), Bench(discover().values(), frozenset(town.contracts))
        self.looks = (
            ("", made.verdicts, strict, True),
            ("own watched: ", made.watched, own, True),
            ("tree alone: ", made.trees, Bench(discover().values(), None), False),
        )

    async def take(self, kind: str, tx: str, here: Position, index: int) -> None:
        """Trace, read and judge a transaction: with storage in order, and by its call tree alone."""
        raw = [
            await self.rpc.call("debug_traceTransaction", [tx, tracer], timeout=WITHIN, raw=True)
            for tracer in (calltracer.TRACER, storage.TRACER)
        ]
        made, began = self.made, time.thread_time()
        origin = Origin(source=tx, chain=CHAIN, tx=tx, index=index, position=here, stage=Stage.INCLUDED, logged=True)
        first = calltracer.read(decode(raw[0], calltracer.CallFrame), origin, self.words)
        second = storage.read(decode(raw[1], storage.Recording), first, self.words)
        said = [(how, tally, bench.judge(second if ordered else first)) for how, tally, bench, ordered in self.looks]
        made.micros.append(1e6 * (time.thread_time() - began))
        made.transactions += 1
        made.ordered += second.ordered
        made.reverted += not first.frames[0].ok
        _count(made.kinds, kind)
        for how, tally, findings in said:
            _count(tally, verdict(findings))
            for f in findings:
                if f.confidence >= WARN_AT:
                    _count(made.suspected, f"{how}{f.detector} {f.kind} on: {kind}")


def _count(tally: Tally, what: str) -> None:
    tally[what] = tally.get(what, 0) + 1
