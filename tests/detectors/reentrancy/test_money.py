"""Economics: what counts as a gain, and what stays unknown."""

from msgspec.structs import replace

from detectors.base import Watch
from detectors.execution import Context, Execution
from detectors.reentrancy.money import Money, Stakes
from detectors.reentrancy.structure import Structure
from tests.support.cast import BANK, FRIEND, OTHER, THIEF, TOKEN
from tests.support.executions import ETHER, Node, address, call, create, degraded, execution, move


def stakes(*nodes: Node, victims: tuple[str, ...] = (BANK,), **known: object) -> Stakes:
    event: Execution = degraded(execution(call(THIEF, "f()", *nodes)))
    event = replace(event, context=replace(Context(), **known))
    return Money(Structure(event, Watch())).stakes(victims)


PAYS = call(BANK, "w()", call(THIEF, value=10 * ETHER))


def test_what_left_the_victim_is_weighed_against_what_it_held() -> None:
    small = stakes(PAYS, balances={"native": {BANK: 100_000 * ETHER}})
    large = stakes(PAYS, balances={"native": {BANK: 100 * ETHER}})
    assert (small.counts, large.counts) == (False, True)
    assert (large.why, large.share) == ("outflow", 0.1)


def test_a_price_makes_small_shares_count_when_the_sum_is_large() -> None:
    held = {"native": {BANK: 5_000 * ETHER}}
    assert stakes(PAYS, balances=held, prices={"native": 3000 / ETHER}).why == "price"
    assert not stakes(PAYS, balances=held, prices={"native": 30 / ETHER}).counts


def test_money_for_nothing_counts_where_balances_are_unknown() -> None:
    free = stakes(PAYS)
    assert (free.counts, free.why, free.share, free.gain) == (True, "free", None, 10 * ETHER)


def test_a_trade_is_not_money_for_nothing() -> None:
    assert not stakes(PAYS, move(TOKEN, THIEF, BANK, 7)).counts
    assert not stakes(PAYS, move(TOKEN, THIEF, FRIEND, 7)).counts


def test_paying_in_a_token_of_ones_own_making_is() -> None:
    assert stakes(create(OTHER), move(OTHER, THIEF, BANK, 10**30), PAYS).counts


def test_whoever_else_bled_is_named() -> None:
    assert stakes(call(FRIEND, "w()", call(THIEF, value=5)), victims=(BANK,)).loser == FRIEND


def test_the_gain_is_the_partys_and_not_one_pockets() -> None:
    assert not stakes(call(THIEF, "g()"), call(address("sender"), value=5)).counts


def test_a_loss_that_nobody_of_ours_sees_anything_of_is_not_ours() -> None:
    assert not stakes(call(BANK, "w()", call(FRIEND, value=5))).counts
