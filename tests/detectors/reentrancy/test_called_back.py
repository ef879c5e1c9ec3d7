"""Contracts that call back for business, and touch their books only afterwards; and the thefts that have the same shape."""

from collections.abc import Callable

import pytest

from detectors.base import Finding, Watch
from detectors.execution import Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import LEDGER, LENDER, OTHER, POOL, THIEF, TOKEN, ZERO, attack
from tests.support.executions import (
    ETHER,
    Call,
    Node,
    address,
    call,
    delegate,
    execution,
    log,
    move,
    sload,
    sstore,
    transfer,
)

CASH, PLEDGES, DEBTS, OWES = (address(name) for name in ("cash", "pledges", "debts", "borrower"))
AUCTION, TILL, SAFE, DESK, RECIPE = (address(name) for name in ("auction", "till", "safe", "desk", "recipe"))
INDEX, RATE, CREDIT = 0xAA << 240, 0xAB << 240, 0xAC << 240
LENT = 1000 * ETHER
Steps = tuple[Node, ...]
EVERYTHING = Watch()


def pulled(token: str, source: str, target: str, amount: int) -> Call:
    return call(token, "0x23b872dd", transfer(source, target, amount), args=(source, target, amount))


def swapped(given: str, taken: str, by: str, amount: int, back: int) -> tuple[Node, ...]:
    """What a trade on a pair looks like: paid in first, paid out under its lock."""
    paid = move(taken, POOL, by, back)
    return move(given, by, POOL, amount), call(POOL, "0x022c0d9f", sload(12, 1), sstore(12, 0), paid, sstore(8, 1), sstore(12, 1))


def accrued(index: int, *between: Node) -> tuple[Node, ...]:
    """Interest is counted up from what the books say now, then the rate is set anew."""
    return sload(INDEX, index), sload(RATE, 4), sstore(INDEX, index + 1), *between, sstore(RATE, 5)


def flash(receiver: str, *inside: Node, before: Steps = (), after: Steps = ()) -> Call:
    """A loan of `LENT` out of the lender's cash, kept apart; `after` its callback it is pulled back with a fee."""
    return call(
        LENDER,
        "0xab9c4b5d",
        *before,
        call(CASH, "payOut(address,uint256)", move(TOKEN, CASH, receiver, LENT)),
        call(receiver, "0x920f5c84", *inside),
        *(after or accrued(101)),
        pulled(TOKEN, receiver, CASH, LENT + ETHER),
    )


def liquidated_on_credit(lends: Steps = (), paid: Steps = (), back: Steps = ()) -> Execution:
    """Somebody's debt is paid off with the same lender's loan, straight in its callback."""
    liquidation = call(
        LENDER,
        "liquidate(address)",
        *accrued(
            100,
            call(DEBTS, "burn(address)", sload(9, 5 * LENT), sstore(9, 4 * LENT), transfer(OWES, ZERO, LENT)),
            call(PLEDGES, "burn(address)", transfer(OWES, ZERO, ETHER), move(OTHER, PLEDGES, THIEF, ETHER)),
            pulled(TOKEN, THIEF, CASH, LENT),
            *paid,
        ),
    )
    sold = swapped(OTHER, TOKEN, THIEF, ETHER, LENT + 100 * ETHER)
    return attack(flash(THIEF, liquidation, *sold, before=lends, after=(*accrued(101), *back)))


def liquidated_out_of_counted_cash() -> Execution:
    """The same by a lender that counts its cash: written down before the callback, up within it and again after."""
    return liquidated_on_credit(
        (sload(CREDIT, 50), sstore(CREDIT, 40)), (sload(CREDIT, 40), sstore(CREDIT, 50)), (sload(CREDIT, 50), sstore(CREDIT, 61))
    )


def by_recipe(*steps: Node, before: Steps = (), after: Steps = ()) -> Execution:
    """A smart wallet's recipe: its desk takes the loan, hands it to the wallet, and pays it back from what the wallet returns."""
    goes_on = call(SAFE, "execute(bytes)", delegate(RECIPE, "goOn()", *steps, move(TOKEN, SAFE, DESK, LENT + ETHER)))
    loan = flash(DESK, move(TOKEN, DESK, SAFE, LENT), goes_on, before=before, after=after)
    return execution(call(SAFE, "execute(bytes)", delegate(RECIPE, "start()", call(DESK, "flash(bytes)", loan))))


def borrowed(*books: Node) -> Call:
    owed = call(DEBTS, "mint(address,uint256)", transfer(ZERO, SAFE, LENT + ETHER))
    return call(
        LENDER,
        "borrow(uint256)",
        *accrued(100, owed),
        *books,
        call(CASH, "payOut(address)", move(TOKEN, CASH, SAFE, LENT + ETHER)),
    )


def leveraged_up() -> Execution:
    pledged = call(
        LENDER,
        "deposit(uint256)",
        sload(CREDIT, 7),
        sstore(CREDIT, 8),
        pulled(OTHER, SAFE, PLEDGES, ETHER),
        call(PLEDGES, "mint(address)", transfer(ZERO, SAFE, ETHER)),
    )
    return by_recipe(*swapped(TOKEN, OTHER, SAFE, LENT, ETHER), pledged, borrowed())


def leveraged_up_out_of_counted_cash() -> Execution:
    """The lender writes its cash down before the callback, which borrows, and up after it: the desk passes the loan on."""
    taken = sload(CREDIT, 40), sstore(CREDIT, 30)
    lent, back = (sload(CREDIT, 50), sstore(CREDIT, 40)), (sload(CREDIT, 30), sstore(CREDIT, 41))
    return by_recipe(*swapped(TOKEN, OTHER, SAFE, LENT, ETHER), borrowed(*taken), before=lent, after=back)


