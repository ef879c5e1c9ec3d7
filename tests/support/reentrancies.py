"""The staged re-entrancies of the scenario matrix, as executions with storage order and logs.

Each is a function that returns the execution; `ATTACKS` names them all. Whoever writes a rule's scenarios proves the
implementation with them, not its recall.
"""

from collections.abc import Callable
from dataclasses import dataclass

from detectors.execution import Execution
from tests.support.cast import (
    BANK,
    COMPTROLLER,
    DEBT,
    DEPOSITED,
    FACTORY,
    FRIEND,
    LEDGER,
    LENDER,
    LOCK,
    OTHER,
    POOL,
    SUPPLY,
    TEN,
    THIEF,
    TOKEN,
    TOTAL,
    attack,
)
from tests.support.executions import (
    ETHER,
    Call,
    Node,
    address,
    balance,
    balance_of,
    call,
    create,
    delegate,
    log,
    move,
    sload,
    sstore,
    static,
    tload,
    transfer,
    tstore,
)


@dataclass(frozen=True)
class Attack:
    """A staged attack and whom it robs; `kind` is the class it should be given."""

    stage: Callable[[], Execution]
    victim: str
    kind: str


def withdraw(turns: int, what: str = "withdraw()") -> Call:
    """The DAO's hole: read, pay, write; `turns` nested payments of ten ether."""
    inner: Node | None = None
    for _ in range(turns):
        paid = call(THIEF, None, *(() if inner is None else (inner,)), value=TEN)
        inner = call(
            BANK, what, sload(DEPOSITED, TEN), balance(BANK, 100 * ETHER), paid, sload(DEPOSITED, TEN), sstore(DEPOSITED, 0)
        )
    assert isinstance(inner, Call)
    return inner


def deposit() -> Call:
    return call(BANK, "deposit()", sload(DEPOSITED, 0), sstore(DEPOSITED, TEN), value=TEN)


def single() -> Execution:
    return attack(deposit(), withdraw(2), value=TEN)


def spiral() -> Execution:
    return attack(deposit(), withdraw(30), value=TEN)


def cross_function() -> Execution:
    gift = call(
        BANK,
        "give(address)",
        sload(DEPOSITED, TEN),
        sstore(DEPOSITED, 0),
        sload(DEPOSITED + 1, 0),
        sstore(DEPOSITED + 1, TEN),
        args=(FRIEND,),
    )
    first = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, None, gift, value=TEN), sstore(DEPOSITED, 0))
    second = call(
        FRIEND,
        "take()",
        call(BANK, "withdraw()", sload(DEPOSITED + 1, TEN), call(FRIEND, value=TEN), sstore(DEPOSITED + 1, 0)),
        call(THIEF, value=TEN),
    )
    return attack(deposit(), first, second, value=TEN)


def peer_over_books() -> Execution:
    """A peer pays by the books that the bank has not settled yet: D is not the thief, and the inner call writes."""
    inner = call(
        OTHER,
        "withdraw()",
        call(BANK, "debit(address)", sload(DEPOSITED, TEN), sstore(DEPOSITED, 0)),
        sstore(1, 1),
        call(THIEF, value=TEN),
    )
    return attack(
        deposit(),
        call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, None, inner, value=TEN), sstore(DEPOSITED, 0)),
        value=TEN,
    )


def ledger_apart() -> Execution:
    """Two banks keep their books in a third contract, and nothing is entered twice."""
    credit = static(LEDGER, "of(address)", sload(DEPOSITED, TEN), returns=TEN)
    clear = call(LEDGER, "set(address,uint256)", sstore(DEPOSITED, 0), args=(THIEF, 0))
    second = call(OTHER, "withdraw()", credit, call(THIEF, value=TEN), clear)
    return attack(call(BANK, "withdraw()", credit, call(THIEF, None, second, value=TEN), clear))


def hook_in_lender() -> Execution:
    """ERC-777 in a lending market (Lendf.me): the deposit is withdrawn in its own hook, and credited nevertheless."""
    back = call(LENDER, "withdraw(address,uint256)", sload(DEPOSITED, TEN), sstore(DEPOSITED, 0), move(TOKEN, LENDER, THIEF, TEN))
    hook = call(THIEF, "0x75ab0056", back)
    pull = call(TOKEN, "0x23b872dd", hook, sload(1, 5), sstore(1, 4), transfer(THIEF, LENDER, 1), args=(THIEF, LENDER, 1))
    return attack(
        call(TOKEN, "0x23b872dd", transfer(THIEF, LENDER, TEN), args=(THIEF, LENDER, TEN)),
        call(LENDER, "supply(address,uint256)", sload(DEPOSITED, TEN), pull, sstore(DEPOSITED, TEN + 1)),
    )


