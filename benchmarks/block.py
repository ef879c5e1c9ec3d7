"""From a full block to a flag that says pause, where only the block can tell. `python -m benchmarks.block`.

Each round a fresh share vault is robbed through private flow, in a block of 400 transactions on a real anvil, before a real
`seawall run`. Measured by an observer of its own: from the push of the block to a flag read over HTTP that says pause. What the
node itself takes to trace that block is measured after each round, on another connection, and taken off. The robbery needs
several transactions; only its first is sent, so a pause within the round is a pause after the first one's block.
Goal: at most 1.5 s beyond the node's own trace time.
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from monitor.chains.link import LANES
from monitor.chains.rpc import Rpc
from monitor.chains.traces import calltracer
from monitor.demo.anvil import Anvil
from monitor.demo.attacks import launch
from monitor.demo.daemon import CHAIN_ID, Daemon, configuration, ports
from monitor.demo.node import HttpNode
from monitor.demo.observer import Observer
from monitor.demo.pager import Pager
from monitor.demo.relay import Relay
from monitor.demo.scenery import FLASH_LOAN, PRIVATE, REENTRANCY, Attack
from monitor.demo.staging import node_options, stage
from monitor.demo.traffic import Traffic
from monitor.demo.wallet import Wallet

ROUNDS = 20
TRANSACTIONS = 400
GOAL_MS = 1500
PATIENCE = 30.0
"""Seconds after which a round without a pause has failed."""

ROOM = 240_000_000
"""Gas limit while measuring: all of a round's transactions fit into one block."""


class Round(msgspec.Struct):
    """One robbery: milliseconds from block to flag, what the node took for the block's rows, and what the block was like."""

    transactions: int
    reverted: int
    block_to_flag_ms: float
    node_trace_ms: float


class Bench:
    """The stage with its node, traffic, daemon and observer. `direct` is a connection to the node that nobody else uses."""

    def __init__(self, node: HttpNode, relay: Relay, observer: Observer, traffic: Traffic, direct: Rpc) -> None:
        self.node, self.relay, self.observer, self.traffic, self.direct = node, relay, observer, traffic, direct

    async def play(self, attack: Attack) -> Round:
        """Fill a block with honest transactions and one robbery, mine it, wait for the flag."""
        observer = self.observer
        await self.traffic.burst(TRANSACTIONS - 1)
        tx = await launch(attack, self.traffic.wallet, self.relay)
        await self.node.call("evm_mine", [])
        mined = await observer.until_mined(tx, PATIENCE)
        paused = await observer.until_paused(attack.integration, PATIENCE)
        if mined is None or paused is None or tx in observer.pending_at:
            sys.exit(f"{attack.integration}: mined {mined}, paused {paused}, seen pending {tx in observer.pending_at}")
        height = observer.mined_in[tx]
        receipts = await self.node.call("eth_getBlockReceipts", [hex(height)])
        reverted = sum(receipt["status"] != "0x1" for receipt in receipts)
        return Round(len(receipts), reverted, (paused - mined) * 1e3, await self.rows(height))

    async def rows(self, height: int) -> float:
        """Milliseconds until the node's whole answer for the block's rows is here."""
        began = time.perf_counter()
        await self.direct.call("trace_block", [hex(height)], timeout=PATIENCE, raw=True)
        return (time.perf_counter() - began) * 1e3

    async def nested(self) -> float:
        """The same for the newest block in nested form. Over HTTP: while it is busy the node answers no ping of a WebSocket."""
        head = await self.node.call("eth_getBlockByNumber", ["latest", False])
        began = time.perf_counter()
        await self.node.call("debug_traceBlockByHash", [head["hash"], calltracer.TRACER], timeout=120.0)
        return (time.perf_counter() - began) * 1e3


async def set_up(house: AsyncExitStack, folder: Path) -> tuple[Bench, list[Attack]]:
    """Node, protocols, daemon and observer, and the robberies to come."""
    now = time.time()
    anvil = await house.enter_async_context(await Anvil.start(*node_options(now)))
    node = await house.enter_async_context(HttpNode(anvil.http))
    kinds = (REENTRANCY, FLASH_LOAN, *[PRIVATE] * (ROUNDS + 1))  # traffic uses the first of each kind, nobody robs those
    staged = await stage(node, now, count=len(kinds), kinds=kinds, private=False)
    await node.call("evm_setAutomine", [False])
    await node.call("evm_setBlockGasLimit", [hex(ROOM)])
    relay = await house.enter_async_context(Relay(anvil.port))
    pager = await house.enter_async_context(Pager(lambda _: None))
    listen = ports(None)
    config = configuration(staged, relay.ws, pager.url, listen, folder, detecting=True)
    daemon = await Daemon.start(config, listen, folder, pager.secret)
    house.push_async_callback(daemon.stop)
    observer = await house.enter_async_context(Observer(relay.ws, daemon.url).watch())
    direct = await Rpc.connect(anvil.ws, provider="anvil", chain=CHAIN_ID, max_size=LANES["traces"])
    house.push_async_callback(direct.close)
    await node.call("evm_mine", [])
    return Bench(node, relay, observer, Traffic(Wallet(node), staged), direct), list(staged.attacks[3:])


def percentile(values: list[float], q: float) -> float:
    """The nearest-rank percentile: of a few values the 99th is the largest."""
    return round(sorted(values)[math.ceil(q * len(values)) - 1], 1)


def report(rounds: list[Round], nested_ms: float) -> dict[str, object]:
    """What is printed."""
    flags, traces = [one.block_to_flag_ms for one in rounds], [one.node_trace_ms for one in rounds]
    beyond = [one.block_to_flag_ms - one.node_trace_ms for one in rounds]
    return {
        "benchmark": "block",
        "n": len(rounds),
        "transactions": min(one.transactions for one in rounds),
        "reverted": max(one.reverted for one in rounds),
        "block_to_flag_ms": {"p50": percentile(flags, 0.5), "p99": percentile(flags, 0.99)},
        "node_trace_ms": {"p50": percentile(traces, 0.5), "p99": percentile(traces, 0.99)},
        "node_nested_trace_ms": round(nested_ms, 1),
        "beyond_ms": {"p50": percentile(beyond, 0.5), "p99": percentile(beyond, 0.99)},
        "goal_ms": GOAL_MS,
    }


async def run() -> dict[str, object]:
    """All rounds, then the nested trace once for comparison."""
    async with AsyncExitStack() as house:
        folder = Path(house.enter_context(tempfile.TemporaryDirectory(prefix="seawall-block-", ignore_cleanup_errors=True)))
        bench, attacks = await set_up(house, folder)
        rounds = [await bench.play(attack) for attack in attacks]
        return report(rounds, await bench.nested())


def main() -> None:
    """Print one JSON object."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.stdout.write(json.dumps(asyncio.run(run())) + "\n")


if __name__ == "__main__":
    main()
