"""A bank, a lender, a pool and a vault as the drain detector knows them, and what is done to them."""

import msgspec

from detectors.base import Severity, Watch
from detectors.drain import Drain
from detectors.events import Price
from detectors.execution import Execution
from detectors.execution.ledger import TRANSFER, ZERO
from tests.support.executions import NATIVE, Call, address, call, execution, log, word
from tests.support.pools import CHAIN, block, place, reading

BANK, LENDER, POOL, VAULT, THIEF, ALICE, JUNK, SINK = map(
    address, ("bank", "lender", "pool", "vault", "thief", "alice", "junk", "sink")
)
DOLLAR, COIN = map(address, ("dollar", "coin"))
WATCH = {CHAIN: Watch(watched=frozenset((BANK, LENDER, POOL, VAULT)))}
MILLION = 10**6 * 10**18


def guard(**settings: object) -> Drain:
    """A detector that has seen the chain at block 1: what everybody holds, and a coin at two dollars."""
    drain = Drain(WATCH, **settings)  # type: ignore[arg-type]
    drain.observe(block(1))
    for state in (
        reading(BANK, 1, "holdings", {NATIVE: MILLION}),
        reading(LENDER, 1, "holdings", {DOLLAR: MILLION, COIN: MILLION // 10}),
        reading(POOL, 1, "uniswap_v2", {DOLLAR: 2 * MILLION, COIN: MILLION}, MILLION),
        reading(VAULT, 1, "erc4626", {DOLLAR: MILLION}, MILLION, total_assets=MILLION),
    ):
        drain.observe(state)
    drain.observe(Price(chain=CHAIN, at=12.0, position=place(1), token=COIN, value=2.0, unit=DOLLAR))
    return drain


def at(height: int, whole: Execution, fork: str = "") -> Execution:
    """The execution as mined in that block."""
    return msgspec.structs.replace(whole, position=place(height, fork), at=height * 12.0)


def withdrawal(amount: int, to: str = THIEF) -> Execution:
    """The bank pays ether out, for nothing that a chain shows."""
    return execution(call(BANK, "withdraw()", call(to, value=amount)))


def deposit(amount: int) -> Execution:
    """Ether paid into the bank."""
    return execution(call(BANK, "deposit()", value=amount))


def verdicts(found: object) -> list[tuple[str, Severity]]:
    """Kind and severity of each finding."""
    return [(f.kind, f.severity) for f in found]  # type: ignore[attr-defined]


def burn(token: str, amount: int) -> Call:
    """Alice's shares are destroyed."""
    return call(token, "burn()", log(TRANSFER, "0x" + word(ALICE), "0x" + word(ZERO), data=(amount,)))