def hook_in_pool() -> Execution:
    """ERC-777 on Uniswap V1: the pool sells twice at the price before the first payment arrived."""

    def sell(hook: tuple[Node, ...], out: int, held: int) -> Call:
        pull = call(
            TOKEN,
            "0x23b872dd",
            call(THIEF, "0x75ab0056", *hook),
            sload(8, held),
            sstore(8, held + ETHER),
            transfer(THIEF, POOL, ETHER),
            args=(THIEF, POOL, ETHER),
            returns=1,
        )
        return call(
            POOL,
            "tokenToEthSwapInput(uint256,uint256,uint256)",
            balance_of(TOKEN, POOL, 50 * ETHER),
            balance(POOL, 1000 * ETHER),
            call(THIEF, value=out),
            pull,
        )

    inner = sell((), 9 * ETHER, 50 * ETHER)
    return attack(
        call(POOL, "ethToTokenSwapInput(uint256,uint256)", move(TOKEN, POOL, THIEF, 2 * ETHER), value=TEN),
        sell((inner,), TEN, 51 * ETHER),
        value=TEN,
    )


def nft_mint() -> Execution:
    """ERC-721 safeMint: the receiver mints again before the counter of the first is raised."""

    def mint(number: int, *again: Node) -> Call:
        return call(
            TOKEN,
            "mint()",
            sload(TOTAL, 7),
            log(
                "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
                "0x" + "0" * 64,
                "0x" + "0" * 24 + THIEF[2:],
                f"0x{number:064x}",
            ),
            call(THIEF, "0x150b7a02", *again),
            sstore(TOTAL, 8),
        )

    return attack(mint(7, mint(8, mint(9))))


def multi_token_mint() -> Execution:
    """ERC-1155 with a share vault (Revest): the position is minted again while the first one's receiver is told."""

    def mint(*again: Node) -> Call:
        return call(
            LENDER,
            "lock(uint256)",
            sload(SUPPLY, 100),
            call(TOKEN, "mint(address,uint256)", call(THIEF, "0xf23a6e61", *again)),
            sstore(SUPPLY, 101),
        )

    cash = call(LENDER, "unlock(uint256)", sload(SUPPLY, 101), sstore(SUPPLY, 0), move(OTHER, LENDER, THIEF, 100 * TEN))
    return attack(mint(mint()), cash)


def read_only(*, consumer_acts: bool = True) -> Execution:
    """A Curve-like pool pays ether before its other balance is written; a lender asks it for the price."""
    price = static(POOL, "0xbb7b8b80", sload(SUPPLY, 900), sload(SUPPLY + 1, 1000), returns=111)
    borrow = call(
        LENDER,
        "borrow(uint256)",
        sload(1, 5),
        price,
        *((sstore(1, 6), move(TOKEN, LENDER, THIEF, 50 * ETHER)) if consumer_acts else ()),
    )
    remove = call(
        POOL,
        "remove_liquidity(uint256)",
        sload(SUPPLY, 1000),
        sstore(SUPPLY, 900),
        call(THIEF, None, borrow, value=TEN),
        sload(SUPPLY + 1, 1000),
        sstore(SUPPLY + 1, 900),
        move(OTHER, POOL, THIEF, TEN),
    )
    return attack(call(POOL, "add_liquidity(uint256)", sload(SUPPLY, 900), sstore(SUPPLY, 1000), value=TEN), remove, value=TEN)


def read_only_through_lens() -> Execution:
    """The same through an oracle that is only read: the consumer above it is the one who loses."""
    price = static(POOL, "0xbb7b8b80", sload(SUPPLY + 1, 1000), returns=111)
    lens = static(address("oracle"), "price()", static(address("feed"), "latest()", price), returns=111)
    borrow = call(LENDER, "borrow(uint256)", lens, sstore(1, 6), move(TOKEN, LENDER, THIEF, 50 * ETHER))
    remove = call(
        POOL, "remove_liquidity(uint256)", call(THIEF, None, borrow, value=TEN), sload(SUPPLY + 1, 1000), sstore(SUPPLY + 1, 900)
    )
    return attack(remove)


def stale_debt() -> Execution:
    """Compound's forks with ether or hooks (Cream, Rari): the market pays before it writes the debt; its comptroller asks it."""
    account = static(LENDER, "getAccountSnapshot(address)", sload(DEBT, 0), returns=0)
    leave = call(COMPTROLLER, "exitMarket(address)", sload(3, 1), account, sstore(3, 0), log("0x" + "e6" * 32))
    borrow = call(
        LENDER,
        "borrow(uint256)",
        call(COMPTROLLER, "borrowAllowed()", static(LENDER, "getAccountSnapshot(address)", sload(DEBT, 0))),
        sload(DEBT, 0),
        call(THIEF, None, leave, value=100 * ETHER),
        sstore(DEBT, 100 * ETHER),
    )
    return attack(borrow)


def two_thieves() -> Execution:
    """The one who comes back is another contract than the one who called, made in the same transaction."""
    again = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(FRIEND, value=TEN), sstore(DEPOSITED, 0))
    return attack(
        create(FRIEND),
        call(BANK, "withdrawTo(address)", sload(DEPOSITED, TEN), call(FRIEND, None, again, value=TEN), sstore(DEPOSITED, 0)),
    )


