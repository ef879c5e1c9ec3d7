"""The staged re-entrancies of the scenario matrix, and their benign doubles, as executions with storage order and logs.

Each is a function that returns the execution; `ATTACKS` and `LOOK_ALIKES` name them all. Whoever writes a rule's scenarios
proves the implementation with them, not its recall.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from detectors.execution import Execution, Frame
from tests.support.executions import (
    ETHER,
    SENDER,
    Call,
    Node,
    address,
    balance,
    balance_of,
    call,
    create,
    delegate,
    execution,
    log,
    move,
    sload,
    sstore,
    static,
    tload,
    transfer,
    tstore,
)

THIEF, FRIEND, BANK, TOKEN, OTHER, POOL = (address(name) for name in ("thief", "friend", "bank", "token", "other", "pool"))
LENDER, COMPTROLLER, LEDGER, LOGIC, FACTORY = (address(name) for name in ("lender", "comptroller", "ledger", "logic", "factory"))
ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
ZERO = "0x" + "0" * 40
DEPOSITED, SUPPLY, DEBT, LOCK, TOTAL = 0x6F0000, 0x700000, 0x710000, 0x0, 0x2
TEN = 10 * ETHER


@dataclass(frozen=True)
class Attack:
    """A staged attack and whom it robs; `kind` is the class it should be given."""

    stage: Callable[[], Execution]
    victim: str
    kind: str


def attack(*nodes: Node, value: int = 0) -> Execution:
    """The sender calls its own contract, which does the rest."""
    return execution(call(THIEF, "attack()", *nodes, value=value))


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


# Benign doubles ---------------------------------------------------------------------------------------------------------------


def swap() -> Execution:
    return execution(
        call(
            ROUTER,
            "0x38ed1739",
            call(TOKEN, "0x23b872dd", transfer(SENDER, POOL, 100), args=(SENDER, POOL, 100)),
            static(POOL, "0x0902f1ac", sload(8, 5)),
            call(
                POOL,
                "0x022c0d9f",
                sload(8, 5),
                move(OTHER, POOL, SENDER, 90),
                balance_of(TOKEN, POOL, 1100),
                balance_of(OTHER, POOL, 910),
                sstore(8, 6),
            ),
        )
    )


def router_receive() -> Execution:
    """A router is paid by the wrapped coin it unwraps."""
    unwrap = call(
        WETH,
        "0x2e1a7d4d",
        sload(3, 90),
        sstore(3, 0),
        call(ROUTER, None, value=90),
        log("0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65", "0x" + "0" * 24 + ROUTER[2:], data=(90,)),
    )
    return execution(
        call(
            ROUTER,
            "0x18cbafe5",
            call(POOL, "0x022c0d9f", sload(8, 5), move(WETH, POOL, ROUTER, 90), sstore(8, 6)),
            unwrap,
            call(SENDER, value=90),
        )
    )


def flash_swap() -> Execution:
    """The borrower asks the pool for its reserves in the callback, and pays back."""
    back = call(THIEF, "0x10d1e85c", static(POOL, "0x0902f1ac", sload(8, 1000)), move(TOKEN, THIEF, POOL, 1004))
    return attack(
        call(
            POOL,
            "0x022c0d9f",
            sload(8, 1000),
            sload(12, 1),
            sstore(12, 0),
            move(TOKEN, POOL, THIEF, 1000),
            back,
            balance_of(TOKEN, POOL, 2004),
            sstore(8, 1004),
            sstore(12, 1),
        )
    )


def flash_arbitrage() -> Execution:
    """Two pools, one lender, a profit that two pools paid at their own prices."""
    legs = (
        move(TOKEN, THIEF, POOL, 1000),
        call(POOL, "0x022c0d9f", sload(8, 1), move(OTHER, POOL, THIEF, 2000), sstore(8, 2)),
        move(OTHER, THIEF, address("pool2"), 2000),
        call(address("pool2"), "0x022c0d9f", sload(8, 1), move(TOKEN, address("pool2"), THIEF, 1100), sstore(8, 2)),
        call(TOKEN, "0x095ea7b3", sload(99, 0), sstore(99, 1001)),
    )
    repay = call(TOKEN, "0x23b872dd", sload(7, 0), sstore(7, 1001), transfer(THIEF, LENDER, 1001), args=(THIEF, LENDER, 1001))
    return attack(
        call(
            LENDER,
            "0x5cffe9de",
            sload(1, 4),
            move(TOKEN, LENDER, THIEF, 1000),
            call(THIEF, "0x23e30c8b", *legs),
            repay,
            sstore(1, 5),
        )
    )


def flash_then_deposit() -> Execution:
    """Aave: liquidate with the lender's own flash loan; its reserves are written inside and again at the end."""
    liquidate = call(LENDER, "0x00a718a9", sload(5, 100), sstore(5, 101), move(OTHER, address("aToken"), THIEF, 105))
    sell = call(POOL, "0x022c0d9f", move(TOKEN, POOL, THIEF, 104))
    repay = call(TOKEN, "0x23b872dd", transfer(THIEF, address("aToken"), 101), args=(THIEF, address("aToken"), 101))
    return attack(
        call(
            LENDER,
            "0xab9c4b5d",
            sload(5, 100),
            move(TOKEN, address("aToken"), THIEF, 100),
            call(THIEF, "0x920f5c84", call(TOKEN, "0x095ea7b3"), liquidate, move(OTHER, THIEF, POOL, 105), sell),
            sload(5, 101),
            sstore(5, 102),
            repay,
        )
    )


