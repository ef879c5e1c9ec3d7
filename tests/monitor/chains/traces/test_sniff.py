"""Recorded files of every dialect, and everything that is none."""

import gzip
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.events import Stage
from detectors.execution import Execution, Log
from monitor.chains.traces import Reading, Unreadable, allow_deep, read
from tests.support.executions import address

BLOCKS = Path(__file__).resolve().parents[5] / "shared" / "data" / "blocks"
A, B, C = address("a"), address("b"), address("c")
TX = "0x" + "ab" * 32


@pytest.fixture(autouse=True)
def _deep() -> None:
    allow_deep()


def only(data: bytes) -> Reading:
    (one,) = read(data, "file")
    return one


def judged(data: bytes) -> Execution:
    one = only(data)
    assert isinstance(one, Execution), one
    return one


def refused(data: bytes) -> Unreadable:
    one = only(data)
    assert isinstance(one, Unreadable), one
    return one


def call(**fields: object) -> dict[str, object]:
    return {"type": "CALL", "from": A, "to": B, "value": "0x0", "input": "0x", "gasUsed": "0x1", **fields}


def nested(levels: int, opening: bytes, closing: bytes, heart: bytes) -> bytes:
    return opening * (levels - 1) + heart + closing * (levels - 1)


def deep_call(levels: int) -> bytes:
    opening = f'{{"type":"CALL","from":"{A}","to":"{B}","calls":['.encode()
    return nested(levels, opening, b"]}", json.dumps(call()).encode())


def deep_ours(levels: int) -> bytes:
    opening = f'{{"type":"CALL","to":"{A}","ctx":"{A}","ok":true,"steps":[{{"op":"call","frame":'.encode()
    heart = f'{{"type":"CALL","to":"{A}","ctx":"{A}","ok":true,"steps":[]}}'.encode()
    return b'{"format":"seawall.execution","version":1,"root":' + nested(levels, opening, b"}]}", heart) + b"}"


def test_a_bare_call_trace_an_envelope_and_a_block_list_are_one_execution_each() -> None:
    trace = call(calls=[call(type="DELEGATECALL", to=C, value="0x5")])
    bare = judged(json.dumps(trace).encode())
    envelope = judged(json.dumps({"jsonrpc": "2.0", "id": 1, "result": trace}).encode())
    listed = judged(json.dumps([{"txHash": TX, "result": trace}]).encode())
    assert bare.frames == envelope.frames == listed.frames
    assert (bare.stage, listed.stage, listed.tx) == (Stage.PENDING, Stage.INCLUDED, TX)
    inner = bare.frames[1]
    assert (inner.ctx, inner.to, inner.value, inner.depth) == (B, C, 0, 1)


def test_logs_stand_where_their_position_says_even_when_the_node_lists_them_otherwise() -> None:
    logs = [
        {"address": B, "topics": [f"0x{n}"], "data": "0x", "position": position}
        for n, position in ((3, "0x2"), (1, "0x0"), (2, 1))
    ]
    execution = judged(json.dumps(call(calls=[call(), call()], logs=logs)).encode())
    assert [step.topics[0] if isinstance(step, Log) else frame for frame, step in execution.walk()] == [
        0,
        "0x1",
        1,
        "0x2",
        2,
        "0x3",
    ]


def test_a_failed_call_takes_its_children_with_it() -> None:
    failed = judged(json.dumps(call(calls=[call(error="execution reverted", calls=[call()]), call()])).encode())
    assert [(f.ok, f.alive) for f in failed.frames] == [(True, True), (False, False), (True, False), (True, True)]


def test_a_revert_reason_of_half_a_character_does_not_blind_us() -> None:
    data = json.dumps(call(error="PLACE", revertReason="PLACE")).replace("PLACE", "\\ud800x").encode()
    assert judged(data).frames[0].ok is False
    assert judged(json.dumps(call(error="PLACE")).encode().replace(b"PLACE", b"\xff\xfe")).frames[0].ok is False


def row(place: list[int], action: Mapping[str, object] = MappingProxyType({}), **fields: object) -> dict[str, object]:
    usual = {"callType": "call", "from": A, "to": B, "value": "0x1", "input": "0xa9059cbb" + "00" * 600}
    return {
        "type": "call",
        "traceAddress": place, "transactionHash": TX, "transactionPosition": 3, "blockNumber": 7, "result": {"output": "0x"},
        **fields, "action": usual | dict(action),
    }  # fmt: skip


def test_rows_out_of_order_are_put_in_order_and_rewards_are_left_out() -> None:
    rows = [
        {
            "type": "reward",
            "action": {"author": A, "value": "0x1"},
            "traceAddress": [],
            "transactionHash": None,
            "blockNumber": 7,
        },
        row([1], action={"callType": "delegatecall"}, error="Reverted", result=None),
        row([1, 0], type="suicide", action={"address": A, "refundAddress": C, "balance": "0x9"}, result=None),
        row([0], type="create", result={"address": C, "code": "0x"}),
        row([]),
    ]
    batch = [{"jsonrpc": "2.0", "id": 1, "result": rows}]
    for document in (rows, batch, {"number": 7, "traces": rows, "receipts": []}, {"jsonrpc": "2.0", "id": 1, "result": rows}):
        execution = judged(json.dumps(document).encode())
        assert [(f.type, f.to, f.ctx, f.value, f.alive, f.parent) for f in execution.frames] == [
            ("CALL", B, B, 1, True, -1),
            ("CREATE", C, C, 1, True, 0),
            ("DELEGATECALL", B, A, 0, False, 0),
            ("SELFDESTRUCT", C, A, 9, False, 2),
        ]
        assert execution.frames[0].selector == "0xa9059cbb"
        assert len(execution.frames[0].input or "") == 2 + 2 * 516
        assert (execution.tx, execution.index, execution.position and execution.position.height) == (TX, 3, 7)
        assert not execution.logged


