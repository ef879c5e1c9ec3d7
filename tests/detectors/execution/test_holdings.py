"""Balances before a transaction, told by the transaction itself."""

from msgspec.structs import replace

from detectors.execution import Context, Execution
from detectors.execution.holdings import with_holdings
from tests.support.executions import (
    ETHER,
    SENDER,
    address,
    balance,
    balance_of,
    call,
    execution,
    move,
    sload,
    sstore,
    static,
    transfer,
)

BANK, TOKEN, THIEF, ROUTER = (address(name) for name in ("bank", "token", "thief", "router"))


def before(event: Execution) -> dict[str, dict[str, int]]:
    return with_holdings(event).context.balances


def test_a_balance_step_counts_back_what_had_moved() -> None:
    event = execution(call(THIEF, "f()", call(BANK, "g()", call(THIEF, value=3 * ETHER), balance(BANK, 7 * ETHER))))
    assert before(event)["native"][BANK] == 10 * ETHER


def test_an_answered_balance_of_counts_back_what_had_moved() -> None:
    event = execution(call(THIEF, "f()", move(TOKEN, BANK, THIEF, 3), balance_of(TOKEN, BANK, 7)))
    assert before(event)[TOKEN] == {BANK: 10}


def test_without_logs_the_calls_tell_what_moved() -> None:
    event = execution(call(BANK, "f()", move(TOKEN, BANK, THIEF, 3), balance_of(TOKEN, BANK, 7)), logged=False)
    assert before(event)[TOKEN] == {BANK: 10}


def test_a_token_slot_that_changed_by_the_amount_is_the_holders() -> None:
    paid = call(
        TOKEN, "0xa9059cbb", sload(1, 10), sstore(1, 7), sload(2, 0), sstore(2, 3), transfer(BANK, THIEF, 3), args=(THIEF, 3)
    )
    assert before(execution(call(BANK, "f()", paid)))[TOKEN] == {BANK: 10, THIEF: 0}


def test_two_slots_that_fit_prove_nothing() -> None:
    paid = call(
        TOKEN, "0xa9059cbb", sload(1, 10), sstore(1, 7), sload(9, 50), sstore(9, 47), transfer(BANK, THIEF, 3), args=(THIEF, 3)
    )
    assert BANK not in before(execution(call(BANK, "f()", paid))).get(TOKEN, {})


def test_the_first_look_holds_and_the_shell_is_never_overruled() -> None:
    event = execution(call(BANK, "f()", balance(BANK, 5), call(THIEF, value=1), balance(BANK, 99)))
    assert before(event)["native"] == {BANK: 5}
    told = replace(event, context=Context(balances={"native": {BANK: 4, SENDER: 1}}))
    assert before(told)["native"] == {BANK: 4, SENDER: 1}


def test_what_a_failed_frame_saw_is_not_believed() -> None:
    failed = call(BANK, "g()", call(SENDER, value=3), balance(BANK, 2), ok=False)
    assert before(execution(call(THIEF, "f()", failed))) == {}


def test_a_proxys_code_is_not_another_token() -> None:
    event = execution(call(THIEF, "f()", static(TOKEN, "0x70a08231", args=(BANK,), returns=7)))
    assert before(event) == {TOKEN: {BANK: 7}}
