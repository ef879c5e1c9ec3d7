"""Our storage tracer on a real node: every quirk it was written for, against what callTracer says."""

from typing import Any

import msgspec
import pytest

from detectors.execution import Access, Execution, Log
from monitor.chains.traces import Origin, Words, calltracer, storage
from monitor.chains.traces.words import decode
from monitor.errors import TraceUnreadable
from tests.support.bytecode import GAS, Chain, chain, code, create, invoke, push

IDENTITY = "0x" + "00" * 19 + "04"

TOUCHES = code(
    "60015450",  # SLOAD 1
    "6002600155",  # SSTORE 1 = 2
    "4750",  # SELFBALANCE
    "600460035d60035c50",  # TSTORE 3 = 4, TLOAD 3
    "60aa60005260bb60206000a1",  # LOG1 bb, data aa
)
DIES = code(TOUCHES, "33ff")
REVERTS = code("60015450", "60006000fd")


async def looks(node: Chain, to: str, value: int = 0) -> tuple[Execution, dict[str, Any]]:
    """The call trace, flat, and the raw recording of the same call."""
    call = {"from": node.me, "to": to, "value": hex(value), "gas": GAS}
    raw = await node.rpc.call("debug_traceCall", [call, "latest", calltracer.TRACER], timeout=10, raw=True)
    first = calltracer.read(decode(raw, calltracer.CallFrame), Origin(source="anvil", logged=True), Words())
    recorded: dict[str, Any] = await node.ask("debug_traceCall", call, "latest", storage.TRACER)
    return first, recorded


def second(recorded: dict[str, Any], first: Execution) -> Execution:
    return storage.read(decode(msgspec.json.encode(recorded), storage.Recording), first, Words())


def story(execution: Execution) -> list[object]:
    """What happened, in order: a frame's type as it is entered, and the steps."""
    told: list[object] = []
    for frame, step in execution.walk():
        if isinstance(step, Access):
            told.append((step.op, step.slot, step.value))
        else:
            told.append(execution.frames[frame].type if step is None else step.topics[0][-2:])
    return told


async def test_reads_writes_transients_balances_and_logs_come_in_the_order_they_happen() -> None:
    async with chain() as node:
        inner = await node.deploy(TOUCHES)
        outer = await node.deploy("5f5450", invoke(inner, value=5), push(inner), "3150", "5f545060095f5500")
        first, recorded = await looks(node, outer, 100)
        execution = second(recorded, first)
        assert execution.ordered
        assert execution.supersedes
        assert story(execution) == [
            "CALL", ("sload", 0, 0),
            "CALL", ("sload", 1, 0), ("sstore", 1, 2), ("balance", 0, 5), ("tstore", 3, 4), ("tload", 3, 4), "bb",
            ("balance", 0, 5), ("sload", 0, 0), ("sstore", 0, 9),
        ]  # fmt: skip
        (log,) = (step for step in execution.steps if isinstance(step, Log))
        assert (log.address, int(log.data or "0", 16)) == (inner, 0xAA)
        assert [step.topics for step in first.steps if isinstance(step, Log)] == [log.topics]


def shape(execution: Execution) -> list[tuple[object, ...]]:
    """Everything but creations, whose failures tracers show in different ways."""
    frames = [frame for frame in execution.frames if frame.type != "CREATE"]
    return [(f.type, f.ok, f.alive, f.parent, f.depth, f.sender, f.to, f.ctx, f.value) for f in frames]


async def test_failed_frames_creations_and_precompiles_agree_with_the_call_tracer() -> None:
    async with chain() as node:
        reverts, writes = await node.deploy(REVERTS), await node.deploy(TOUCHES)
        outer = await node.deploy(
            create("fe"), create("00"), invoke(reverts), invoke(reverts, kind="DELEGATECALL"),
            invoke(IDENTITY, kind="STATICCALL"),
            invoke(writes, kind="STATICCALL"), invoke(node.me, value=7), invoke(node.me, value=10**30), "00",
        )  # fmt: skip
        first, recorded = await looks(node, outer, 100)
        execution = second(recorded, first)
        assert execution.ordered
        assert shape(execution) == shape(first)
        assert [f.ok for f in execution.frames if f.type == "CREATE"] == [False, True]
        assert [f.ok for f in execution.frames if f.type == "STATICCALL"] == [True, False]


