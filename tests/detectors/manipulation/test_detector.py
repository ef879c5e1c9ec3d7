"""Prices pushed and believed, and the honest business that looks like it."""

import pytest

from detectors.base import Finding, Watch
from detectors.events import Event
from detectors.execution import Execution
from detectors.invariants.states import SYNC
from detectors.manipulation import Manipulation
from tests.support.executions import ETHER, SENDER, Call, address, call, execution, log, move, pending, static, transfer
from tests.support.pools import CHAIN, Pair, block, reading

LENDER, PAIR, THIEF, ROUTER, ORACLE, VAULT = map(address, ("lender", "pair", "thief", "router", "oracle", "vault"))
COIN, DOLLAR = sorted(map(address, ("coin", "dollar")))
WATCH = {CHAIN: Watch(watched=frozenset({LENDER, PAIR, VAULT}), trusted=frozenset({ROUTER}))}
MILLION = 10**6 * ETHER


class Venue:
    """A pair of a million each, moved by its own arithmetic; every use is told as the real one tells it."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.pair.mint(MILLION, MILLION)

    def swap(self, amount: int, *, buys: bool) -> Call:
        """The thief buys coins with dollars, or sells them."""
        out = self.pair.swap(amount, zero_in=not buys)
        paid, got = (DOLLAR, COIN) if buys else (COIN, DOLLAR)
        return call(
            PAIR, "swap(uint256,uint256,address,bytes)",
            move(got, PAIR, THIEF, out), move(paid, THIEF, PAIR, amount),
            log(SYNC, data=(self.pair.r0, self.pair.r1)),
        )  # fmt: skip


def borrow(cash: int, pledged: int, *, through_oracle: bool = False) -> Call:
    """The lender looks at the pair and pays."""
    look = static(PAIR, "getReserves()")
    if through_oracle:
        look = static(ORACLE, "price()", look)
    return call(LENDER, "borrow(uint256)", move(COIN, THIEF, LENDER, pledged), look, move(DOLLAR, LENDER, THIEF, cash))


def pushed(*middle: Call, push: int = MILLION, pieces: int = 1, returns: bool = True) -> Execution:
    """Buys, the middle, and (nearly) all sold again."""
    venue = Venue()
    coins = venue.pair.r0
    buys = [venue.swap(push // pieces, buys=True) for _ in range(pieces)]
    back = [venue.swap(coins - venue.pair.r0, buys=False)] if returns else []
    return execution(call(THIEF, "go()", *buys, *middle, *back))


def told(*events: Event, watch: dict[str, Watch] | None = None) -> list[Finding]:
    guard = Manipulation(WATCH if watch is None else watch)
    return [made for event in events for made in guard.observe(event)]


@pytest.mark.parametrize("through_oracle", [False, True])
def test_a_lender_that_believes_a_pushed_price_is_the_victim_at_any_stage(*, through_oracle: bool) -> None:
    robbery = pushed(borrow(500_000 * ETHER, 200_000 * ETHER, through_oracle=through_oracle))
    for whole in (robbery, pending(robbery)):
        (made,) = told(whole)
        assert (made.kind, made.subject, made.confidence >= 0.8) == ("price", LENDER, True)
        assert float(made.evidence["off_when_believed"]) > 1.0


def test_a_push_that_stays_counts_when_the_loan_is_not_worth_its_pledge_at_the_price_before() -> None:
    (made,) = told(pushed(borrow(900_000 * ETHER, 200_000 * ETHER), push=MILLION // 2, returns=False))
    assert made.confidence >= 0.8
    covered = borrow(190_000 * ETHER, 200_000 * ETHER)
    assert told(pushed(covered, push=MILLION // 10, returns=False)) == [], "worth its pledge at the honest price"


def test_many_small_pushes_are_a_pattern() -> None:
    (made,) = told(pushed(borrow(500_000 * ETHER, 200_000 * ETHER), pieces=6))
    assert (made.confidence, made.evidence["pattern"]) == (0.95, "6 pushes on end")


def test_a_small_push_a_look_before_the_push_and_a_look_of_one_s_own_are_nothing() -> None:
    loan = borrow(500_000 * ETHER, 200_000 * ETHER)
    assert told(pushed(loan, push=MILLION // 100)) == []
    assert told(execution(call(THIEF, "go()", loan, *(n for n in (Venue().swap(MILLION, buys=True),))))) == []
    assert told(pushed(static(PAIR, "getReserves()"), static(PAIR, "getReserves()"))) == []


def test_a_trusted_router_believes_nothing_and_a_watched_one_does() -> None:
    trade = call(ROUTER, "sell()", static(PAIR, "getReserves()"), move(DOLLAR, ROUTER, THIEF, MILLION // 2))
    assert told(pushed(trade)) == []
    named = {CHAIN: Watch(watched=frozenset({ROUTER}), trusted=frozenset({ROUTER}))}
    assert [made.subject for made in told(pushed(trade), watch=named)] == [ROUTER]


def test_an_unwatched_lender_warns_and_does_not_pause() -> None:
    (made,) = told(pushed(borrow(500_000 * ETHER, 200_000 * ETHER)), watch={CHAIN: Watch(watched=frozenset({VAULT}))})
    assert 0.5 <= made.confidence < 0.8


def test_without_logs_what_the_pair_holds_tells_its_price() -> None:
    guard = Manipulation(WATCH)
    guard.observe(block(1))
    guard.observe(reading(PAIR, 1, "uniswap_v2", {COIN: MILLION, DOLLAR: MILLION}, MILLION))
    whole = pushed(borrow(500_000 * ETHER, 200_000 * ETHER))
    blind = execution(call(THIEF, "go()"), logged=False)
    blind = type(blind)(**{f: getattr(whole, f) for f in whole.__struct_fields__} | {"steps": [], "logged": False})
    assert [made.subject for made in guard.observe(blind)] == [LENDER]


def shares(user: str, amount: int) -> Call:
    return call(VAULT, "deposit(uint256,address)", transfer("0x" + "0" * 40, user, amount))


def vault(supply: int, assets: int) -> Manipulation:
    guard = Manipulation(WATCH)
    guard.observe(block(1))
    guard.observe(reading(VAULT, 1, "erc4626", {DOLLAR: assets}, supply, total_assets=assets))
    return guard


def deposit(amount: int, made: int) -> Execution:
    minted = [transfer("0x" + "0" * 40, SENDER, made)] if made else []
    return execution(call(VAULT, "deposit(uint256,address)", move(DOLLAR, SENDER, VAULT, amount), *minted))


@pytest.mark.parametrize(("made", "kinds"), [(0, ["rounded_away"]), (1, ["rounded_away"]), (200, [])])
def test_a_deposit_rounded_away_is_told_and_a_fee_is_not(made: int, kinds: list[str]) -> None:
    assert [f.kind for f in vault(1, 10**18).observe(deposit(2 * 10**18 - 1, made))] == kinds


def test_a_vault_with_real_shares_cannot_be_inflated() -> None:
    guard = vault(10**18, 10**18)
    gift = execution(call(DOLLAR, "transfer(address,uint256)", transfer(SENDER, VAULT, 10**24), args=(VAULT, 10**24)))
    assert [*guard.observe(gift), *guard.observe(deposit(10**18, 1))] == []
