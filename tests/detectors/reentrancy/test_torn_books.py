"""Read-only re-entrancy: books that are half changed mislead whoever pays by them; books that are not changed yet do not."""

from msgspec.structs import replace

from detectors.base import Finding, Watch
from detectors.execution import Context, Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import LENDER, POOL, THIEF, TOKEN, ZERO, attack
from tests.support.executions import ETHER, Node, address, balance, call, degraded, move, sload, sstore, static, transfer

SHARES, HELD, OTHER_HELD, LOCK, PLEDGED = 0x700000, 0x710000, 0x720000, 0x0, 0x730000
TREASURY, COINS = address("treasury"), address("coins")
EVERYTHING = Watch()
PRICE = "get_virtual_price()"


def borrowed(*looks: Node, paid: int = 500 * ETHER, pledge: int = 900) -> Node:
    """A lender asks the pool what a pledge is worth, and pays by that."""
    asked = static(POOL, PRICE, *looks)
    taken = call(address("shares"), "0x23b872dd", transfer(THIEF, LENDER, pledge), args=(THIEF, LENDER, pledge))
    return call(LENDER, "borrow(uint256)", asked, sstore(PLEDGED, pledge), taken, move(TOKEN, LENDER, THIEF, paid))


def judged(event: Execution, victim: str = LENDER, watch: Watch = EVERYTHING) -> float:
    """The strongest word on the lender. It held ten thousand, so that what it lost is known."""
    known = replace(event, context=Context(balances={TOKEN: {victim: 10_000 * ETHER}}))
    said = Reentrancy({"eip155:1": watch}).observe(known)
    return max((f.confidence for f in said if isinstance(f, Finding) and victim in f.victims), default=0.0)


def removed(inside: Node, *before: Node) -> Execution:
    """Liquidity is removed; the caller is paid before the pool has written everything down."""
    paid = call(THIEF, None, inside, value=100 * ETHER)
    return attack(
        call(POOL, "remove_liquidity(uint256)", sload(SHARES, 1000), sload(HELD, 800), *before, paid, sstore(HELD, 300))
    )


def test_a_lender_that_pays_by_half_changed_books_pauses() -> None:
    """dForce, Sentiment, Sturdy: the shares are burnt already, the balances stand. What was pledged looks dear."""
    look = borrowed(sload(SHARES, 500), sload(HELD, 800))
    assert judged(removed(look, sstore(SHARES, 500))) >= 0.8


def test_so_does_one_whose_shares_are_kept_by_another_contract() -> None:
    """Balancer's: the pool burns the shares, the vault has the balances."""
    burnt = call(address("shares"), "burn(address,uint256)", transfer(THIEF, ZERO, 500))
    assert judged(removed(borrowed(sload(HELD, 800)), burnt)) >= 0.8


def test_a_grain_that_it_paid_leaves_a_warning() -> None:
    look = borrowed(sload(SHARES, 500), sload(HELD, 800), paid=ETHER)
    assert 0.5 <= judged(removed(look, sstore(SHARES, 500))) < 0.8


def test_a_lender_that_looks_at_a_pool_in_the_middle_of_a_flash_swap_sees_what_was_true_a_moment_ago() -> None:
    """A leveraged position: bought on credit of the swap, financed by a loan, at reserves of which nothing has changed yet."""
    lent = borrowed(sload(HELD, 800))
    swap = call(
        POOL, "swap(uint256)", sstore(LOCK, 0), sload(HELD, 800), call(THIEF, "back()", lent), sstore(HELD, 300), sstore(LOCK, 1)
    )
    assert judged(attack(swap)) < 0.8


def test_a_lock_that_shares_its_slot_with_the_price_is_a_lock() -> None:
    """Uniswap V3: the price is written before the callback, and after it only the lock beside it is opened again."""
    price, unlocked = 0x1234_5678 << 64, 1 << 240
    lent = borrowed(sload(HELD, price))
    swap = call(
        POOL,
        "swap(uint256)",
        sload(HELD, (price >> 1) | unlocked),
        sstore(HELD, price),
        call(THIEF, "back()", lent),
        sstore(HELD, price | unlocked),
    )
    assert judged(attack(swap)) < 0.5