def shares_bought_while_the_cash_was_out() -> Execution:
    """A lender that prices its shares by its cash lends all of it: a desk's wallet buys them for nothing, and cashes them in."""
    bought = call(
        LENDER,
        "deposit(uint256)",
        sload(CREDIT, 0),
        sstore(CREDIT, 9),
        transfer(ZERO, SAFE, 9),
        pulled(TOKEN, SAFE, LENDER, ETHER),
    )
    loan = call(
        LENDER,
        "0xab9c4b5d",
        sload(CREDIT, 1),
        sstore(CREDIT, 0),
        move(TOKEN, LENDER, DESK, LENT),
        call(DESK, "0x920f5c84", call(SAFE, "execute(bytes)", bought)),
        sload(CREDIT, 9),
        sstore(CREDIT, 10),
        pulled(TOKEN, DESK, LENDER, LENT),
    )
    cashed = call(LENDER, "withdraw(uint256)", transfer(SAFE, ZERO, 9), move(TOKEN, LENDER, SAFE, LENT // 2))
    return execution(call(SAFE, "execute(bytes)", call(DESK, "flash(bytes)", loan), cashed))


def wound_down() -> Execution:
    burnt = call(DEBTS, "burn(address,uint256)", transfer(SAFE, ZERO, LENT))
    repaid = call(LENDER, "repay(uint256)", *accrued(100, burnt), pulled(TOKEN, SAFE, CASH, LENT))
    freed = call(PLEDGES, "burn(address)", transfer(SAFE, ZERO, ETHER), move(OTHER, PLEDGES, SAFE, ETHER))
    withdrawn = call(LENDER, "withdraw(uint256)", sload(CREDIT, 7), sstore(CREDIT, 8), freed)
    return by_recipe(repaid, withdrawn, *swapped(OTHER, TOKEN, SAFE, ETHER, LENT + ETHER))


def auctioned(*before: Node, found: int, left: int) -> Execution:
    """An auction hands over the goods, calls the buyer, and then takes the price out of a ledger both keep."""
    goods, price = 1 << 160, 2 << 160
    out = call(
        TILL,
        "exit(uint256)",
        call(LEDGER, "slip(int256)", sload(goods, ETHER), sstore(goods, 0)),
        move(OTHER, TILL, THIEF, ETHER),
    )
    joined = call(LEDGER, "credit(address)", sload(price, 0), sstore(price, LENT))
    pay = call(DESK, "join(uint256)", joined, call(TOKEN, "burn(address,uint256)", transfer(THIEF, ZERO, LENT)))
    settle = call(LEDGER, "charge(address)", *((sload(price, found),) if found else ()), sstore(price, left))
    take = call(
        AUCTION,
        "take(uint256)",
        sload(0, 0),
        sstore(0, 1),
        call(LEDGER, "hand(address)", sload(goods, 0), sstore(goods, ETHER)),
        *before,
        call(THIEF, "bought(bytes)", out, *swapped(OTHER, TOKEN, THIEF, ETHER, LENT + 100 * ETHER), pay),
        settle,
        log("0x" + "12" * 32),
        sstore(0, 0),
    )
    return attack(take)


def charged_after_the_callback() -> Execution:
    return auctioned(found=LENT, left=0)


def charged_from_what_it_read_before() -> Execution:
    """The auction writes back what it had read before the buyer paid in: the payment is lost."""
    return auctioned(call(LEDGER, "of(address)", sload(2 << 160, 0)), found=0, left=LENT // 2)


def counted_before_and_written_after() -> Execution:
    """The lender read its index before the callback, in which it moved, and writes what it makes of the old one."""
    return by_recipe(borrowed(), before=(sload(INDEX, 100),), after=(sstore(INDEX, 100),))


HONEST: dict[str, Callable[[], Execution]] = {
    "liquidated on credit": liquidated_on_credit,
    "liquidated out of counted cash": liquidated_out_of_counted_cash,
    "leveraged up": leveraged_up,
    "leveraged up out of counted cash": leveraged_up_out_of_counted_cash,
    "wound down": wound_down,
    "charged after the callback": charged_after_the_callback,
}

ATTACKS: dict[str, tuple[Callable[[], Execution], str]] = {
    "charged from what it read before": (charged_from_what_it_read_before, LEDGER),
    "shares bought while the cash was out": (shares_bought_while_the_cash_was_out, LENDER),
    "counted before and written after": (counted_before_and_written_after, LENDER),
}


def worst(event: Execution, *watched: str, victim: str | None = None) -> float:
    watch = Watch(watched=frozenset(watched)) if watched else EVERYTHING
    said = Reentrancy({"eip155:1": watch}).observe(event)
    return max((f.confidence for f in said if isinstance(f, Finding) and (victim is None or victim in f.victims)), default=0.0)


@pytest.mark.parametrize("name", sorted(HONEST))
@pytest.mark.parametrize("watched", [(), (LENDER, LEDGER, AUCTION, CASH)], ids=["everything", "named"])
def test_business_settled_after_a_callback_is_at_most_information(name: str, watched: tuple[str, ...]) -> None:
    assert 0 < worst(HONEST[name](), *watched) < 0.5


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_books_read_before_the_callback_and_written_after_it_pause(name: str) -> None:
    stage, victim = ATTACKS[name]
    assert worst(stage(), victim, victim=victim) >= 0.8