def constructor() -> Execution:
    """A factory's limit of one each: the constructor comes back before the counter is written."""
    again = call(FACTORY, "claim()", sload(TOTAL, 1), sstore(TOTAL, 0), move(TOKEN, FACTORY, FRIEND, 100))
    return attack(
        call(FACTORY, "make(bytes)", sload(TOTAL, 1), create(FRIEND, again), sstore(TOTAL, 0), move(TOKEN, FACTORY, FRIEND, 100))
    )


def wallet_by_delegate() -> Execution:
    """A wallet runs whatever code it is told to, in its own storage."""
    return attack(
        call(
            BANK, "execute(address,bytes)", delegate(THIEF, "sweep()", sstore(0, int(THIEF, 16)), call(THIEF, value=100 * ETHER))
        )
    )


def ether_as_price() -> Execution:
    """Shares are priced by the ether the contract holds, which has left already while the shares are still there."""
    buy = call(
        LENDER,
        "buy()",
        balance(POOL, 90 * ETHER),
        static(POOL, "price()", balance(POOL, 90 * ETHER)),
        sstore(1, 2),
        move(TOKEN, LENDER, THIEF, 500),
    )
    return attack(
        call(POOL, "redeemAll()", balance(POOL, 100 * ETHER), call(THIEF, None, buy, value=TEN), call(THIEF, value=TEN))
    )


def guard_on_one() -> Execution:
    """The withdrawal is locked, the transfer of deposits is not."""
    gift = call(
        BANK, "give(address)", sload(DEPOSITED, TEN), sstore(DEPOSITED, 0), sload(DEPOSITED + 1, 0), sstore(DEPOSITED + 1, TEN)
    )
    tried = call(BANK, "withdraw()", sload(LOCK, 2), ok=False)
    first = call(
        BANK,
        "withdraw()",
        sload(LOCK, 1),
        sstore(LOCK, 2),
        sload(DEPOSITED, TEN),
        call(THIEF, None, tried, gift, value=TEN),
        sstore(DEPOSITED, 0),
        sstore(LOCK, 1),
    )
    second = call(
        FRIEND, "take()", call(BANK, "withdraw()", sload(DEPOSITED + 1, TEN), call(FRIEND, value=TEN), sstore(DEPOSITED + 1, 0))
    )
    return attack(first, second)


def transient_guard() -> Execution:
    """The lock is transient, and another function clears it in the middle."""
    again = call(
        BANK,
        "withdraw()",
        tload(0, 0),
        tstore(0, 1),
        sload(DEPOSITED, TEN),
        call(THIEF, value=TEN),
        sstore(DEPOSITED, 0),
        tstore(0, 0),
    )
    clear = call(BANK, "ping()", tstore(0, 0))
    return attack(
        call(
            BANK,
            "withdraw()",
            tload(0, 0),
            tstore(0, 1),
            sload(DEPOSITED, TEN),
            call(THIEF, None, clear, again, value=TEN),
            sstore(DEPOSITED, 0),
            tstore(0, 0),
        )
    )


def beside_a_failure() -> Execution:
    """One attempt fails inside a try, the next succeeds."""
    failed = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, value=TEN, ok=False), ok=False)
    again = call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, value=TEN), sstore(DEPOSITED, 0))
    return attack(
        call(BANK, "withdraw()", sload(DEPOSITED, TEN), call(THIEF, None, failed, again, value=TEN), sstore(DEPOSITED, 0))
    )


ATTACKS: dict[str, Attack] = {
    "1 single function": Attack(single, BANK, "same_contract"),
    "2 depth 30": Attack(spiral, BANK, "same_contract"),
    "3 cross-function": Attack(cross_function, BANK, "same_contract"),
    "4 cross-contract over the bank's books": Attack(peer_over_books, BANK, "cross_contract"),
    "4b cross-contract over a ledger apart": Attack(ledger_apart, BANK, "cross_contract"),
    "5 ERC-777 hook in a lending market": Attack(hook_in_lender, LENDER, "same_contract"),
    "6 ERC-777 on a balance-reserve AMM": Attack(hook_in_pool, POOL, "balance"),
    "7 ERC-721 safeMint": Attack(nft_mint, TOKEN, "same_contract"),
    "8 ERC-1155 mint": Attack(multi_token_mint, LENDER, "same_contract"),
    "9 read-only on a pool": Attack(read_only, LENDER, "read_only"),
    "10 read-only through a separate consumer": Attack(read_only_through_lens, LENDER, "read_only"),
    "10b debt not written yet": Attack(stale_debt, LENDER, "read_only"),
    "11 two attacker contracts": Attack(two_thieves, BANK, "same_contract"),
    "12 constructor": Attack(constructor, FACTORY, "create"),
    "13 delegatecall wallet": Attack(wallet_by_delegate, BANK, "delegate"),
    "14 ether balance as price": Attack(ether_as_price, POOL, "balance"),
    "15 guard on one function only": Attack(guard_on_one, BANK, "same_contract"),
    "16 transient guard bypass": Attack(transient_guard, BANK, "same_contract"),
    "17 beside a failed attempt": Attack(beside_a_failure, BANK, "same_contract"),
}