def test_rows_with_a_missing_parent_are_unjudged_and_the_next_transaction_is_not() -> None:
    rows = [row([]), row([0, 0]), row([], transactionHash="0x" + "cd" * 32)]
    broken, whole = read(json.dumps(rows).encode(), "file")
    assert isinstance(broken, Unreadable)
    assert "no parent" in broken.reason
    assert broken.tx == TX
    assert isinstance(whole, Execution)


@pytest.mark.parametrize("made", [deep_call, deep_ours])
def test_1024_frames_are_judged_and_1100_are_unjudged(made: Callable[[int], bytes]) -> None:
    assert len(judged(made(1024)).frames) == 1024
    assert refused(made(1100)).execution
    assert refused(made(20_000)).execution
    assert "deep" in refused(made(1100)).reason


def test_deep_parity_rows_are_held_to_the_same_depth() -> None:
    rows = [row([0] * depth, action={"input": "0x"}) for depth in range(1100)]
    assert len(judged(json.dumps(rows[:1024]).encode()).frames) == 1024
    assert refused(json.dumps(rows).encode()).tx == TX


def test_a_worker_thread_survives_the_deepest_nesting_too() -> None:
    found: list[Reading] = []
    thread = threading.Thread(target=lambda: found.extend(itertools.chain(read(deep_ours(1024), "f"), read(b"[" * 100_000, "f"))))
    thread.start()
    thread.join()
    assert [type(one) for one in found] == [Execution, Unreadable]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not JSON"),
        (b"[" * 100_000, "without end"),
        (b'{"a":' * 100_000, "without end"),
        (deep_call(3)[:-5], "cut short"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "empty list"),
        (b"{}", "no execution"),
        (b"null", "not a trace"),
        (b"42", "not a trace"),
        (b'{"hello": "world"}', "no execution"),
        (b'{"result": null}', "no execution"),
        (b'{"error": {"code": -32000, "message": "no such block"}}', "no such block"),
        (b'{"format": "seawall.execution", "version": 1}', "root"),
        (b'{"format": "other", "version": 1, "root": {"type":"CALL","to":null,"ctx":null,"ok":true,"steps":[]}}', "version 1"),
        (json.dumps(call(type="JUMP")).encode(), "unknown call type"),
        (json.dumps(call(to="0x12")).encode(), "not an address"),
        (json.dumps(call(to=42)).encode(), "$.to"),
        (json.dumps(call(value="-0x1")).encode(), "not a quantity"),
        (json.dumps(call(value="0x1" + "0" * 64)).encode(), "not a quantity"),
        (json.dumps(call(value="many")).encode(), "not a quantity"),
        (json.dumps([row([], action={"callType": "jump"})]).encode(), "unknown call type"),
        (json.dumps([row([], type="jump")]).encode(), "unknown row type"),
        (json.dumps([row([]), row([])]).encode(), "two root rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_clear_sentence(data: bytes, says: str) -> None:
    one = refused(data)
    assert says in one.reason
    assert "\n" not in one.reason
    assert one.source == "file"


def test_lines_are_read_one_by_one_and_a_bad_one_is_named() -> None:
    whole = json.dumps(call()).encode()
    first, bad, last = read(whole + b"\n\n" + b"{nonsense\n" + whole, "file")
    assert isinstance(first, Execution)
    assert isinstance(last, Execution)
    assert isinstance(bad, Unreadable)
    assert "line 3" in bad.reason
    assert first.tx != last.tx


WORDS = [
    "format",
    "version",
    "root",
    "type",
    "to",
    "ctx",
    "ok",
    "steps",
    "op",
    "frame",
    "slot",
    "value",
    "calls",
    "logs",
    "address",
    "topics",
    "traces",
    "result",
    "action",
    "traceAddress",
    "transactionHash",
    "txHash",
    "from",
    "input",
    "error",
    "accounts",
    "number",
    "CALL",
    "call",
    "STATICCALL",
    "log",
    "sload",
    "ordered",
    "seawall.execution",
    "0x",
    "0xzz",
]
SCALARS: list[object] = [None, True, 0, -1, 1.5, "", A, TX, *WORDS]
KEYS, ODD = st.sampled_from(WORDS), st.sampled_from(SCALARS)


@given(st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=9), max_leaves=25))
def test_any_mixture_of_our_own_words_gives_readings_and_never_an_error(document: object) -> None:
    assert all(isinstance(one, Execution | Unreadable) for one in read(json.dumps(document).encode(), "file"))


@given(st.binary(max_size=200))
def test_any_bytes_give_readings_and_never_an_error(data: bytes) -> None:
    assert all(isinstance(one, Execution | Unreadable) for one in read(data, "file"))


@pytest.mark.skipif(not BLOCKS.is_dir(), reason="shared/data/blocks is not here: the real blocks are not read")
def test_real_blocks_give_every_transaction_and_every_row() -> None:
    for path in sorted(BLOCKS.glob("*.json.gz")):
        data = gzip.decompress(path.read_bytes())
        rows = [r for r in json.loads(data)["traces"] if r["transactionHash"]]
        found = list(read(data, path.name))
        assert all(isinstance(one, Execution) for one in found)
        executions = [one for one in found if isinstance(one, Execution)]
        assert {one.tx for one in executions} == {r["transactionHash"] for r in rows}
        assert sum(len(one.frames) for one in executions) == len(rows)
