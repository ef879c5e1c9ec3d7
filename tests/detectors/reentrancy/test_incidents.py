"""Shapes of well-known incidents, as call tree and logs show them: what must be at least a warning without any storage."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from detectors.base import Finding, Watch
from detectors.execution import Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import THIEF, ZERO, attack
from tests.support.executions import (
    ETHER,
    Call,
    Node,
    address,
    balance,
    balance_of,
    call,
    create,
    degraded,
    log,
    move,
    sload,
    sstore,
    static,
    transfer,
)

FAKE, POOL, FARM, VAULT, STRATEGY, GOLD, SHARES, PAIR, CHILD = (
    address(name) for name in ("fake token", "pool", "farm", "vault", "strategy", "gold", "shares", "pair", "child")
)
EXCHANGE = address("exchange")


def pulled(token: str, source: str, target: str, amount: int, *hook: Node) -> Call:
    return call(token, "0x23b872dd", *hook, transfer(source, target, amount), args=(source, target, amount))


def the_dao() -> Execution:
    """2016: a split pays the child first and the reward, with its callback, before the balance is cleared."""
    turn = None
    for _ in range(4):
        reward = call(
            address("reward account"), "payOut(address,uint256)", call(THIEF, None, *(() if turn is None else (turn,)), value=1)
        )
        turn = call(
            VAULT,
            "splitDAO(uint256,address)",
            sload(1, 258),
            call(CHILD, "createTokenProxy(address)", value=258 * ETHER),
            reward,
            sstore(1, 0),
        )
    assert turn is not None
    return attack(turn)


def fake_token_on_a_router() -> Execution:
    """BurgerSwap, 2021: the platform prices a swap, pulls a token that swaps again itself, then pays at the stale price."""
    swap = call(PAIR, "swap(uint256,address)", sload(8, 100), sstore(8, 50), move(GOLD, PAIR, THIEF, 50 * ETHER))
    inner = call(
        EXCHANGE, "swapExactTokensForTokens()", static(PAIR, "0x0902f1ac", sload(8, 100)), pulled(FAKE, THIEF, PAIR, 5), swap
    )
    late = call(PAIR, "swap(uint256,address)", sload(8, 50), sstore(8, 1), move(GOLD, PAIR, THIEF, 49 * ETHER))
    outer = call(
        EXCHANGE,
        "swapExactTokensForTokens()",
        static(PAIR, "0x0902f1ac", sload(8, 100)),
        pulled(FAKE, THIEF, PAIR, 5, call(THIEF, "again()", inner)),
        late,
    )
    return attack(create(FAKE), outer)


def counted_twice() -> Execution:
    """Orion 2023, Akropolis 2020: a deposit inside a swap is counted by both, then withdrawn."""
    deposit = call(EXCHANGE, "depositAsset(address,uint256)", sload(5, 0), pulled(GOLD, THIEF, EXCHANGE, 100), sstore(5, 100))
    swap = call(
        EXCHANGE,
        "swapThroughPool()",
        balance_of(GOLD, EXCHANGE, 900),
        pulled(FAKE, THIEF, PAIR, 1, call(THIEF, "deposit()", deposit)),
        balance_of(GOLD, EXCHANGE, 1000),
        sload(5, 100),
        sstore(5, 200),
    )
    cash = call(EXCHANGE, "withdraw(address,uint256)", sload(5, 200), sstore(5, 0), move(GOLD, EXCHANGE, THIEF, 200))
    return attack(create(FAKE), swap, cash)


def token_made_last_week() -> Execution:
    """Paraluni, 2022: the token that comes back is an older contract of the thief's, not an ancestor; the thief operates it."""
    inner = call(FARM, "deposit(uint256,uint256)", sload(3, 0), pulled(GOLD, FAKE, FARM, 100), sstore(3, 100))
    add = call(EXCHANGE, "addLiquidity()", call(FAKE, "0x23b872dd", inner, args=(FARM, PAIR, 1)))
    outer = call(
        FARM, "depositByAddLiquidity()", balance_of(GOLD, FARM, 0), add, balance_of(GOLD, FARM, 100), sload(4, 0), sstore(4, 100)
    )
    out = call(
        FAKE,
        "withdraw(uint256)",
        call(FARM, "withdraw(uint256)", sload(3, 100), sstore(3, 0), move(GOLD, FARM, FAKE, 100)),
        move(GOLD, FAKE, THIEF, 100),
    )
    cash = call(FARM, "withdraw(uint256)", sload(4, 100), sstore(4, 0), move(GOLD, FARM, THIEF, 100))
    return attack(move(GOLD, THIEF, FAKE, 100), outer, out, cash)