async def test_a_selfdestruct_is_one_frame_and_moves_the_balance_once() -> None:
    async with chain() as node:
        dies = await node.deploy(DIES)
        outer = await node.deploy(invoke(dies, value=5), "60015450", "00")
        first, recorded = await looks(node, outer, 100)
        execution = second(recorded, first)
        assert execution.ordered
        assert [(f.type, f.to, f.ctx, f.value) for f in execution.frames[1:]] == [
            ("CALL", dies, dies, 5),
            ("SELFDESTRUCT", outer, dies, 5),
        ]
        assert shape(execution) == shape(first)
        assert story(execution)[-1] == ("sload", 1, 0)


async def test_a_selfdestruct_that_is_not_allowed_does_not_swallow_what_follows() -> None:
    async with chain() as node:
        dies = await node.deploy("33ff")
        outer = await node.deploy(invoke(dies, kind="STATICCALL"), invoke(node.me, value=1), "00")
        first, recorded = await looks(node, outer, 100)
        execution = second(recorded, first)
        calls = [(f.type, f.alive) for f in execution.frames if f.type != "SELFDESTRUCT"]
        assert calls == [("CALL", True), ("STATICCALL", False), ("CALL", True)]


@pytest.mark.parametrize("opcode", ["54", "55", "5c", "5d", "31", "a0", "a4", "ff"])
async def test_a_frame_that_finds_the_stack_empty_burns_its_gas_in_the_trace_as_on_the_chain(opcode: str) -> None:
    async with chain() as node:
        outer = await node.deploy(invoke(await node.deploy(opcode)), "5a5f55", "00")  # slot 0 = the gas that is left
        tx = await node.send(outer)
        await node.receipt(tx)
        recorded = await node.ask("debug_traceTransaction", tx, storage.TRACER)
        assert [event[:2] for event in recorded["events"]] == [["e", "CALL"], ["x", 0], ["t", "sstore"]]
        assert int(recorded["events"][-1][3], 16) == int(await node.ask("eth_getStorageAt", outer, "0x0", "latest"), 16)


async def test_a_log_of_memory_nobody_wrote_is_zeros_and_a_large_one_is_unknown() -> None:
    async with chain() as node:
        outer = await node.deploy("60205fa0", "602061200053", "6120015fa0", "00")
        first, recorded = await looks(node, outer)
        fresh, large = (step.data for step in second(recorded, first).steps if isinstance(step, Log))
        assert fresh == "0x" + "00" * 32
        assert large is None


async def test_a_mined_transaction_gives_the_same_recording_as_its_simulation() -> None:
    async with chain() as node:
        outer = await node.deploy(invoke(await node.deploy(TOUCHES), value=5), "00")
        _, simulated = await looks(node, outer, 100)
        mined = await node.ask("debug_traceTransaction", await node.send(outer, value=100), storage.TRACER)
        assert [e[:4] for e in mined["events"] if e[0] != "x"] == [e[:4] for e in simulated["events"] if e[0] != "x"]


async def test_a_recording_of_other_frames_is_not_believed() -> None:
    async with chain() as node:
        outer = await node.deploy(invoke(await node.deploy(TOUCHES)), invoke(node.me), "00")
        first, recorded = await looks(node, outer)
        lying = recorded | {"events": [e for e in recorded["events"] if e[0] != "e"]}
        with pytest.raises(TraceUnreadable, match="ends more frames"):
            second(lying, first)
        at = next(i for i, e in enumerate(recorded["events"]) if e[0] == "e")
        events = [list(e) for e in recorded["events"]]
        events[at][2] = node.me
        degraded = second(recorded | {"events": events}, first)
        assert degraded == msgspec.structs.replace(first, supersedes=True)
        assert not degraded.ordered


async def test_a_loop_of_reads_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chain() as node:
        loops = await node.deploy("5b5f54505f56")
        monkeypatch.setitem(storage.TRACER, "tracer", storage.TRACER["tracer"].replace("500000", "50"))
        first, recorded = await looks(node, loops)
        execution = second(recorded, first)
        assert not execution.complete
        assert not execution.ordered
        assert len(execution.steps) <= 50
