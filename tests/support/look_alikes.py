"""The benign doubles of the staged re-entrancies: honest executions of the same shape, with storage order and logs.

Each is a function that returns the execution; `LOOK_ALIKES` names them all. None may pause anything.
"""

from collections.abc import Callable

from msgspec.structs import replace

from detectors.execution import Execution, Frame
from tests.support.cast import (
    BANK,
    COMPTROLLER,
    DEBT,
    DEPOSITED,
    FRIEND,
    LENDER,
    LOCK,
    LOGIC,
    OTHER,
    POOL,
    ROUTER,
    SUPPLY,
    TEN,
    THIEF,
    TOKEN,
    WETH,
    ZERO,
    attack,
)
from tests.support.executions import (
    ETHER,
    SENDER,
    Call,
    Node,
    address,
    balance,
    balance_of,
    call,
    delegate,
    execution,
    log,
    move,
    sload,
    sstore,
    static,
    transfer,
)
from tests.support.reentrancies import read_only


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
