"""Attackers who stood ready for long and call through others, and the honest doubles that look like them."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from detectors.base import Finding, Watch
from detectors.execution import Context, Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import BANK, DEPOSITED, FRIEND, LEDGER, LENDER, OTHER, POOL, TEN, THIEF, TOKEN, ZERO, attack
from tests.support.executions import (
    ETHER,
    NATIVE,
    SENDER,
    Node,
    address,
    balance_of,
    call,
    degraded,
    delegate,
    execution,
    move,
    sload,
    sstore,
    static,
    transfer,
)

SHELL, ENTRY, ACCOUNT = address("shell"), address("entry point"), address("account")
RICH = Context(balances={NATIVE: {BANK: 100 * ETHER, OTHER: 100 * ETHER}, TOKEN: {POOL: 1000 * ETHER}})


def paid_twice_straight() -> Execution:
    """The sender asks the bank itself; the one who is paid, and asks again, is nobody the trace knows."""
    again = call(BANK, "payOut(address)", sload(DEPOSITED, TEN), call(FRIEND, value=TEN), sstore(DEPOSITED, 0))
    outer = call(BANK, "payOut(address)", sload(DEPOSITED, TEN), call(FRIEND, None, again, value=TEN), sstore(DEPOSITED, 0))
    return execution(outer, context=RICH)


def ledger_through_an_old_shell() -> Execution:
    """Two tills with their books in a third contract; the one who visits both was there before and is only driven."""
    credit = static(LEDGER, "of(address)", sload(DEPOSITED, TEN), returns=TEN)
    clear = call(LEDGER, "set(address,uint256)", sstore(DEPOSITED, 0), args=(SHELL, 0))
    second = call(OTHER, "withdraw()", credit, call(SHELL, value=TEN), clear)
    first = call(BANK, "withdraw()", credit, call(SHELL, None, second, value=TEN), clear)
    return replace(attack(call(SHELL, "go()", first, call(SENDER, value=2 * TEN))), context=RICH)


def code_the_caller_named() -> Execution:
    """A wallet runs code whose address stands in the call; the code is nobody's, the ether the sender's."""
    sweep = delegate(FRIEND, "sweep(address)", call(SENDER, value=50 * ETHER), args=(SENDER,))
    return execution(call(BANK, "execute(address,bytes)", sweep, args=(FRIEND, 0x40)), context=RICH)


def side_entrance_behind_a_known_name() -> Execution:
    """Lent within an unlock, paid back as a deposit, taken out: the callback's name excuses nobody."""
    pull = call(TOKEN, "0x23b872dd", transfer(THIEF, POOL, 300 * ETHER), args=(THIEF, POOL, 300 * ETHER))
    deposit = call(POOL, "deposit(uint256)", pull, sload(5, 0), sstore(5, 300 * ETHER))
    unlock = call(
        POOL,
        "unlock(uint256)",
        balance_of(TOKEN, POOL, 1000 * ETHER),
        move(TOKEN, POOL, THIEF, 300 * ETHER),
        call(THIEF, "0x91dd7346", deposit),
        balance_of(TOKEN, POOL, 1000 * ETHER),
    )
    cash = call(POOL, "withdraw(uint256)", sload(5, 300 * ETHER), sstore(5, 0), move(TOKEN, POOL, THIEF, 300 * ETHER))
    return replace(attack(unlock, cash), context=RICH)


def a_grain_left_behind() -> Execution:
    """The gain is ether; a grain of the pool's token in the thief's hands hides it not."""
    again = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, value=TEN), sstore(DEPOSITED, 0))
    outer = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, None, again, value=TEN), sstore(DEPOSITED, 0))
    dust = Context(balances={NATIVE: {BANK: 10_000 * ETHER}, TOKEN: {BANK: 1000 * ETHER}})
    return replace(attack(outer, move(TOKEN, BANK, THIEF, 1)), context=dust)


def bundled() -> Execution:
    """Somebody honest pays in, in the same bundle, as much as the other account takes out: the bank ends with what it had."""
    again = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, value=TEN), sstore(DEPOSITED, 0))
    outer = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, None, again, value=TEN), sstore(DEPOSITED, 0))
    rob = call(ENTRY, "0x0042dc53", call(THIEF, "execute()", outer))
    pay = call(ENTRY, "0x0042dc53", call(ACCOUNT, "execute()", call(BANK, "deposit()", value=2 * TEN)))
    return replace(execution(call(ENTRY, "0x765e827f", rob, pay)), context=RICH)


def lent_straight(*inside: Node) -> Execution:
    """The sender asks a lender itself; what it borrows for runs in the loan's callback, and is nobody the trace knows."""
    lent = call(LENDER, "flashLoan(address)", move(TOKEN, LENDER, FRIEND, 5), call(FRIEND, "0x23e30c8b", *inside), pulled(5))
    return execution(lent)


def pulled(amount: int) -> Node:
    return call(TOKEN, "0x23b872dd", transfer(FRIEND, LENDER, amount), args=(FRIEND, LENDER, amount))


def paid_twice_on_credit() -> Execution:
    """The borrower is itself entered again, by the bank that pays it: what it takes is still its gain."""
    again = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(FRIEND, value=TEN), sstore(DEPOSITED, 0))
    outer = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(FRIEND, None, again, value=TEN), sstore(DEPOSITED, 0))
    return lent_straight(call(BANK, "deposit()", sload(DEPOSITED, 0), sstore(DEPOSITED, TEN), value=TEN), outer)


