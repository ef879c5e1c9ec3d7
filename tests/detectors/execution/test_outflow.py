"""What counts as paid for in a stable pool: like for like, whatever its balance, and whatever decimals its coins have."""

import pytest

from detectors.execution import NO_CONTEXT
from detectors.execution.ledger import ZERO, Ledger
from detectors.execution.outflow import Holding, Known, Outflow, outflows

POOL, USER, SIX, EIGHTEEN = "0xb0", "0xe1", "0xc6", "0xc8"


def swapped(paid: int, got: int, held: dict[str, int], kind: str = "curve") -> Outflow:
    """What left the pool when so much of the first of its coins was paid for so much of the second."""
    ledger, (first, second) = Ledger(), held
    ledger.move(first, USER, POOL, paid)
    ledger.move(second, POOL, USER, got)
    (found,) = outflows(ledger, Known("eip155:1", POOL, NO_CONTEXT, Holding(kind, held), {}, POOL), {})
    return found


@pytest.mark.parametrize("balance", [1, 6, 200])
def test_a_swap_at_par_is_paid_for_however_lopsided_the_pool(balance: int) -> None:
    coins = {EIGHTEEN: balance * 10**24, SIX: 10**12}
    assert swapped(5 * 10**23, 4_998 * 10**8, coins).paid
    assert swapped(5 * 10**11, 4_998 * 10**20, {SIX: 10**12, EIGHTEEN: 10**24}).paid


def test_an_exchange_far_from_par_is_not_paid_for_and_not_certain() -> None:
    """Coins that bear interest trade at rates nobody here knows; a theft through the exchange looks the same, and warns."""
    found = swapped(10**22, 5 * 10**11, {EIGHTEEN: 10**24, SIX: 10**12})
    assert (found.paid, found.doubtful, found.swapped) == ("", True, False)


def test_one_of_a_pool_that_is_none_is_a_loss() -> None:
    assert not swapped(10**22, 5 * 10**23, {EIGHTEEN: 10**24, "0xc9": 10**24}, "uniswap_v2").paid


def test_money_for_nothing_stays_a_loss() -> None:
    ledger = Ledger()
    ledger.move(SIX, POOL, USER, 5 * 10**11)
    held = Holding("curve", {EIGHTEEN: 10**24, SIX: 10**12})
    (found,) = outflows(ledger, Known("eip155:1", POOL, NO_CONTEXT, held, {}, POOL), {})
    assert (found.paid, found.doubtful, found.share) == ("", False, 0.5)


@pytest.mark.parametrize("held", [{EIGHTEEN: 2**256 - 1, SIX: 1}, {EIGHTEEN: -5, SIX: 10**12}])
def test_reserves_that_lie_prove_nothing(held: dict[str, int]) -> None:
    assert not swapped(10**23, 10**11, held).paid


def left(coin: str, out: int, burnt: int, kind: str = "curve") -> Outflow:
    """What left when so many of a thousand shares were burnt for one coin of three parts to one."""
    ledger = Ledger()
    ledger.move(POOL, USER, ZERO, burnt)
    ledger.move(coin, POOL, USER, out)
    held = Holding(kind, {EIGHTEEN: 3 * 10**24, SIX: 10**12}, supply=1_000)
    (found,) = outflows(ledger, Known("eip155:1", POOL, NO_CONTEXT, held, {}, POOL), {})
    return found


def test_a_share_may_be_taken_out_in_one_coin() -> None:
    """A tenth of the pool is four tenths of its scarce coin."""
    assert left(SIX, 4 * 10**11, 100).paid == "shares"
    assert left(EIGHTEEN, 4 * 10**23, 100).paid == "shares"
    assert left(SIX, 4 * 10**11, 50).paid == ""
    assert left(SIX, 4 * 10**11, 100, "uniswap_v2").paid == ""