def flash_by_another_name() -> Execution:
    """The same where the callback has a name nobody knows: what was lent comes back, that is all there is to see."""
    known = flash_then_deposit()
    renamed = [replace(frame, selector="0x12345678") if frame.selector == "0x920f5c84" else frame for frame in known.frames]
    return replace(known, frames=renamed, tx="0x" + "f1" * 32)


def liquidation() -> Execution:
    """A market asks its comptroller, which asks the market: peers, nobody between."""
    ask = call(COMPTROLLER, "0x5fc7e71e", static(LENDER, "0xc37f68e2", sload(DEBT, 50)))
    return attack(
        call(
            LENDER,
            "0xf5e3c462",
            sload(DEBT, 50),
            ask,
            call(TOKEN, "0x23b872dd", transfer(THIEF, LENDER, 25), args=(THIEF, LENDER, 25)),
            sstore(DEBT, 25),
            call(OTHER, "0xb2a02ff1", call(COMPTROLLER, "0xd02f7351"), transfer(FRIEND, THIEF, 27)),
        )
    )


def fee_on_transfer() -> Execution:
    """The main residual: a token sells its fee through a router in the middle of somebody's sale."""
    inner = call(
        TOKEN,
        "0x23b872dd",
        sload(11, 500),
        sstore(11, 0),
        sload(12, 9000),
        sstore(12, 9500),
        transfer(TOKEN, POOL, 500),
        args=(TOKEN, POOL, 500),
    )
    sell_fee = call(
        ROUTER,
        "0x791ac947",
        inner,
        call(POOL, "0x022c0d9f", sload(8, 5), move(WETH, POOL, ROUTER, 90), sstore(8, 6)),
        call(WETH, "0x2e1a7d4d", call(ROUTER, value=90)),
        call(TOKEN, value=90),
    )
    outer = call(
        TOKEN,
        "0x23b872dd",
        sload(10, 1000),
        sload(11, 500),
        sell_fee,
        call(address("marketing"), value=90),
        sload(11, 0),
        sstore(11, 50),
        sstore(10, 0),
        sload(12, 9500),
        sstore(12, 10450),
        transfer(SENDER, TOKEN, 50),
        transfer(SENDER, POOL, 950),
        args=(SENDER, POOL, 1000),
    )
    return execution(
        call(
            ROUTER,
            "0x791ac947",
            outer,
            static(POOL, "0x0902f1ac", sload(8, 6)),
            call(POOL, "0x022c0d9f", sload(8, 6), move(WETH, POOL, ROUTER, 180), sstore(8, 7)),
            call(SENDER, value=180),
        )
    )


def fee_on_transfer_by_unknown_router() -> Execution:
    """The same through a router nobody vouches for, which the sender calls directly."""
    known = fee_on_transfer()
    strange = address("strange router")
    swapped = [_moved(frame, ROUTER, strange) for frame in known.frames]
    return replace(known, frames=swapped, tx="0x" + "fe" * 32)


def _moved(frame: Frame, old: str, new: str) -> Frame:
    def other(a: str | None) -> str | None:
        return new if a == old else a

    return replace(frame, sender=other(frame.sender), to=other(frame.to), ctx=other(frame.ctx))