ATTACKS: dict[str, tuple[Callable[[], Execution], str]] = {
    "paid twice, asked straight": (paid_twice_straight, BANK),
    "a ledger apart, through an old shell": (ledger_through_an_old_shell, BANK),
    "code the caller named": (code_the_caller_named, BANK),
    "a side entrance behind a known name": (side_entrance_behind_a_known_name, POOL),
    "beside somebody who pays in": (bundled, BANK),
    "paid twice on credit": (paid_twice_on_credit, BANK),
    "a grain left behind": (a_grain_left_behind, BANK),
}


def prefund() -> Execution:
    """An EntryPoint asks an account, which pays in; the EntryPoint reads again and counts on from there."""
    pays = call(ENTRY, None, sload(7, 0), sstore(7, 5), value=5)
    validates = call(ACCOUNT, "validateUserOp()", pays)
    handle = call(ENTRY, "handleOps()", sload(7, 0), validates, sload(7, 5), sstore(7, 1), call(ACCOUNT, "execute()"))
    return attack(call(ACCOUNT, "start()", handle))


def liquidity_out_of_a_singleton() -> Execution:
    """Uniswap V4: paid out inside the callback; the lock holds whom it was opened for."""
    lock = int(THIEF, 16)
    take = call(POOL, "take(uint256)", sload(0, lock), sload(9, 80), sstore(9, 0), move(TOKEN, POOL, THIEF, 200 * ETHER))
    unlock = call(POOL, "unlock(bytes)", sload(0, 0), sstore(0, lock), call(THIEF, "0x91dd7346", take), sstore(0, 0))
    return replace(attack(unlock), context=RICH)


def owners_script() -> Execution:
    """A wallet runs a script its owner named, and loses nothing."""
    return execution(call(BANK, "execute(address,bytes)", delegate(FRIEND, "note()"), args=(FRIEND, 0x40)), context=RICH)


def vault_and_strategy() -> Execution:
    """A vault invests, and its strategy reports back: called back, with money, by a contract it keeps."""
    report = call(BANK, "report(uint256)", sload(3, 10), sstore(3, 20))
    invest = call(FRIEND, "invest(uint256)", report)
    books = call(BANK, "deposit(uint256)", sload(3, 10), move(TOKEN, BANK, FRIEND, 5), invest, sload(3, 20), sstore(3, 25))
    return execution(books, context=RICH)


def peers_with_a_registry() -> Execution:
    """A router is called back by what it called, and both keep a third contract's books; nobody loses anything."""
    note = call(LEDGER, "note()", sload(1, 1), sstore(1, 2))
    back = call(LENDER, "settled()", note)
    return attack(call(LENDER, "open()", call(POOL, "trade()", static(LEDGER, "of()", sload(1, 1)), back, note)))


def taken_in_bits_on_credit() -> Execution:
    """The same borrower takes what is its own in two nested bits, of a bank that writes before it pays."""
    rest = call(BANK, "withdraw(uint256)", sload(DEPOSITED, TEN), sstore(DEPOSITED, 0), call(FRIEND, value=TEN))
    half = call(BANK, "withdraw(uint256)", sload(DEPOSITED, 2 * TEN), sstore(DEPOSITED, TEN), call(FRIEND, None, rest, value=TEN))
    return lent_straight(half)


LOOK_ALIKES: dict[str, Callable[[], Execution]] = {
    "a prefund": prefund,
    "liquidity out of a singleton": liquidity_out_of_a_singleton,
    "taken in bits on credit": taken_in_bits_on_credit,
    "an owner's script": owners_script,
    "a vault and its strategy": vault_and_strategy,
    "peers with a registry": peers_with_a_registry,
}


def confidence(event: Execution, victim: str | None = None) -> float:
    watch = Watch(watched=frozenset((BANK, POOL, OTHER, ENTRY, LENDER)))
    said = Reentrancy({"eip155:1": watch}).observe(event)
    return max((f.confidence for f in said if isinstance(f, Finding) and (victim is None or victim in f.victims)), default=0.0)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_pauses_and_names_the_victim(name: str) -> None:
    stage, victim = ATTACKS[name]
    assert confidence(stage(), victim) >= 0.8


@pytest.mark.parametrize("name", sorted(LOOK_ALIKES))
def test_says_nothing_loud_of_its_honest_double(name: str) -> None:
    assert confidence(LOOK_ALIKES[name]()) < 0.5


def nested(share_of: int) -> Execution:
    """A saver takes what is its own in four nested payments, by call tree alone; of ten thousand or of forty ether held."""
    inner = None
    for _ in range(4):
        inner = call(BANK, "withdraw(uint256)", call(THIEF, None, *(() if inner is None else (inner,)), value=ETHER))
    assert inner is not None
    return replace(degraded(attack(inner)), context=Context(balances={NATIVE: {BANK: share_of * ETHER}}))


def test_a_spiral_without_storage_order_pauses_only_if_much_is_gone() -> None:
    assert confidence(nested(10_000)) < 0.8
    assert confidence(nested(40)) >= 0.8


def test_a_piece_minted_twice_for_nothing_is_a_loss() -> None:
    def mint(number: int, *again: object) -> object:
        return call(
            TOKEN,
            "mint()",
            sload(2, 7),
            transfer(ZERO, THIEF, number),
            call(THIEF, "0x150b7a02", *again),  # type: ignore[arg-type]
            sstore(2, 8),
        )

    free = attack(mint(7, mint(8)))  # type: ignore[arg-type]
    said = Reentrancy({"eip155:1": Watch(watched=frozenset((TOKEN,)))}).observe(free)
    best = max((f for f in said if isinstance(f, Finding)), key=lambda f: f.confidence)
    assert (best.confidence >= 0.8, best.evidence["economics_by"]) == (True, "minted")