def test_a_counter_beside_the_lock_that_moved_on_is_none() -> None:
    price, unlocked = 0x1234_5678 << 64, 1 << 240
    swap = call(
        POOL,
        "swap(uint256)",
        sload(HELD, price | unlocked),
        sstore(HELD, price),
        call(THIEF, "back()", borrowed(sload(HELD, price))),
        sstore(HELD, (price >> 1) | unlocked),
    )
    assert judged(attack(swap)) >= 0.5


def lent_from_a_treasury(*looks: Node) -> Node:
    """A lender that keeps neither books nor cash: its treasury writes, and pays."""
    paid = call(TREASURY, "lend(address,uint256)", sstore(PLEDGED, 900), move(TOKEN, TREASURY, THIEF, 500 * ETHER))
    return call(LENDER, "borrow(uint256)", static(POOL, PRICE, *looks), paid)


def test_a_treasury_that_pays_for_a_lender_misled_by_half_changed_books_pauses() -> None:
    robbed = removed(lent_from_a_treasury(sload(SHARES, 500), sload(HELD, 800)), sstore(SHARES, 500))
    assert judged(robbed, TREASURY, Watch(watched=frozenset((TREASURY,)))) >= 0.8
    assert judged(robbed, LENDER) >= 0.8
    assert judged(degraded(robbed), TREASURY) >= 0.5


def test_pools_that_pay_their_price_for_whoever_looked_at_one_that_waits_lose_nothing() -> None:
    """An aggregator without books asks the pool of a flash swap for its price, and trades elsewhere for the swapper."""
    sold = call(COINS, "0x23b872dd", transfer(THIEF, TREASURY, 900), args=(THIEF, TREASURY, 900))
    trade = call(TREASURY, "trade(address)", sload(HELD, 5), sstore(HELD, 6), move(TOKEN, TREASURY, THIEF, 500 * ETHER))
    routed = call(LENDER, "route(uint256)", static(POOL, PRICE, sload(HELD, 800)), sold, trade)
    swap = attack(call(POOL, "swap(uint256)", sload(HELD, 800), call(THIEF, "back()", routed), sstore(HELD, 300)))
    assert judged(swap, TREASURY) == judged(degraded(swap), TREASURY) == 0
    assert judged(swap) < 0.5
    assert judged(degraded(swap)) < 0.5


def by_a_share_apart(*, burnt_first: bool) -> Execution:
    """A vault pays ether out for shares that a token of its own keeps; a lender asks the vault for the price meanwhile."""

    def supply(value: int) -> Node:
        return static(COINS, "totalSupply()", sload(SHARES, value), returns=value)

    now = 910 if burnt_first else 1000
    view = static(POOL, PRICE, balance(POOL, 910 * ETHER), supply(now), returns=1)
    paid = move(TOKEN, LENDER, THIEF, 500 * ETHER)
    lent = call(LENDER, "borrow(uint256)", static(address("oracle"), "price()", view), sstore(PLEDGED, 9), paid)
    burnt = call(COINS, "burnFrom(address,uint256)", sload(SHARES, 1000), sstore(SHARES, 910), transfer(THIEF, ZERO, 90))
    out = call(THIEF, None, lent, value=90 * ETHER)
    steps = (burnt, out) if burnt_first else (out, burnt)
    return attack(call(POOL, "withdraw(uint256)", balance(POOL, 1000 * ETHER), supply(1000), *steps))


def test_a_supply_kept_by_a_token_apart_is_as_torn_as_one_at_home() -> None:
    robbed = by_a_share_apart(burnt_first=False)
    assert judged(robbed, LENDER, Watch(watched=frozenset((LENDER,)))) >= 0.8
    assert judged(robbed, POOL) >= 0.8


def test_a_supply_written_before_the_vault_pays_misleads_nobody() -> None:
    assert judged(by_a_share_apart(burnt_first=True)) < 0.5
