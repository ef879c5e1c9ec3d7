"""A lender asks for a price and its treasury pays: both are robbed, and honest business of that shape is not."""

import pytest

from detectors.base import Finding, Severity, Watch
from detectors.execution import Execution
from detectors.execution.ledger import ZERO
from detectors.invariants.states import SYNC
from detectors.manipulation import Manipulation
from tests.support.executions import (
    ETHER,
    Call,
    address,
    balance_of,
    call,
    degraded,
    execution,
    log,
    move,
    sload,
    sstore,
    static,
    transfer,
)
from tests.support.pools import CHAIN, Pair

LENDER, TREASURY, VAULT, PAIR, OTHER, THIEF, ORACLE = map(
    address, ("lender", "treasury", "pledges", "pair", "other pair", "thief", "oracle")
)
COIN, DOLLAR = sorted(map(address, ("coin", "dollar")))
RECEIPT, GEM = map(address, ("receipt", "gem"))
MILLION = 10**6 * ETHER
LOAN = 500_000 * ETHER
LOOK = static(ORACLE, "price()", static(PAIR, "getReserves()"))


class Venue:
    """A pair of a million each, pushed by the thief and (nearly) let go."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.pair.mint(MILLION, MILLION)

    def swap(self, amount: int, *, buys: bool, trader: str = THIEF) -> Call:
        out = self.pair.swap(amount, zero_in=not buys)
        paid, got = (DOLLAR, COIN) if buys else (COIN, DOLLAR)
        return call(
            PAIR, "swap(uint256,uint256,address,bytes)",
            move(got, PAIR, trader, out), move(paid, trader, PAIR, amount), log(SYNC, data=(self.pair.r0, self.pair.r1)),
        )  # fmt: skip


def pledge(amount: int) -> Call:
    """Coins put where the lender's pledges lie."""
    return call(COIN, "0x23b872dd", transfer(THIEF, VAULT, amount), args=(THIEF, VAULT, amount))


def paid(amount: int = LOAN, *more: Call, asset: str = DOLLAR, payer: str = TREASURY) -> Call:
    """The lender sets another contract to work, which pays."""
    return call(payer, "payOut(address,uint256)", sload(0, 5), *more, move(asset, payer, THIEF, amount))


def borrow(*nodes: Call) -> Call:
    return call(LENDER, "borrow(uint256)", sload(1, 0), *nodes, sstore(1, LOAN))


def pushed(*middle: Call, push: int = MILLION, returns: bool = True) -> Execution:
    venue, coins = Venue(), MILLION
    lift = venue.swap(push, buys=True)
    back = [venue.swap(coins - venue.pair.r0, buys=False)] if returns else []
    return execution(call(THIEF, "go()", lift, *middle, *back))


def told(whole: Execution, *watched: str) -> list[Finding]:
    return Manipulation({CHAIN: Watch(watched=frozenset(watched))})._execution(whole)


ROBBERY = pushed(pledge(200_000 * ETHER), borrow(LOOK, balance_of(DOLLAR, TREASURY, 20 * LOAN), paid()))


@pytest.mark.parametrize("watched", [TREASURY, LENDER])
def test_a_treasury_that_pays_for_a_price_its_lender_believed_is_robbed_with_it(watched: str) -> None:
    for whole in (ROBBERY, degraded(ROBBERY)):
        (made,) = told(whole, watched)
        assert (made.kind, made.victims, made.confidence >= 0.8) == ("price", (TREASURY, LENDER), True)
    (made,) = told(ROBBERY, VAULT)
    assert 0.5 <= made.confidence < 0.8, "neither of them is watched"


def test_ether_that_a_treasury_pays_counts_too() -> None:
    ether = call(TREASURY, "payOut(address,uint256)", call(THIEF, value=LOAN))
    (made,) = told(pushed(pledge(200_000 * ETHER), borrow(LOOK, ether)), TREASURY)
    assert made.victims == (TREASURY, LENDER)


def test_a_loan_worth_its_pledge_at_the_price_before_robs_nobody() -> None:
    receipt = call(RECEIPT, "mint()", transfer(ZERO, THIEF, 1))
    for whole in (
        pushed(pledge(LOAN), borrow(LOOK, paid())),
        pushed(pledge(LOAN // 4), receipt, borrow(LOOK, paid(LOAN // 4)), push=LOAN // 5, returns=False),
    ):
        assert told(whole, TREASURY) == []


def test_shares_given_up_for_what_is_paid_are_of_unknown_worth() -> None:
    burn = call(RECEIPT, "burn()", transfer(THIEF, ZERO, LOAN))
    for more, severity in ((burn,), Severity.INFO), ((), Severity.CRITICAL):
        (made,) = told(pushed(borrow(LOOK, paid(LOAN, *more)), push=LOAN // 2, returns=False), TREASURY)
        assert made.severity is severity


CALLBACK = call(THIEF, "onLoan()", paid())
HONEST = {
    "paid before the look": pushed(borrow(paid(), LOOK)),
    "paid in a call of its own": pushed(borrow(LOOK), paid()),
    "called for by the initiator himself": pushed(borrow(LOOK, CALLBACK)),
    "charged without doing anything": pushed(
        borrow(LOOK, call(DOLLAR, "0x23b872dd", transfer(TREASURY, THIEF, LOAN), args=(TREASURY, THIEF, LOAN)))
    ),
    "paid to somebody else": pushed(
        borrow(LOOK, call(TREASURY, "payOut()", move(DOLLAR, TREASURY, VAULT, LOAN))), move(DOLLAR, VAULT, THIEF, LOAN)
    ),
    "looked at by nobody that can act": pushed(static(LENDER, "quote()", LOOK), paid()),
    "paid by a pool that traded": pushed(
        borrow(LOOK, call(OTHER, "swap()", move(COIN, THIEF, OTHER, 9), move(DOLLAR, OTHER, THIEF, LOAN), log(SYNC, data=(1, 1))))
    ),
    "exchanged for something of unknown worth": pushed(borrow(LOOK, paid(LOAN, move(GEM, THIEF, TREASURY, 7)))),
}


@pytest.mark.parametrize("whole", HONEST.values(), ids=HONEST)
def test_what_is_not_paid_by_the_word_of_an_asker_is_nobody_s_belief(whole: Execution) -> None:
    assert told(whole, TREASURY, LENDER, OTHER) == []


def test_a_price_that_the_asker_s_own_business_moved_was_not_pushed_on_it() -> None:
    """A house sells what it earned, asks for the price, and has its treasury pay whoever set it to work."""
    venue = Venue()
    sale = venue.swap(MILLION, buys=False, trader=LENDER)
    assert told(execution(call(THIEF, "go()", borrow(sale, LOOK, paid()), call(GEM, "f()"))), TREASURY) == []