def deposit_for() -> Execution:
    """Grim Finance, 2021: the deposited token is the thief, and each level counts what the deepest one brought."""
    deepest = call(
        VAULT,
        "depositFor(address,uint256)",
        balance_of(GOLD, VAULT, 1000),
        pulled(GOLD, THIEF, VAULT, 100),
        balance_of(GOLD, VAULT, 1100),
        sload(2, 1000),
        sstore(2, 1100),
        log_mint(SHARES, 100),
    )
    outer = call(
        VAULT,
        "depositFor(address,uint256)",
        balance_of(GOLD, VAULT, 1000),
        call(THIEF, "0x23b872dd", deepest),
        balance_of(GOLD, VAULT, 1100),
        sload(2, 1100),
        sstore(2, 1210),
        log_mint(SHARES, 110),
    )
    out = call(
        VAULT,
        "withdrawAll()",
        sload(2, 1210),
        sstore(2, 1000),
        call(SHARES, "burn(uint256)", transfer(THIEF, ZERO, 210)),
        move(GOLD, VAULT, THIEF, 190),
    )
    return attack(outer, out)


def log_mint(token: str, amount: int) -> Call:
    return call(token, "mint(address,uint256)", transfer(ZERO, THIEF, amount), args=(THIEF, amount))


def side_entrance() -> Execution:
    """DFX, 2022: a flash loan is paid back as a deposit."""
    deposit = call(POOL, "deposit(uint256)", pulled(GOLD, THIEF, POOL, 1000), log_mint(SHARES, 1000))
    flash = call(
        POOL,
        "flash(address,uint256)",
        balance_of(GOLD, POOL, 1000),
        move(GOLD, POOL, THIEF, 1000),
        call(THIEF, "flashCallback(bytes)", deposit),
        balance_of(GOLD, POOL, 1000),
    )
    cash = call(
        POOL, "withdraw(uint256)", call(SHARES, "burn(uint256)", transfer(THIEF, ZERO, 1000)), move(GOLD, POOL, THIEF, 1000)
    )
    return attack(flash, cash)


def broken_lock() -> Execution:
    """Curve pools on a broken compiler, 2023: liquidity is added in the middle of its removal."""
    add = call(
        POOL, "add_liquidity(uint256[2],uint256)", sload(7, 1000), sstore(7, 1100), transfer(ZERO, THIEF, 100), value=ETHER
    )
    remove = call(
        POOL,
        "remove_liquidity(uint256,uint256[2])",
        sload(7, 1000),
        balance(POOL, 100 * ETHER),
        call(THIEF, None, add, value=10 * ETHER),
        move(GOLD, POOL, THIEF, 10 * ETHER),
        transfer(THIEF, ZERO, 50),
        sstore(7, 900),
    )
    return attack(
        call(
            POOL, "add_liquidity(uint256[2],uint256)", sload(7, 900), sstore(7, 1000), transfer(ZERO, THIEF, 100), value=5 * ETHER
        ),
        remove,
    )


INCIDENTS: dict[str, tuple[Callable[[], Execution], str]] = {
    "The DAO": (the_dao, VAULT),
    "fake token on a router": (fake_token_on_a_router, EXCHANGE),
    "counted twice": (counted_twice, EXCHANGE),
    "token made last week": (token_made_last_week, FARM),
    "deposit for": (deposit_for, VAULT),
    "side entrance": (side_entrance, POOL),
    "broken lock": (broken_lock, POOL),
}


def liquidated() -> Execution:
    """Benign: the liquidator redeems what it seized, so it operates the very market that asks another about its comptroller."""
    other, asked = address("other market"), static(VAULT, "comptroller()", sload(1, 1))
    seize = call(
        other,
        "seize(address,address,uint256)",
        call(EXCHANGE, "seizeAllowed()", asked, log("0x" + "5e" * 32)),
        transfer(CHILD, THIEF, 9),
    )
    repay = call(
        VAULT, "liquidateBorrow(address,address)", sload(1, 1), sload(2, 50), sstore(2, 25), seize, sstore(1, 2), value=5
    )
    return attack(repay, call(other, "redeem(uint256)", transfer(THIEF, other, 9), move(GOLD, other, THIEF, 9)))


def confidence(event: Execution, victim: str) -> float:
    said = Reentrancy({"eip155:1": Watch()}).observe(event)
    return max((f.confidence for f in said if isinstance(f, Finding) and victim in f.victims), default=0.0)


@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_warns_by_call_tree_and_logs_alone(name: str) -> None:
    stage, victim = INCIDENTS[name]
    assert confidence(degraded(stage()), victim) >= 0.5


@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_warns_by_the_call_tree_alone(name: str) -> None:
    stage, victim = INCIDENTS[name]
    assert confidence(replace(stage(), storage="none", steps=[], logged=False), victim) >= 0.5


@pytest.mark.parametrize("shown", [liquidated(), degraded(liquidated()), replace(degraded(liquidated()), steps=[], logged=False)])
def test_markets_that_ask_each_other_are_left_alone(shown: Execution) -> None:
    assert confidence(shown, VAULT) < 0.5


@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_pauses_once_storage_is_seen(name: str) -> None:
    stage, victim = INCIDENTS[name]
    assert confidence(stage(), victim) >= 0.8