def comptroller_callback() -> Execution:
    """A borrower with a contract wallet is paid in ether and does nothing with it."""
    ask = call(COMPTROLLER, "borrowAllowed()", static(LENDER, "0xc37f68e2", sload(DEBT, 0)), sstore(3, 1))
    return attack(
        call(
            LENDER,
            "borrow(uint256)",
            ask,
            sload(DEBT, 0),
            sstore(DEBT, 5),
            call(THIEF, value=5),
            call(COMPTROLLER, "borrowVerify()"),
        )
    )


def smart_account() -> Execution:
    """Proxy, multicall, Safe, EntryPoint: self-calls and code of others, one activation each."""
    entry = "0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789"
    op = call(
        entry,
        "0x1d732756",
        call(
            FRIEND,
            "0xb61d27f6",
            delegate(
                LOGIC,
                "0xb61d27f6",
                call(
                    FRIEND,
                    "multicall()",
                    delegate(LOGIC, "multicall()", call(TOKEN, "0xa9059cbb", transfer(FRIEND, SENDER, 5), args=(SENDER, 5))),
                ),
            ),
        ),
    )
    return execution(
        call(
            entry, "0x1fad948c", call(FRIEND, "0x3a871cdd", delegate(LOGIC, "0x3a871cdd")), op, call(address("bundler"), value=10)
        )
    )


def guarded() -> Execution:
    """An attempt that a lock refuses; the withdrawal itself is honest."""
    tried = call(BANK, "withdraw()", sload(LOCK, 2), ok=False)
    return attack(
        call(
            BANK,
            "withdraw()",
            sload(LOCK, 1),
            sstore(LOCK, 2),
            sload(DEPOSITED, TEN),
            sstore(DEPOSITED, 0),
            call(THIEF, None, tried, value=TEN),
            sstore(LOCK, 1),
        )
    )


def in_order() -> Execution:
    """Checks, effects, interactions: entered again and again, and right every time."""
    inner: Node | None = None
    for left in range(2):
        paid = call(THIEF, None, *(() if inner is None else (inner,)), value=ETHER)
        inner = call(
            BANK,
            "withdraw(uint256)",
            sload(DEPOSITED, (left + 1) * ETHER),
            sstore(DEPOSITED, left * ETHER),
            balance(BANK, (98 + left) * ETHER),
            paid,
        )
    assert isinstance(inner, Call)
    return attack(inner)


def forwarding_minter() -> Execution:
    """A minting bot passes each NFT on as it arrives, while the collection mints the next."""
    passed = call(TOKEN, "0x23b872dd", sload(20, 1), sstore(20, 0), transfer(THIEF, SENDER, 1), args=(THIEF, SENDER, 7))
    return attack(
        call(
            TOKEN,
            "mint(uint256)",
            sload(20, 0),
            sstore(20, 1),
            call(THIEF, "0x150b7a02", passed),
            sload(20, 0),
            sstore(20, 1),
            call(THIEF, "0x150b7a02", passed),
            value=ETHER,
        ),
        value=ETHER,
    )


def big_withdrawal() -> Execution:
    """A whale of eight per cent leaves; its contract wallet only receives."""
    return attack(
        call(
            POOL,
            "remove_liquidity(uint256)",
            sload(SUPPLY, 1000),
            sstore(SUPPLY, 920),
            sload(9, 1),
            call(THIEF, value=80 * ETHER),
            move(OTHER, POOL, THIEF, 80 * ETHER),
            sstore(9, 2),
            transfer(THIEF, ZERO, 80),
        )
    )


def quiet_look() -> Execution:
    return read_only(consumer_acts=False)


LOOK_ALIKES: dict[str, Callable[[], Execution]] = {
    "32 swap": swap,
    "33 router receive": router_receive,
    "34 flash swap and getReserves": flash_swap,
    "35 flash-loan arbitrage": flash_arbitrage,
    "36 flash loan and liquidate": flash_then_deposit,
    "36b the same by another name": flash_by_another_name,
    "37 liquidation": liquidation,
    "38 fee-on-transfer swap-back": fee_on_transfer,
    "38b the same through an unknown router": fee_on_transfer_by_unknown_router,
    "39 comptroller callback": comptroller_callback,
    "40 smart accounts": smart_account,
    "41 guarded attempt": guarded,
    "42 checks, effects, interactions": in_order,
    "42b an NFT passed on": forwarding_minter,
    "43 a whale leaves": big_withdrawal,
    "43b a look without a deed": quiet_look,
}
