"""Drains at once: money that leaves unpaid for is seen while pending; honest business, however large, is not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Finding, Severity, Watch
from detectors.drain import Drain
from detectors.events import Position, Price, Stage
from detectors.execution import Context, Execution
from detectors.execution.ledger import TRANSFER, WITHDRAWAL, ZERO
from tests.support.drains import (
    ALICE,
    BANK,
    COIN,
    DOLLAR,
    JUNK,
    LENDER,
    MILLION,
    POOL,
    SINK,
    THIEF,
    VAULT,
    WATCH,
    at,
    burn,
    deposit,
    guard,
    verdicts,
    withdrawal,
)
from tests.support.executions import NATIVE, SENDER, Call, address, call, degraded, execution, log, move, pending, transfer, word
from tests.support.pools import CHAIN, block, place, reading, reverted


def test_a_large_unpaid_withdrawal_warns_and_a_larger_one_pauses_while_pending() -> None:
    drain = guard()
    assert verdicts(drain.observe(pending(withdrawal(MILLION * 9 // 100)))) == []
    assert verdicts(drain.observe(pending(withdrawal(MILLION * 12 // 100)))) == [("outflow", Severity.WARNING)]
    (found,) = drain.observe(pending(withdrawal(MILLION * 40 // 100)))
    assert isinstance(found, Finding)
    assert (found.severity, found.subject, found.stage) == (Severity.CRITICAL, BANK, Stage.PENDING)
    assert found.evidence == {
        "asset": NATIVE, "out": str(MILLION * 2 // 5), "balance_before": str(MILLION), "share": 0.4, "beneficiary": THIEF,
        "value_ratio": 0.0,
    }  # fmt: skip


def test_confidence_rises_with_the_share_and_meets_both_marks() -> None:
    drain = guard(budgets=())
    scores = []
    for percent in range(11, 101):
        (found,) = drain.observe(pending(withdrawal(MILLION * percent // 100)))
        assert isinstance(found, Finding)
        scores.append(found.confidence)
    assert scores == sorted(set(scores))
    assert scores[25 - 11] == 0.8
    assert (0.5 < scores[0] < 0.53, scores[-1]) == (True, 0.95)


@pytest.mark.parametrize("known", [{}, {BANK: 0}])
def test_an_unknown_balance_gives_no_share_and_none_is_assumed(known: dict[str, int]) -> None:
    blind = Drain(WATCH)
    whole = msgspec.structs.replace(withdrawal(MILLION), context=Context(balances={NATIVE: known}))
    assert list(blind.observe(pending(whole))) == []


def test_what_the_shell_gathered_goes_before_what_was_read_at_the_last_block() -> None:
    small = msgspec.structs.replace(withdrawal(MILLION // 2), context=Context(balances={NATIVE: {BANK: 100 * MILLION}}))
    assert list(guard().observe(pending(small))) == []


def borrow(loan: int, collateral: int) -> Execution:
    return execution(
        call(THIEF, "go()",
            call(LENDER, "deposit(uint256)", move(COIN, THIEF, LENDER, collateral)),
            call(LENDER, "borrow(uint256)", move(DOLLAR, LENDER, THIEF, loan)))
    )  # fmt: skip


def test_a_loan_against_its_worth_is_honest_and_one_against_a_lifted_price_is_not() -> None:
    drain = guard()
    assert list(drain.observe(borrow(MILLION * 99 // 100, MILLION))) == [], "two million of collateral for one"
    (found,) = guard().observe(pending(borrow(MILLION * 99 // 100, MILLION // 20)))
    assert isinstance(found, Finding)
    assert (found.kind, found.severity, found.subject) == ("outflow", Severity.CRITICAL, LENDER)
    assert found.evidence["value_ratio"] == pytest.approx(0.1 / 0.99, abs=1e-6)
    assert found.evidence["in_asset"] == COIN


def test_the_price_is_that_of_the_parent_block_and_goes_back_with_it() -> None:
    drain = guard()
    drain.observe(block(2))
    drain.observe(Price(chain=CHAIN, at=24.0, position=place(2), token=COIN, value=200.0, unit=DOLLAR))
    loan = pending(borrow(MILLION * 99 // 100, MILLION // 20))
    assert list(drain.observe(loan)) == []
    drain.observe(reverted(2, 2))
    assert verdicts(drain.observe(loan)) == [("outflow", Severity.CRITICAL)]


def test_collateral_that_nobody_prices_is_no_payment_for_anyone_could_have_made_it_known_by_sending_some() -> None:
    drain = Drain(WATCH)
    drain.observe(reading(LENDER, 1, "holdings", {DOLLAR: MILLION, JUNK: 1}))
    theft = execution(
        call(LENDER, "borrow()", move(JUNK, THIEF, LENDER, MILLION), move(DOLLAR, LENDER, THIEF, MILLION * 9 // 10))
    )
    assert verdicts(drain.observe(pending(theft))) == [("outflow", Severity.CRITICAL)]


def test_a_trading_contract_of_plain_kind_is_doubted_where_prices_are_missing() -> None:
    drain = Drain(WATCH)
    drain.observe(reading(BANK, 1, "holdings", {DOLLAR: MILLION, COIN: MILLION}))
    trade = execution(call(BANK, "0x8201aa3f", move(COIN, ALICE, BANK, MILLION // 2), move(DOLLAR, BANK, ALICE, MILLION // 3)))
    assert verdicts(drain.observe(trade)) == [("outflow", Severity.WARNING)]


def swap(dollars_out: int, coins_in: int) -> Execution:
    return execution(
        call(
            POOL, "swap(uint256,uint256,address,bytes)", move(DOLLAR, POOL, ALICE, dollars_out), move(COIN, ALICE, POOL, coins_in)
        )
    )


@given(st.integers(1, 95))
def test_a_swap_of_any_size_along_the_curve_is_paid_for_with_or_without_prices(percent: int) -> None:
    out = 2 * MILLION * percent // 100
    into = MILLION * out // (2 * MILLION - out) * 1003 // 1000 + 1
    priced, unpriced = guard(), Drain(WATCH)
    unpriced.observe(reading(POOL, 1, "uniswap_v2", {DOLLAR: 2 * MILLION, COIN: MILLION}, MILLION))
    for drain in (priced, unpriced):
        assert list(drain.observe(swap(out, into))) == []
    assert verdicts(Drain(WATCH).observe(swap(out, into))) == []


def test_paying_a_pool_in_worthless_tokens_is_no_payment() -> None:
    theft = execution(call(POOL, "swap()", move(DOLLAR, POOL, THIEF, MILLION), move(JUNK, THIEF, POOL, 10 * MILLION)))
    assert verdicts(guard().observe(pending(theft))) == [("outflow", Severity.CRITICAL)]


def test_a_flash_loan_repaid_in_the_same_asset_is_no_outflow() -> None:
    flash = execution(
        call(POOL, "swap()",
            move(DOLLAR, POOL, ALICE, 19 * MILLION // 10),
            call(ALICE, "uniswapV2Call()", move(DOLLAR, ALICE, POOL, 19 * MILLION // 10 + 7)))
    )  # fmt: skip
    assert list(guard().observe(flash)) == []


@pytest.mark.parametrize("part", [8, 60])
def test_liquidity_and_deposits_taken_out_for_shares_are_honest_however_large(part: int) -> None:
    shares = MILLION * part // 100
    leave = execution(
        call(POOL, "burn(address)", burn(POOL, shares), move(DOLLAR, POOL, ALICE, 2 * shares), move(COIN, POOL, ALICE, shares))
    )
    redeem = execution(call(VAULT, "redeem()", burn(VAULT, shares), move(DOLLAR, VAULT, ALICE, shares)))
    drain = guard()
    assert list(drain.observe(leave)) + list(drain.observe(redeem)) == []


def test_a_protocol_fee_minted_on_the_way_makes_a_redemption_no_smaller() -> None:
    shares, fee = MILLION * 40 // 100, MILLION // 50
    paid = call(POOL, "fee()", log(TRANSFER, "0x" + word(ZERO), "0x" + word(SINK), data=(fee,)))
    out = shares * 10**18 // (MILLION + fee)
    moves = [move(DOLLAR, POOL, ALICE, 2 * MILLION * out // 10**18), move(COIN, POOL, ALICE, MILLION * out // 10**18)]
    assert list(guard().observe(execution(call(POOL, "burn(address)", paid, burn(POOL, shares), *moves)))) == []
    own = call(POOL, "fee()", log(TRANSFER, "0x" + word(ZERO), "0x" + word(ALICE), data=(shares,)))
    free = execution(call(POOL, "burn(address)", own, burn(POOL, shares), *moves))
    assert verdicts(guard().observe(pending(free))) == [("outflow", Severity.CRITICAL)], "shares made for nothing a moment ago"


def test_shares_of_a_hundredth_do_not_pay_for_a_third() -> None:
    redeem = execution(call(VAULT, "redeem()", burn(VAULT, MILLION // 100), move(DOLLAR, VAULT, THIEF, MILLION // 3)))
    assert verdicts(guard().observe(pending(redeem))) == [("outflow", Severity.CRITICAL)]


def test_a_vault_with_its_assets_at_work_redeems_out_of_what_lies_idle() -> None:
    drain = Drain(WATCH)
    drain.observe(reading(VAULT, 1, "erc4626", {DOLLAR: MILLION // 10}, MILLION, total_assets=MILLION))
    redeem = execution(call(VAULT, "redeem()", burn(VAULT, MILLION // 12), move(DOLLAR, VAULT, ALICE, MILLION // 12)))
    assert list(drain.observe(redeem)) == []


def test_a_share_token_that_is_another_contract_is_configured() -> None:
    shares = address("lp token")
    leave = execution(
        call(BANK, "exit()", burn(shares, 40), call(ALICE, value=MILLION * 4 // 10)), context=Context(supplies={shares: 100})
    )
    assert list(guard(share_tokens={BANK: shares}).observe(leave)) == []
    assert verdicts(guard().observe(pending(leave))) == [("outflow", Severity.CRITICAL)]


def test_a_share_token_that_the_pool_itself_names_needs_no_configuration() -> None:
    shares, drain = address("lp token"), guard()
    drain.observe(reading(POOL, 1, "curve", {DOLLAR: 100, COIN: 100}, 100, share_token=int(shares, 16)))
    back = [move(token, POOL, ALICE, 40) for token in (DOLLAR, COIN)]
    leave = execution(call(POOL, "remove_liquidity(uint256)", burn(shares, 40), *back))
    assert list(drain.observe(pending(leave))) == []
    assert verdicts(drain.observe(pending(execution(call(POOL, "remove_liquidity(uint256)", burn(shares, 10), *back))))) != []


def test_assets_moved_to_the_house_s_own_strategy_are_not_lost_but_loot_deposited_there_is() -> None:
    invest = execution(call(VAULT, "invest()", move(DOLLAR, VAULT, LENDER, MILLION)))
    loot = execution(
        call(THIEF, "go()", call(BANK, "withdraw()", call(THIEF, value=MILLION)), call(VAULT, "deposit()", value=MILLION // 2))
    )
    assert list(guard().observe(pending(invest))) == []
    assert verdicts(guard().observe(pending(loot))) == [("outflow", Severity.CRITICAL)]


def test_a_transaction_that_fails_takes_nothing() -> None:
    whole = execution(call(BANK, "withdraw()", call(THIEF, value=MILLION), ok=False))
    assert list(guard().observe(whole)) == []


def test_the_tracer_s_absence_changes_nothing() -> None:
    assert verdicts(guard().observe(degraded(pending(withdrawal(MILLION))))) == [("outflow", Severity.CRITICAL)]


EVERYONE, OTHER = {CHAIN: Watch()}, address("other")


def robbed(*more: Call, taken: int = 90) -> Execution:
    """In two halves, so that it is no single payment."""
    halves = [call(BANK, "withdraw()", move(DOLLAR, BANK, THIEF, part)) for part in (taken // 2, taken - taken // 2)]
    return execution(call(THIEF, "go()", *halves, *more), context=Context(balances={DOLLAR: {BANK: 100}}))


def test_without_a_watch_list_a_robbed_contract_is_found_and_a_purse_is_not() -> None:
    assert verdicts(Drain(EVERYONE).observe(robbed())) == [("outflow", Severity.CRITICAL)]
    assert in_the_open(call(BANK, "f()", move(DOLLAR, BANK, THIEF, 100)), held={DOLLAR: 100}) == [], "hands over all it has"
    assert verdicts(Drain({}).observe(robbed())) == [("outflow", Severity.WARNING)], "on a chain that nobody watches"


SAID = log("0x" + "12" * 32)


def test_one_payment_to_whoever_asked_for_it_may_be_his_and_pauses_only_what_somebody_named() -> None:
    """A vested sum, a loan; or a theft by one call, which looks no different."""
    for taken in (30, 100):
        claim = execution(
            call(THIEF, "go()", call(BANK, "claim()", SAID, move(DOLLAR, BANK, THIEF, taken))),
            context=Context(balances={DOLLAR: {BANK: 100}}),
        )
        assert verdicts(Drain(EVERYONE).observe(claim)) == [("outflow", Severity.WARNING)]
        assert verdicts(Drain(WATCH).observe(claim)) == [("outflow", Severity.CRITICAL)]


def test_a_coin_unwrapped_on_the_way_is_still_one_payment() -> None:
    wrapped = address("wrapped coin")
    unwrap = call(wrapped, "withdraw(uint256)", log(WITHDRAWAL, "0x" + word(BANK), data=(60,)), call(BANK, value=60))
    assert in_the_open(call(BANK, "claim()", unwrap, call(THIEF, value=60)), held={wrapped: 100}) == [
        ("outflow", Severity.WARNING)
    ]


def lent(*nodes: Call, back: int = 7_000) -> Call:
    """What is done with money that must be given back at once."""
    got, due = move(COIN, LENDER, THIEF, 7_000), move(COIN, THIEF, LENDER, back)
    return call(LENDER, "flashLoan()", got, call(THIEF, "onLoan()", *nodes, due))


def test_all_of_it_taken_with_borrowed_money_or_taken_for_keeps_is_a_raid_and_pauses() -> None:
    spent = move(DOLLAR, THIEF, SINK, 40)
    for taken, then, severity in (
        (95, (), "critical"),
        (40, (), "critical"),
        (95, (spent,), "critical"),
        (40, (spent,), "warning"),
    ):
        claim = call(BANK, "borrow()", move(DOLLAR, BANK, THIEF, taken))
        swap = move(JUNK, SINK, THIEF, 1)
        assert in_the_open(lent(claim, *then, swap), held={DOLLAR: 100}) == [("outflow", Severity(severity))], (taken, then)
        unpaid = in_the_open(lent(claim, *then, swap, back=6_000), held={DOLLAR: 100})
        assert unpaid == [("outflow", Severity.WARNING)], "no loan: the lender did not have it back"


def test_what_is_carried_off_with_borrowed_money_to_an_account_that_does_nothing_is_a_loss_all_the_same() -> None:
    straight = call(BANK, "f()", SAID, move(DOLLAR, BANK, SINK, 90))
    handed = call(BANK, "f()", SAID, move(DOLLAR, BANK, THIEF, 90)), move(DOLLAR, THIEF, SINK, 90)
    for nodes in ((straight,), handed):
        assert in_the_open(lent(*nodes), held={DOLLAR: 100}) == [("outflow", Severity.WARNING)]
        assert in_the_open(*nodes, held={DOLLAR: 100}) == [], "a fee collected for a treasury, with nothing borrowed"
        assert in_the_open(lent(*nodes, call(SINK, "f()")), held={DOLLAR: 100}) == [], "who runs has business of his own"
        assert in_the_open(lent(*nodes, move(JUNK, SINK, ALICE, 1)), held={DOLLAR: 100}) == [], "and so has who gives"
    redeemed = call(BANK, "f()", burn(BANK, 50), move(DOLLAR, BANK, SINK, 50))
    assert in_the_open(lent(redeemed), held={DOLLAR: 100}) == [("outflow", Severity.INFO)]
    half = call(BANK, "f()", SAID, move(DOLLAR, BANK, SINK, 40), move(DOLLAR, BANK, ALICE, 25), move(DOLLAR, BANK, OTHER, 25))
    assert in_the_open(lent(half), held={DOLLAR: 100}) == []


def test_several_payments_and_one_to_somebody_who_did_not_ask_are_no_claim() -> None:
    half = call(BANK, "claim()", SAID, move(DOLLAR, BANK, THIEF, 30))
    away = call(BANK, "claim()", SAID, move(DOLLAR, BANK, SINK, 30), move(DOLLAR, BANK, THIEF, 1))
    pulled = call(BANK, "approve()", SAID), call(DOLLAR, "0x23b872dd", transfer(BANK, THIEF, 30), args=(BANK, THIEF, 30))
    paid_in = call(BANK, "deposit()", move(COIN, THIEF, BANK, 1)), half
    for nodes in ((half, half), (away,), pulled):
        assert in_the_open(*nodes, held={DOLLAR: 100}) == [("outflow", Severity.CRITICAL)]
    assert in_the_open(*paid_in, held={DOLLAR: 100, COIN: 5}) == [("outflow", Severity.CRITICAL)]


def test_without_a_watch_list_wallets_and_bots_emptying_themselves_are_nobody_s_loss() -> None:
    own = execution(call(THIEF, "sweep()", move(DOLLAR, THIEF, SENDER, 90)), context=Context(balances={DOLLAR: {THIEF: 100}}))
    wallet = execution(call(THIEF, "pull()", move(DOLLAR, ALICE, THIEF, 90)), context=Context(balances={DOLLAR: {ALICE: 100}}))
    multisend = execution(
        call(THIEF, "send()", call(ALICE, value=45), call(BANK, value=45)),
        context=Context(balances={NATIVE: {THIEF: 100, ALICE: 5}}),
    )
    for honest in (own, wallet, multisend):
        assert list(Drain(EVERYONE).observe(honest)) == []


@given(st.integers(-(2**260), 2**260), st.integers(-(2**260), 2**300), st.floats())
def test_whatever_a_node_says_nothing_raises(amount: int, held: int, price: float) -> None:
    drain = Drain(WATCH)
    drain.observe(block(1))
    drain.observe(reading(BANK, 1, "holdings", {NATIVE: held}, amount))
    drain.observe(Price(chain=CHAIN, at=0.0, position=place(1), token=NATIVE, value=price))
    list(drain.observe(at(2, withdrawal(amount))))
    list(drain.observe(at(2, deposit(amount))))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        Drain(warn_share=0.3, pause_share=0.2)


def test_an_execution_in_a_block_nobody_announced_is_judged_all_the_same() -> None:
    whole = msgspec.structs.replace(withdrawal(MILLION // 2), position=Position(7, "0x7"))
    assert ("outflow", Severity.CRITICAL) in verdicts(guard().observe(whole))


def in_the_open(*nodes: Call, held: dict[str, int], supplies: dict[str, int] | None = None) -> list[tuple[str, Severity]]:
    """Verdicts without a watch list on a contract of which only balances are known."""
    known = Context(balances={asset: {BANK: amount} for asset, amount in held.items()}, supplies=supplies or {})
    return verdicts(Drain(EVERYONE).observe(execution(call(THIEF, "go()", *nodes), context=known)))


def test_a_withdrawal_for_shares_of_unknown_number_is_a_redemption_and_of_known_number_is_judged() -> None:
    leave = call(BANK, "withdraw()", burn(BANK, 60), move(DOLLAR, BANK, THIEF, 60))
    handed = call(BANK, "redeem()", move(BANK, THIEF, BANK, 60), move(DOLLAR, BANK, THIEF, 60))
    assert in_the_open(leave, held={DOLLAR: 100}) == in_the_open(handed, held={DOLLAR: 100}) == [("outflow", Severity.INFO)]
    assert in_the_open(leave, held={DOLLAR: 65}) == [("outflow", Severity.WARNING)], "all there was"
    assert in_the_open(leave, leave, held={DOLLAR: 200}) == [("outflow", Severity.WARNING)], "again and again"
    assert in_the_open(leave, held={DOLLAR: 100}, supplies={BANK: 100}) == []
    assert in_the_open(leave, held={DOLLAR: 100}, supplies={BANK: 1000}) == [("outflow", Severity.CRITICAL)]


def test_a_pool_s_business_at_a_price_nobody_knows_is_no_more_than_a_note() -> None:
    swap = call(BANK, "0x8201aa3f", move(DOLLAR, BANK, THIEF, 60), move(COIN, THIEF, BANK, 5))
    position = call(BANK, "0x4f1eb3d8", move(DOLLAR, BANK, THIEF, 60))
    for business in (swap, position):
        assert in_the_open(business, held={DOLLAR: 100}) == [("outflow", Severity.INFO)]
    assert in_the_open(swap, held={DOLLAR: 100, COIN: 5000}) == [("outflow", Severity.CRITICAL)], "a speck for more than half"


def test_a_position_paid_out_by_a_watched_v3_pool_is_honest_and_a_lopsided_swap_is_not() -> None:
    drain = Drain(WATCH)
    drain.observe(reading(POOL, 1, "uniswap_v3", {DOLLAR: 100, COIN: 100}))
    assert (
        list(drain.observe(execution(call(POOL, "0x4f1eb3d8", move(DOLLAR, POOL, ALICE, 90), move(COIN, POOL, ALICE, 5))))) == []
    )
    theft = execution(call(POOL, "0x128acb08", move(DOLLAR, POOL, THIEF, 90), move(COIN, THIEF, POOL, 1)))
    assert verdicts(drain.observe(pending(theft))) == [("outflow", Severity.CRITICAL)]
