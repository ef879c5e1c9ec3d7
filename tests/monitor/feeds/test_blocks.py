"""Whole blocks from a real node: the same executions whichever way they are asked for, and never those of another block."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from detectors.events import Position, Unjudged
from detectors.execution import Execution, Log
from detectors.execution.ledger import flows
from monitor.chains.link import Link
from monitor.chains.rpc import Rpc
from monitor.chains.traces import Words
from monitor.courtesy import Courtesy
from monitor.demo.attacks import launch
from monitor.demo.relay import Relay
from monitor.demo.traffic import Traffic
from monitor.feeds.blocks import Blocks
from monitor.feeds.singly import AT_ONCE
from monitor.feeds.tracing import LATE, OVERSIZE, UNREACHABLE, Caller
from tests.support.bytecode import CHAIN, HASHES, OFF, ON, Chain, chain, create, invoke, push
from tests.support.fault_proxy import FaultProxy, answer
from tests.support.show import scene

PRECOMPILE, NOBODY = "0x" + "00" * 19 + "04", "0x" + "cd" * 20
MONSTER = ("5b", "5f5f6104005f5f600461fffff150", "5f56")
"""Calls a precompile until the gas is gone."""


def shape(one: Execution | Unjudged) -> list[tuple[object, ...]]:
    """What rules see of the frames."""
    assert isinstance(one, Execution), one
    return [(f.type, f.to, f.ctx, f.value, f.ok, f.alive, f.selector, f.parent, f.depth) for f in one.frames]


def said(one: Execution | Unjudged) -> list[tuple[object, ...]]:
    """Its logs without their place."""
    assert isinstance(one, Execution), one
    return [(step.address, step.topics, step.data) for step in one.steps if isinstance(step, Log)]


async def newest(node: Chain) -> tuple[Position, list[str]]:
    found = await node.ask("eth_getBlockByNumber", "latest", HASHES)
    return Position(int(found["number"], 16), found["hash"], found["parentHash"]), found["transactions"]


def blocks(rpc: Caller, *, rows: bool, trace_within: float = 10.0) -> Blocks:
    return Blocks(rpc, CHAIN, Words(), Courtesy(), rows=rows, trace_within=trace_within)


async def oddities(node: Chain) -> list[str]:
    """Transactions of every odd kind, sent but not mined: creations, failures, ends of contracts, borrowed code, precompiles."""
    await node.ask("anvil_setAutomine", ON)
    bomb = await node.deploy(push(node.me), "ff")
    fails = await node.deploy("5f5ffd")
    inner = await node.deploy(invoke(bomb, value=3), "60015f5fa1", "00")
    odd: list[str | bytes] = [
        create("00"), create("fe"), invoke(fails), invoke(PRECOMPILE, value=2), invoke(NOBODY, value=1),
        invoke(fails, value=10**30), invoke(inner, kind="DELEGATECALL"), invoke(bomb, kind="CALLCODE", value=1),
        invoke(inner, value=9), invoke(fails, kind="STATICCALL"), "5f5fa0",
    ]  # fmt: skip
    outer = await node.deploy(*odd, "00")
    undone = await node.deploy(*odd, "5f5ffd")
    await node.ask("anvil_setAutomine", OFF)
    return [
        await node.send(outer, value=50), await node.send(undone, value=50), await node.send(outer, gas=hex(60_000)),
        await node.send(bomb, value=1), await node.send(node.me, value=2), await node.send(fails, value=1),
        await node.send(None, data="0xfe"), await node.send(None, value=5, data="0x00"), await node.send(NOBODY, value=1),
        await node.send(PRECOMPILE, data="0x01020304"), await node.send(outer, gas=hex(22_000)),
    ]  # fmt: skip


@asynccontextmanager
async def spoiling(node: Chain, asked: str, change: Callable[[Any], Any]) -> AsyncIterator[tuple[FaultProxy, Rpc]]:
    """A connection through which the answers to one method come changed."""

    def spoil(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == (asked,):
            frame = answer(frame, lambda reply: reply.update(result=change(reply["result"])))
        return (frame,)

    async with FaultProxy(node.node.ws) as proxy:
        proxy.replies = spoil
        rpc = await Rpc.connect(proxy.ws, provider="anvil", chain=CHAIN, max_size=64 << 20)
        try:
            yield proxy, rpc
        finally:
            await rpc.close()


def places(one: Execution | Unjudged) -> list[tuple[int, int]]:
    """Where its logs stand among the frames."""
    assert isinstance(one, Execution), one
    return [(step.frame, step.before) for step in one.steps]


async def test_a_mixed_block_is_the_same_as_rows_and_nested() -> None:
    async with scene() as show, Relay(show.anvil.port) as relay:
        rpc = await Rpc.connect(show.anvil.ws, provider="anvil", chain=CHAIN, max_size=64 << 20)
        try:
            node = Chain(show.anvil, rpc, (await show.node.call("eth_accounts", []))[0])
            sent = await oddities(node)
            sent += [await launch(attack, show.wallet, relay) for attack in show.stage.attacks]
            sent += await Traffic(show.wallet, show.stage).burst(60)
            await show.mine()
            position, txs = await newest(node)
            nested = await blocks(rpc, rows=False).traced(position, txs, at=1.0)
            async with spoiling(node, "nothing", list) as (proxy, through):
                flat = await blocks(through, rows=True).traced(position, txs, at=1.0)
        finally:
            await rpc.close()
    assert sorted(proxy.asked) == ["eth_getBlockReceipts", "trace_block"]
    assert {one.tx for one in flat if isinstance(one, Execution)} == set(sent)
    for ours, theirs in zip(flat, nested, strict=True):
        assert isinstance(ours, Execution)
        assert isinstance(theirs, Execution)
        assert (ours.tx, ours.index, ours.position, ours.stage, ours.at) == (
            theirs.tx, theirs.index, theirs.position, theirs.stage, theirs.at
        )  # fmt: skip
        assert shape(ours) == shape(theirs)
        assert said(ours) == said(theirs)
        assert ours.logged
        assert flows(ours).moves == flows(theirs).moves
    exact = sum(places(ours) == places(theirs) for ours, theirs in zip(flat, nested, strict=True))
    assert exact > 0.9 * len(flat), "where few contracts log, the place is almost always the only likely one"


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        ("trace_block", lambda rows: [row | {"blockHash": "0x" + "77" * 32} for row in rows]),
        ("trace_block", lambda rows: [*rows[:-1], rows[-1] | {"transactionHash": "0x" + "77" * 32}]),
        ("trace_block", lambda rows: rows[:0]),
        ("trace_block", lambda _: None),
        ("eth_getBlockReceipts", lambda receipts: receipts[:-1]),
        ("eth_getBlockReceipts", lambda receipts: receipts[::-1]),
        ("eth_getBlockReceipts", lambda receipts: [one | {"blockHash": "0x" + "77" * 32} for one in receipts]),
    ],
    ids=["rows of another block", "an unlisted row", "no rows", "null", "a receipt too few", "disorder", "others' receipts"],
)  # fmt: skip
async def test_rows_that_are_not_this_block_are_left_for_the_nested_form(asked: str, change: Callable[[Any], Any]) -> None:
    async with chain("--no-mining") as node:
        await oddities(node)
        await node.ask("evm_mine")
        position, txs = await newest(node)
        plain = await blocks(node.rpc, rows=False).traced(position, txs, at=1.0)
        async with spoiling(node, asked, change) as (proxy, rpc):
            assert await blocks(rpc, rows=True).traced(position, txs, at=1.0) == plain
            assert proxy.asked.count("debug_traceBlockByHash") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda rows, tx: [row for row in rows if row["transactionHash"] != tx],
        lambda rows, tx: [row for row in rows if row["transactionHash"] != tx or row["traceAddress"]],
        lambda rows, tx: [row | {"type": "strange"} if row["transactionHash"] == tx else row for row in rows],
    ],
    ids=["no rows", "no root", "rows of a kind nobody knows"],
)  # fmt: skip
async def test_a_transaction_whose_rows_make_no_whole_is_traced_by_itself(change: Callable[[Any, str], Any]) -> None:
    async with chain("--no-mining") as node:
        first, *_ = await oddities(node)
        await node.ask("evm_mine")
        position, txs = await newest(node)
        whole = await blocks(node.rpc, rows=True).traced(position, txs, at=1.0)
        async with spoiling(node, "trace_block", lambda rows: change(rows, first)) as (proxy, rpc):
            found = await blocks(rpc, rows=True).traced(position, txs, at=1.0)
        assert list(map(shape, found)) == list(map(shape, whole))
        assert list(map(said, found)) == list(map(said, whole))
        assert [method for method in proxy.asked if method.startswith("debug_")] == ["debug_traceTransaction"]


async def test_a_monster_hides_only_itself_and_is_not_asked_for_twice() -> None:
    async with chain("--no-mining", "--gas-limit", "60000000") as node:
        await node.ask("anvil_setAutomine", ON)
        monster = await node.deploy(*MONSTER)
        await node.ask("anvil_setAutomine", OFF)
        big, small = await node.send(monster, gas=hex(1_000_000)), await node.send(node.me, value=3)
        await node.ask("evm_mine")
        position, txs = await newest(node)
        async with spoiling(node, "nothing", list) as (proxy, rpc):
            found = dict(zip(txs, await blocks(rpc, rows=True).traced(position, txs, at=1.0), strict=True))
        assert isinstance(found[small], Execution)
        hidden = found[big]
        assert isinstance(hidden, Unjudged)
        assert hidden.reason == OVERSIZE
        assert not [method for method in proxy.asked if method.startswith("debug_")]


async def test_a_trace_too_long_for_any_connection_does_not_keep_the_chain_from_going_on() -> None:
    async with chain("--no-mining", "--gas-limit", "60000000") as node:
        await node.ask("anvil_setAutomine", ON)
        monster = await node.deploy(*MONSTER)
        await node.ask("anvil_setAutomine", OFF)
        big = await node.send(monster, gas=hex(2_400_000))
        small = [await node.send(node.me, value=3) for _ in range(3)]
        await node.ask("evm_mine")
        position, txs = await newest(node)
        link = Link(node.node.ws, chain=CHAIN, provider="anvil")
        running = asyncio.create_task(link.run())
        await link.traces.ready()
        found = dict(zip(txs, await blocks(link.traces, rows=True).traced(position, txs, at=1.0), strict=True))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert link.traces.state.connects > 1, "the monster ended the connection"
    assert all(isinstance(found[tx], Execution) for tx in small)
    hidden = found[big]
    assert isinstance(hidden, Unjudged)
    assert hidden.reason == OVERSIZE


async def test_a_node_that_is_gone_leaves_the_block_to_be_asked_for_again() -> None:
    async with chain("--no-mining") as node:
        txs = [await node.send(node.me, value=1)]
        await node.ask("evm_mine")
        position, _ = await newest(node)
        await node.rpc.close()
        (found,) = await blocks(node.rpc, rows=True).traced(position, txs, at=1.0)
        assert isinstance(found, Unjudged)
        assert found.reason == UNREACHABLE


async def test_a_node_that_says_nothing_costs_one_deadline_for_all_and_not_one_each() -> None:
    async with chain("--no-mining") as node:
        for _ in range(6 * AT_ONCE):
            await node.send(node.me, value=1)
        await node.ask("evm_mine")
        position, txs = await newest(node)
        async with FaultProxy(node.node.ws) as proxy:
            proxy.replies = lambda methods, frame: () if methods[0].startswith("debug_") else (frame,)
            rpc = await Rpc.connect(proxy.ws, provider="anvil", chain=CHAIN)
            found = await blocks(rpc, rows=False, trace_within=0.2).traced(position, txs, at=1.0)
            await rpc.close()
        assert {one.reason for one in found if isinstance(one, Unjudged)} == {LATE}
        assert len(found) == len(txs)
        assert AT_ONCE <= proxy.asked.count("debug_traceTransaction") < len(txs)


def test_a_big_block_has_longer_than_a_small_one() -> None:
    feed = Blocks(None, CHAIN, Words(), Courtesy(), rows=True, trace_within=5.0)  # type: ignore[arg-type]  # asks nobody
    assert [feed.whole_within(n) for n in (0, 100, 400)] == [5.0, 10.0, 25.0]
