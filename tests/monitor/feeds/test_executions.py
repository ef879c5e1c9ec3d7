"""Executions from a real node: pending ones on a pinned head, blocks, and what happens when a trace cannot be had."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.events import Position, Stage, Transaction, Unjudged
from detectors.execution import Execution
from monitor import metrics
from monitor.feeds.contexts import Contexts
from monitor.feeds.executions import AHEAD, CROWDED, LATE, OVERSIZE, PREDECESSORS, REFUSED, Executions
from tests.support.bytecode import CHAIN, HASHES, OFF, ON, Chain, chain, code, invoke

WRITES = "6001545060026001553460005500"


def sets() -> bytes:
    """Without data: set slot 0 when value is sent, else revert unless it is set."""
    return code("34600f57", "600054601557", "60006000fd", "5b3460005500", "5b00")


def feed(node: Chain, *watched: str, trace_within: float = 5.0, storage_within: float = 5.0) -> Executions:
    contexts = Contexts(node.rpc, {address.lower(): () for address in watched})
    return Executions(node.rpc, CHAIN, contexts, trace_within=trace_within, storage_within=storage_within)


async def head(node: Chain, block: str = "latest") -> tuple[Position, list[str]]:
    found = await node.ask("eth_getBlockByNumber", block, HASHES)
    return Position(int(found["number"], 16), found["hash"], found["parentHash"]), found["transactions"]


def pending(
    node: Chain, to: str | None, *, value: int = 0, nonce: int = 0, gas: int = 1_000_000, id_: str = "0x01"
) -> Transaction:
    return Transaction(
        chain=CHAIN, at=5.0, id=id_, sender=node.me, to=to, value=value, input="0x", nonce=nonce, gas=gas, max_fee=10**10
    )  # fmt: skip


def judged(found: Execution | Unjudged) -> Execution:
    assert isinstance(found, Execution), found
    return found


async def test_a_pending_call_is_seen_as_it_will_run_with_what_the_contract_had_before() -> None:
    async with chain() as node:
        inner = await node.deploy(WRITES)
        outer = await node.deploy(invoke(inner, value=5), "00")
        await node.receipt(await node.send(inner, value=1_000))
        executions, (position, _) = feed(node, inner), await head(node)
        seen = judged(await executions.simulate(pending(node, outer, value=50), position))
        assert (seen.stage, seen.tx, seen.at, seen.position) == (Stage.PENDING, "0x01", 5.0, None)
        assert [(f.type, f.to, f.value, f.depth) for f in seen.frames] == [("CALL", outer, 50, 0), ("CALL", inner, 5, 1)]
        assert seen.context.balances == {"native": {inner: 1_000}}

        receipt = await node.receipt(await node.send(outer, value=50))
        position, txs = await head(node, receipt["blockNumber"])
        (mined,) = await executions.block(position, txs, at=6.0)
        assert (judged(mined).stage, mined.position, judged(mined).index) == (Stage.INCLUDED, position, 0)
        alike = [msgspec.structs.replace(f, gas_used=None) for f in seen.frames]
        assert [msgspec.structs.replace(f, gas_used=None) for f in judged(mined).frames] == alike
        assert judged(mined).context.balances == {"native": {inner: 1_000}}, "before the block, not after"


async def test_the_simulation_stays_on_its_head_while_the_chain_moves_on() -> None:
    async with chain() as node:
        flag = await node.deploy(sets())
        position, _ = await head(node)
        await node.receipt(await node.send(flag, value=1))
        executions = feed(node)
        assert not judged(await executions.simulate(pending(node, flag), position)).frames[0].ok
        assert judged(await executions.simulate(pending(node, flag), (await head(node))[0])).frames[0].ok


async def test_a_predecessor_of_the_same_sender_is_replayed_first() -> None:
    async with chain() as node:
        flag = await node.deploy(sets())
        executions, (position, _) = feed(node, flag), await head(node)
        opening, exploit = pending(node, flag, value=1, nonce=7), pending(node, flag, nonce=8)
        assert not judged(await executions.simulate(exploit, position)).frames[0].ok
        assert judged(await executions.simulate(exploit, position, before=[opening])).frames[0].ok
        crowd = await executions.simulate(exploit, position, before=[opening] * (PREDECESSORS + 1))
        assert isinstance(crowd, Unjudged)
        assert (crowd.reason, crowd.touches) == (CROWDED, (flag,))


async def test_eleven_cheap_transactions_do_not_hide_the_twelfth_and_are_replayed_once() -> None:
    async with chain() as node:
        counter = await node.deploy("5f54600101", "805f55", "600c11600f57", "fe", "5b00")  # counts in slot 0, fails at twelve
        executions, (position, _) = feed(node, counter), await head(node)
        row = [pending(node, counter, nonce=n, id_=f"0x{n:02x}") for n in range(12)]
        before = traces()
        seen = [judged(await executions.simulate(tx, position, before=row[:n])).frames[0].ok for n, tx in enumerate(row)]
        assert seen == [True] * 11 + [False]
        assert traces() - before == len(row) + len(row) - 1, "each once for itself, and once for those after it"

        await node.receipt(await node.send(counter))
        position, _ = await head(node)
        assert not judged(await executions.simulate(row[10], position, before=row[:10])).frames[0].ok, "a new head, a new count"


def traces(method: str = "debug_traceCall") -> float:
    """Simulations, or traces of another kind, asked of the node so far."""
    labels = {"chain": CHAIN, "provider": "anvil", "method": method, "outcome": "ok"}
    return metrics.REGISTRY.get_sample_value("seawall_rpc_requests_total", labels) or 0.0


async def test_a_predecessor_that_clears_a_slot_and_spends_the_money_is_replayed_too() -> None:
    async with chain() as node:
        flag = await node.deploy(code("36600f57", "600054601457", "60006000fd", "5b5f5f5500", "5b00"))  # data clears slot 0
        await node.ask("anvil_setStorageAt", flag, "0x0", "0x" + "00" * 31 + "01")
        executions, (position, _) = feed(node), await head(node)
        clearing = msgspec.structs.replace(pending(node, flag, nonce=7), input="0x01")
        assert judged(await executions.simulate(pending(node, flag), position)).frames[0].ok
        assert not judged(await executions.simulate(pending(node, flag), position, before=[clearing])).frames[0].ok

        all_but_one = int(await node.ask("eth_getBalance", node.me, "latest"), 16) - 1
        spending, after = pending(node, flag[:-1] + "0", value=all_but_one, id_="0x02"), pending(node, flag[:-1] + "0", value=2)
        assert judged(await executions.simulate(after, position)).frames[0].ok
        assert isinstance(await executions.simulate(after, position, before=[spending]), Unjudged)


async def test_a_sender_without_the_money_is_refused_not_clean() -> None:
    async with chain() as node:
        found = await feed(node).simulate(pending(node, node.me, value=10**40), (await head(node))[0])
        assert isinstance(found, Unjudged)
        assert found.reason == REFUSED


async def test_a_second_look_brings_the_storage_of_a_pending_and_of_a_mined_one() -> None:
    async with chain() as node:
        inner = await node.deploy(WRITES)
        outer = await node.deploy(invoke(inner, value=5), "00")
        executions, (position, _) = feed(node, inner), await head(node)
        tx = pending(node, outer, value=50)
        first = judged(await executions.simulate(tx, position))
        second = judged(await executions.storage(first, position, tx))
        assert second.ordered
        assert second.supersedes
        assert second.context == first.context
        assert [(s.op, s.frame) for s in second.steps if hasattr(s, "op")] == [("sload", 1), ("sstore", 1), ("sstore", 1)]

        receipt = await node.receipt(await node.send(outer, value=50))
        position, txs = await head(node, receipt["blockNumber"])
        (mined,) = await executions.block(position, txs, at=6.0)
        again = judged(await executions.storage(judged(mined), position))
        assert again.ordered
        assert len(again.steps) == len(second.steps)


async def test_a_monster_in_a_block_hides_only_itself() -> None:
    async with chain("--no-mining", "--gas-limit", "60000000") as node:
        await node.ask("anvil_setAutomine", ON)
        monster = await node.deploy("5b", "5f5f6104005f5f600461fffff150", "5f56")  # calls a precompile until the gas is gone
        plain = await node.deploy(WRITES)
        await node.ask("anvil_setAutomine", OFF)
        big = await node.send(monster, gas=hex(3_000_000))
        small = await node.send(plain, value=3)
        await node.ask("evm_mine")
        position, txs = await head(node)
        assert set(txs) == {big, small}
        found = {(one.tx if isinstance(one, Execution) else one.id): one for one in await feed(node).block(position, txs, at=1.0)}
        assert isinstance(found[small], Execution)
        hidden = found[big]
        assert isinstance(hidden, Unjudged)
        assert hidden.reason == OVERSIZE


async def test_a_block_that_is_not_the_one_we_know_is_not_mistaken_for_it() -> None:
    async with chain() as node:
        txs = [await node.send(node.me, value=1)]
        await node.receipt(txs[0])
        position, _ = await head(node)
        (found,) = await feed(node).block(position, ["0x" + "77" * 32], at=1.0)
        assert isinstance(found, Unjudged)


async def stopped(pid: int) -> None:
    """A signal stops a process thread by thread; until the last one has, the node may still answer."""
    async with asyncio.timeout(5):
        while any(task.read_text().rpartition(")")[2].split()[0] != "T" for task in Path(f"/proc/{pid}/task").glob("*/stat")):  # noqa: ASYNC110, ASYNC240 - /proc has no events
            await asyncio.sleep(0.01)


async def test_a_stuck_node_leaves_the_transaction_unjudged_in_time() -> None:
    async with chain() as node:
        executions, (position, _) = feed(node, node.me, trace_within=0.3), await head(node)
        await executions.contexts.refresh(position)
        os.kill(node.node.process.pid, signal.SIGSTOP)
        try:
            await stopped(node.node.process.pid)
            found = await executions.simulate(pending(node, node.me), position)
        finally:
            os.kill(node.node.process.pid, signal.SIGCONT)
        assert isinstance(found, Unjudged)
        assert found.reason == LATE


async def test_contracts_born_while_we_watch_have_an_age_and_a_deployer_and_others_do_not() -> None:
    async with chain() as node:
        old = await node.deploy(WRITES)
        executions = feed(node)
        deploying = await node.receipt(await node.send(None, data="0x" + code("600160005360016000f3").hex()))
        position, txs = await head(node, deploying["blockNumber"])
        await executions.block(position, txs, at=100.0)
        caller = await node.deploy(invoke(deploying["contractAddress"]), invoke(old), "00")
        tx = msgspec.structs.replace(pending(node, caller), at=160.0)
        seen = judged(await executions.simulate(tx, (await head(node))[0]))
        assert {a: (c.age, c.deployer) for a, c in seen.context.codes.items()} == {deploying["contractAddress"]: (60.0, node.me)}


async def test_balances_are_read_once_a_head_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chain() as node:
        inner = await node.deploy(WRITES)
        executions, (position, _) = feed(node, inner), await head(node)
        frames: list[int] = []
        batch = node.rpc.batch

        async def counted(asks: Any, *, timeout: float) -> list[Any]:  # noqa: ANN401, ASYNC109
            frames.append(len(asks))
            return await batch(asks, timeout=timeout)

        monkeypatch.setattr(node.rpc, "batch", counted)
        for _ in range(5):
            assert judged(await executions.simulate(pending(node, inner), position)).context.balances
        assert len(frames) == 1


async def test_blocks_traced_ahead_are_not_traced_again_and_one_that_failed_or_was_not_expected_is() -> None:
    async with chain() as node:
        blocks = []
        for _ in range(4):
            await node.receipt(await node.send(node.me, value=1))
            blocks.append(await head(node))
        executions = feed(node)
        for position, txs in blocks[:3]:
            executions.look_ahead(position, txs, 1.0)
        assert len(executions._ahead) == AHEAD
        before = traces("debug_traceBlockByHash")
        for position, txs in blocks[:2]:
            (found,) = await executions.block(position, txs, at=2.0)
            assert judged(found).position == position
        assert traces("debug_traceBlockByHash") - before == 2  # what was begun ahead, and no more
        executions.look_ahead(*blocks[2], 1.0)
        (found,) = await executions.block(*blocks[3], at=2.0)
        assert judged(found).position == blocks[3][0]
        assert executions._ahead == {}
        executions.look_ahead(blocks[2][0], ["0x" + "77" * 32], 1.0)  # a node that has lost it
        (found,) = await executions.block(*blocks[2], at=2.0)
        assert judged(found).tx == blocks[2][1][0]
        await executions.forget()
