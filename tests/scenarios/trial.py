"""Honest traffic before the rules, every transaction with its storage in order: how often is anybody suspected?"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from detectors import discover
from detectors.base import WARN_AT
from detectors.events import Position, Stage
from detectors.execution import Execution
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
SIZE = 50
"""Transactions of a block."""
LANES = 2
"""Connections that are traced on side by side."""
WITHIN = 60.0


class Trial(msgspec.Struct):
    """What came of it.

    `kinds`: transactions by what they did. `verdicts` with storage in order and every contract counting as watched, `watched`
    with the town's own, `trees` on the call tree alone. `suspected`: what was said at a warning or above, and how often.
    `reverted`: mined, and failed. `micros`: our own CPU time for parsing and judging both looks at one transaction.
    """

    transactions: int = 0
    ordered: int = 0
    reverted: int = 0
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    watched: Counter[str] = msgspec.field(default_factory=Counter)
    trees: Counter[str] = msgspec.field(default_factory=Counter)
    suspected: Counter[str] = msgspec.field(default_factory=Counter)
    micros: list[float] = []
    frames: list[int] = []


async def trial(count: int, seed: int, tell: Callable[[str], None] = lambda _: None) -> Trial:
    """So many honest transactions, judged with every contract counting as watched, and again with the town's own watched."""
    made = Trial()
    async with AsyncExitStack() as stack:
        options = ("--timestamp", str(START - AGE), "--gas-limit", "1000000000")
        anvil = await stack.enter_async_context(await Anvil.start(*options))
        node = await stack.enter_async_context(HttpNode(anvil.http))
        world = World(anvil, node, f"{seed}/honest")
        await world.populate()
        town = Town(world)
        await town.build()
        await world.jump(AGE // 2)
        await node.call("evm_setAutomine", [False])
        lanes = [await Rpc.connect(anvil.ws, provider="trial", chain=CHAIN, max_size=64 * MIB) for _ in range(LANES)]
        judge = _Judge(made, town)
        async for block, kinds in _blocks(world, town, count):
            hashes = block["transactions"]
            here = Position(int(block["number"], 16), block["hash"], block["parentHash"])
            queue = list(enumerate(hashes))[::-1]
            looks: list[tuple[Execution, Execution] | None] = [None] * len(hashes)

            async def lane(
                rpc: Rpc,
                queue: list[tuple[int, str]] = queue,
                looks: list[tuple[Execution, Execution] | None] = looks,
                here: Position = here,
            ) -> None:
                while queue:
                    index, tx = queue.pop()
                    looks[index] = await judge.traced(rpc, tx, here, index)

            await asyncio.gather(*(lane(rpc) for rpc in lanes))
            for tx, found in zip(hashes, looks, strict=True):
                assert found is not None
                judge.take(kinds[tx], *found)
            tell(f"honest: {made.transactions} of {count}")
        for rpc in lanes:
            await rpc.close()
    return made


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
    """Reads and judges; counts its own time."""

    def __init__(self, made: Trial, town: Town) -> None:
        self.made = made
        self.words = Words()
        self.benches = (Bench(discover().values(), None), Bench(discover().values(), frozenset(town.contracts)))
        self._spent: dict[str, float] = {}

    async def traced(self, rpc: Rpc, tx: str, here: Position, index: int) -> tuple[Execution, Execution]:
        """The transaction by its call tree, and with its storage in order."""
        raw = [
            await rpc.call("debug_traceTransaction", [tx, tracer], timeout=WITHIN, raw=True)
            for tracer in (calltracer.TRACER, storage.TRACER)
        ]
        began = time.thread_time()
        origin = Origin(source=tx, chain=CHAIN, tx=tx, index=index, position=here, stage=Stage.INCLUDED, logged=True)
        first = calltracer.read(decode(raw[0], calltracer.CallFrame), origin, self.words)
        second = storage.read(decode(raw[1], storage.Recording), first, self.words)
        self._spent[tx] = time.thread_time() - began
        return first, second

    def take(self, kind: str, first: Execution, second: Execution) -> None:
        """Judge both looks, each time with everything watched and with the town's contracts."""
        made = self.made
        made.transactions += 1
        made.kinds[kind] += 1
        made.ordered += second.ordered
        made.reverted += not first.frames[0].ok
        began = time.thread_time()
        tree, strict = self.benches[0].judge(first), self.benches[0].judge(second)
        spent = time.thread_time() - began
        made.micros.append(1e6 * (spent + self._spent.pop(first.tx)))
        made.frames.append(len(first.frames))
        usual = self.benches[1].judge(second)
        for findings, verdicts, how in (
            (strict, made.verdicts, ""),
            (usual, made.watched, ""),
            (tree, made.trees, "tree alone: "),
        ):
            verdicts[verdict(findings)] += 1
            for f in findings if findings is not usual else ():
                if f.confidence >= WARN_AT:
                    made.suspected[f"{how}{f.detector} {f.kind} {f.confidence:.2f} on: {kind}"] += 1
