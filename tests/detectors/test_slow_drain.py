"""Drains bit by bit: budgets over a minute, an hour and a day, refilled by what comes back and by what a reorg takes back."""

import pickle

import msgspec
import pytest

from detectors.base import Finding, Severity
from detectors.drain import Drain
from detectors.events import Gap
from tests.support.drains import BANK, DOLLAR, MILLION, SINK, THIEF, VAULT, at, deposit, guard, verdicts, withdrawal
from tests.support.executions import SENDER, address, call, execution, move, pending
from tests.support.pools import CHAIN, block, committed, reverted


def slowly(drain: Drain, amount: int, blocks: int, step: int = 1) -> int | None:
    """Take `amount` in each of `blocks` blocks, from block 2 on; how many were mined when a budget first said so."""
    for n in range(blocks):
        height = 2 + n * step
        drain.observe(block(height))
        found = [f for f in drain.observe(at(height, withdrawal(amount))) if f.kind == "budget"]
        drain.observe(committed(height, height - 64))
        if found:
            assert found[0].severity is Severity.CRITICAL
            return n + 1
    return None


@pytest.mark.parametrize(("blocks", "lost"), [(50, 0.04), (600, 0.06), (3600, 0.16), (7200, 0.16)])
def test_a_slow_drain_of_a_third_is_stopped_by_one_window_or_another(blocks: int, lost: float) -> None:
    taken = slowly(guard(), MILLION * 3 // 10 // blocks, blocks)
    assert taken is not None
    assert taken * 0.3 / blocks <= lost


def test_below_every_budget_nothing_is_said() -> None:
    assert slowly(guard(), MILLION // 1000, 12, step=100) is None


def test_what_flows_back_refills_the_budget() -> None:
    drain = guard()
    for height in range(2, 60):
        drain.observe(block(height))
        assert list(drain.observe(at(height, withdrawal(MILLION * 2 // 100, SENDER)))) == []
        assert list(drain.observe(at(height, deposit(MILLION * 2 // 100)))) == []


def test_the_first_transaction_of_a_private_drain_is_enough() -> None:
    drain = guard()
    drain.observe(block(2))
    sweep = execution(call(THIEF, "sweep()", call(VAULT, "rebalance()", move(DOLLAR, VAULT, THIEF, MILLION // 4))))
    assert ("budget", Severity.CRITICAL) in verdicts(drain.observe(at(2, sweep)))


def test_twenty_accounts_and_one_sink_are_one_beneficiary() -> None:
    drain, kinds = guard(budgets=((86400, 0.5),)), []
    for n in range(20):
        height = 2 + 100 * n
        drain.observe(block(height))
        whole = execution(call(BANK, "withdraw()", call(SINK, value=MILLION // 500)), sender=address(f"mule {n}"))
        kinds += verdicts(drain.observe(at(height, whole)))
    assert kinds
    assert set(kinds) == {("beneficiary", Severity.WARNING)}


def test_a_window_that_has_not_been_watched_in_full_says_so() -> None:
    drain = guard(budgets=((60, 0.03),))
    drain.observe(block(2))
    (early,) = (f for f in drain.observe(at(2, withdrawal(MILLION * 4 // 100))) if f.kind == "budget")
    drain.observe(block(200))
    late = next(f for f in drain.observe(at(200, withdrawal(MILLION * 4 // 100))) if f.kind == "budget")
    assert (early.evidence["window_filled"], early.evidence["window_seconds"]) == (0, 60)
    assert early.title.endswith("within 60 s (of which only the last 12 s were watched)")
    assert (late.evidence["window_filled"], late.evidence["window_seconds"]) == (1, 60)
    assert late.title.endswith("within 60 s")


def test_blocks_that_were_lost_leave_no_window_whole() -> None:
    drain = guard(budgets=((60, 0.03),))
    drain.observe(block(200))
    drain.observe(Gap(chain=CHAIN, at=2400.0, feed="heads", lost=1, reason="a reorganisation below all that is remembered"))
    drain.observe(Gap(chain=CHAIN, at=2400.0, feed="pending", lost=9))
    drain.observe(block(202))
    (made,) = (f for f in drain.observe(at(202, withdrawal(MILLION * 4 // 100))) if f.kind == "budget")
    assert (made.evidence["window_filled"], made.evidence["watched_seconds"]) == (0, 24.0)


def test_the_next_step_of_a_slow_drain_is_told_while_pending_and_counted_when_mined() -> None:
    drain = guard(budgets=((3600, 0.05),))
    step = withdrawal(MILLION * 2 // 100)
    for height in (2, 3):
        drain.observe(block(height))
        assert [f for f in drain.observe(at(height, step)) if f.kind == "budget"] == []
    before = pickle.dumps(drain)
    (made,) = (f for f in drain.observe(pending(step)) if f.kind == "budget")
    assert (made.confidence >= 0.8, pickle.dumps(drain) == before) == (True, True)
    assert [f for f in drain.observe(pending(withdrawal(MILLION // 1000))) if f.kind == "budget"] == []


def test_pending_transactions_never_touch_a_budget_and_a_second_look_counts_once() -> None:
    drain = guard()
    before = pickle.dumps(drain)
    for _ in range(50):
        drain.observe(pending(withdrawal(MILLION * 2 // 100)))
    assert pickle.dumps(drain) == before
    drain.observe(block(2))
    whole = at(2, withdrawal(MILLION * 2 // 100))
    assert list(drain.observe(whole)) == []
    assert list(drain.observe(msgspec.structs.replace(whole, supersedes=True))) == []


def test_a_drain_that_a_reorg_took_back_gives_its_budget_back() -> None:
    drain = guard()
    for _ in range(5):
        drain.observe(block(2))
        assert list(drain.observe(at(2, withdrawal(MILLION * 2 // 100)))) == []
        drain.observe(reverted(2, 2))


def test_balances_within_a_block_follow_its_transactions() -> None:
    drain = guard(budgets=())
    drain.observe(block(2))
    assert verdicts(drain.observe(at(2, withdrawal(MILLION * 9 // 10)))) == [("outflow", Severity.CRITICAL)]
    (rest,) = drain.observe(at(2, withdrawal(MILLION * 5 // 100)))
    assert isinstance(rest, Finding)
    assert rest.evidence["share"] == 0.5


def test_a_crowd_of_dust_does_not_make_a_thief_forgotten() -> None:
    drain, kinds = guard(budgets=((86400, 0.9),)), []
    for n in range(2000):
        drain.observe(block(2 + n))
        who, amount = (SINK, MILLION // 400) if n % 150 == 0 else (address(f"dust {n}"), 1000)
        kinds += verdicts(drain.observe(at(2 + n, withdrawal(amount, who))))
    assert kinds
    assert set(kinds) == {("beneficiary", Severity.WARNING)}
