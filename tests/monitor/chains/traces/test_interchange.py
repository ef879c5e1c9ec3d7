"""Our own format, there and back."""

import json

from detectors.execution import Access, Code, Context, Execution
from monitor.chains.traces import read
from monitor.chains.traces.interchange import write, write_lines
from tests.support.executions import (
    ETHER,
    address,
    balance,
    call,
    create,
    delegate,
    execution,
    pending,
    selfdestruct,
    sload,
    sstore,
    transfer,
)  # fmt: skip

THIEF, BANK, TOKEN = address("thief"), address("bank"), address("token")

ROBBERY = execution(
    call(
        THIEF,
        "attack()",
        create(address("child"), ok=False),
        call(
            BANK, "withdraw()",
            sload(0x6F, 10 * ETHER),
            balance(BANK, 20 * ETHER),
            call(THIEF, value=10 * ETHER),
            delegate(address("library"), "sub(uint256)", sstore(0x6F, 0)),
        ),
        transfer(BANK, THIEF, 5),
        selfdestruct(THIEF, 3),
    ),
    context=Context(
        balances={"native": {BANK: 20 * ETHER}, TOKEN: {BANK: 7}},
        supplies={TOKEN: 100},
        codes={THIEF: Code(age=5.0, deployer=None)},
    ),
)  # fmt: skip


def test_what_is_written_is_read_back_to_the_same_frames_steps_and_context() -> None:
    (back,) = read(write(ROBBERY), "file")
    assert isinstance(back, Execution)
    assert (back.frames, back.steps, back.context) == (ROBBERY.frames, ROBBERY.steps, ROBBERY.context)
    assert (back.tx, back.stage, back.storage, back.chain) == (ROBBERY.tx, ROBBERY.stage, "ordered", "eip155:1")


def test_lines_of_pending_executions_stay_pending() -> None:
    back = list(read(write_lines([pending(ROBBERY), pending(ROBBERY)]), "file"))
    assert [one.stage for one in back if isinstance(one, Execution)] == ["pending", "pending"]


def test_unknown_keys_and_steps_are_left_out() -> None:
    document = json.loads(write(ROBBERY))
    document["novelty"] = [1]
    document["root"]["steps"].insert(0, {"op": "keccak", "slot": "0x1"})
    document["root"]["colour"] = "red"
    document["accounts"] = {"x": 3, BANK: {"balance": "lots", "tokens": [1], "age": "old"}}
    (back,) = read(json.dumps(document).encode(), "file")
    assert isinstance(back, Execution)
    assert back.steps == ROBBERY.steps
    assert back.context == Context()


def test_leading_zeros_and_missing_optional_fields_are_fine() -> None:
    root = {
        "type": "CALL",
        "to": BANK,
        "ctx": BANK,
        "ok": True,
        "steps": [{"op": "sload", "slot": "0x" + "0" * 63 + "5", "value": "0x01"}],
    }
    (back,) = read(json.dumps({"format": "seawall.execution", "version": 1, "root": root}).encode(), "file")
    assert isinstance(back, Execution)
    assert back.steps == [Access("sload", 0, 1, 5, 1)]
    assert back.frames[0].value == 0
    assert back.ordered


def test_a_tree_of_300_levels_is_written_cut_and_says_so() -> None:
    tree = call(BANK)
    for _ in range(299):
        tree = call(BANK, None, tree)
    document = json.loads(write(execution(tree)))
    assert document["complete"] is False
    (back,) = read(json.dumps(document).encode(), "file")
    assert isinstance(back, Execution)
    assert len(back.frames) == 256
