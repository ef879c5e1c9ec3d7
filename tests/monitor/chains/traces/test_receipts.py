"""Logs without a place: every one finds an emitter that had control at that moment, and none changes its turn."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.execution import SELFDESTRUCT, STATICCALL, Execution, Frame, Log
from monitor.chains.traces import Words
from monitor.chains.traces.receipts import ReceiptLog, attach
from tests.support.executions import (
    Call,
    Node,
    address,
    balance_of,
    call,
    create,
    delegate,
    execution,
    log,
    move,
    selfdestruct,
    static,
    transfer,
)

ROUTER, TOKEN, COIN, PROXY, CODE, USER = map(address, ("router", "token", "coin", "proxy", "code", "user"))
NAMES = st.sampled_from((ROUTER, TOKEN, PROXY))


def receipt(whole: Execution) -> list[ReceiptLog]:
    """The logs that stand, as a receipt has them."""
    logs = [step for step in whole.steps if isinstance(step, Log) and whole.frames[step.frame].alive]
    return [ReceiptLog(step.address, list(step.topics), step.data) for step in logs]


def replaced(whole: Execution) -> Execution:
    """The execution with its logs forgotten and read back from its receipt."""
    return msgspec.structs.replace(whole, steps=list(attach(receipt(whole), whole.frames, Words())))


def nodes(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    inner = st.lists(children, max_size=4)
    return st.one_of(
        st.builds(lambda to, within, ok: call(to, "f()", *within, ok=ok), NAMES, inner, st.booleans()),
        st.builds(lambda to, within: call(to, "f()", *within), NAMES, inner),
        st.builds(lambda within: delegate(CODE, "f()", *within), inner),
        st.builds(lambda within: create(TOKEN, *within), inner),
    )


LEAVES = st.one_of(
    st.integers(0, 9).map(lambda n: log(f"0x{n:064x}")),
    NAMES.map(lambda to: static(to, "view()")),
    st.just(selfdestruct(USER, 1)),
)
TREES = st.lists(st.recursive(LEAVES, nodes, max_leaves=25), max_size=6).map(lambda within: call(ROUTER, "go()", *within))


def ancestors(frames: list[Frame], i: int) -> list[int]:
    """The frame and all above it."""
    found = []
    while i >= 0:
        found.append(i)
        i = frames[i].parent
    return found


def has_control(frames: list[Frame], frame: int, before: int) -> bool:
    """Can this frame do something after just so many frames were entered?"""
    if before == 0 or frame not in ancestors(frames, before - 1):
        return False
    return before == len(frames) or frames[before].parent == frame or frame not in ancestors(frames, before)


@given(TREES)
@example(call(ROUTER, "go()", call(TOKEN, "f()", log("0x1")), call(PROXY, "f()", log("0x2")), call(TOKEN, "f()", log("0x3"))))
@example(call(ROUTER, "go()", log("0x1"), call(TOKEN, "f()", call(ROUTER, "f()", log("0x2")), log("0x3"))))
def test_every_log_goes_to_a_frame_that_may_emit_it_and_keeps_its_turn(tree: Call) -> None:
    whole = execution(tree)
    frames, told = whole.frames, receipt(whole)
    logs = [step for step in replaced(whole).steps if isinstance(step, Log)]
    assert [(step.address, list(step.topics), step.data) for step in logs] == [
        (one.address, one.topics, one.data) for one in told
    ]
    for step in logs:
        assert frames[step.frame].ctx == step.address
        assert frames[step.frame].alive
        assert not {frames[i].type for i in ancestors(frames, step.frame)} & {STATICCALL}
        assert frames[step.frame].type != SELFDESTRUCT
        assert has_control(frames, step.frame, step.before)
    turns = [(step.before, -step.frame) for step in logs]
    assert turns == sorted(turns)


def test_tokens_that_log_once_a_call_are_placed_exactly_through_proxies_and_views() -> None:
    whole = execution(
        call(ROUTER, "swap()",
            balance_of(TOKEN, USER, 5),
            move(TOKEN, USER, ROUTER, 5),
            call(PROXY, "transfer(address,uint256)", delegate(CODE, "transfer(address,uint256)", transfer(ROUTER, USER, 3))),
            balance_of(TOKEN, USER, 0),
            move(TOKEN, ROUTER, USER, 2),
            move(COIN, ROUTER, USER, 1),
            balance_of(TOKEN, USER, 2),
            log("0x" + "77" * 32)),
        ordered=False,
    )  # fmt: skip
    assert replaced(whole) == whole


def test_more_logs_than_calls_stay_with_the_calls_that_are_there() -> None:
    whole = execution(
        call(ROUTER, "swap()", move(TOKEN, USER, ROUTER, 5), call(PROXY, "swap()", log("0x1"), log("0x2"), log("0x3"))),
        ordered=False,
    )
    assert replaced(whole) == whole


def test_a_chain_that_logs_on_its_own_account_is_heard_at_the_root_and_a_failed_transaction_is_not() -> None:
    paid, failed = execution(call(ROUTER, "go()", call(TOKEN, "f()"))), execution(call(ROUTER, "go()", ok=False))
    fee = ReceiptLog("0x" + "10" * 20, ["0x" + "01" * 32], "0x")
    assert attach([fee], paid.frames, Words()) == [Log(0, 2, fee.address, tuple(fee.topics), "0x")]
    assert attach([fee], failed.frames, Words()) == []


def test_ten_thousand_logs_of_one_contract_take_no_more_than_their_share() -> None:
    calls = [call(TOKEN, "f()", log(f"0x{i:064x}"), log(f"0x{i:064x}")) for i in range(5_000)]
    whole = execution(call(ROUTER, "go()", *calls), ordered=False)
    steps = replaced(whole).steps
    assert len(steps) == 10_000
    assert len({step.frame for step in steps}) == 5_000
