"""Whose outflow counts: contracts named by the operator always, others only if they look like a pool, vault or lender robbed."""

from detectors.base import Watch
from detectors.drain.claims import carried
from detectors.execution.frames import STATICCALL, Execution, Log
from detectors.execution.ledger import Ledger, word
from detectors.execution.trusted import trusted

SWAPS = frozenset(
    (
        "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822",  # Uniswap V2 Swap
        "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",  # Uniswap V3 Swap
        "0x8b3e96f2b889fa771c53c981b40daf005f63f637f1869f707052d15a3dd97140",  # Curve TokenExchange
        "0x908fb5ee8f16c6bc9bc3690973819f32a4d4b10188134543c88706e0e1d43378",  # Balancer V1 LOG_SWAP
    )
)
EXCHANGED = "0x8b3e96f2b889fa771c53c981b40daf005f63f637f1869f707052d15a3dd97140"
EXCHANGES = frozenset(("0x3df02124", "0xa6417ed6"))
"""Curve's TokenExchange; its `exchange` and `exchange_underlying`."""

POSITION_CALLS = frozenset(("0xa34123a7", "0x4f1eb3d8"))
"""`burn` and `collect` of Uniswap V3: liquidity that no share token stands for."""

POOL_CALLS = POSITION_CALLS | {"0x022c0d9f", "0x89afcb44", "0x128acb08", "0x3df02124", "0x8201aa3f", "0x7c5e9ea4"}
"""Those, `swap` and `burn` of Uniswap V2, `swap` of V3, `exchange` of Curve, `swapExactAmountIn` and `Out` of Balancer V1."""

MINT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
BURN = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
COLLECT = "0x70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0"
"""Uniswap V3's events of positions; each names owner and range in its topics."""

_TELLS = frozenset((MINT, BURN, COLLECT))

EMPTY = 0.999
"""From this share on a purse counts as emptied."""


def trades(execution: Execution, address: str) -> bool:
    """Did this contract do a pool's business here, by its own log or the call it answered?"""
    if any(s.__class__ is Log and s.address == address and s.topics and s.topics[0] in SWAPS for s in execution.steps):
        return True
    return _answered(execution, address, POOL_CALLS)


def exchanges(execution: Execution, address: str) -> bool:
    """Did this contract exchange coins as stable pools do, by its own log or the call it answered?"""
    if any(s.__class__ is Log and s.address == address and s.topics and s.topics[0] == EXCHANGED for s in execution.steps):
        return True
    return _answered(execution, address, EXCHANGES)


def pays_positions(execution: Execution, address: str) -> bool:
    """Did this contract pay out a position that had stood before?

    One made and taken back in the same transaction brought no more than it may take, so it is no reason for a loss.
    """
    if not _answered(execution, address, POSITION_CALLS):
        return False
    made, gone = dict[tuple[str, ...], int](), dict[tuple[str, ...], int]()
    for step in execution.steps:
        if step.__class__ is not Log or step.address != address or len(step.topics) != 4 or step.topics[0] not in _TELLS:
            continue
        side, at = (made, 1) if step.topics[0] == MINT else (gone, 0)
        try:
            amount = word(step.data, at) if step.topics[0] != COLLECT else 0
        except ValueError:
            return True
        side[step.topics[1:]] = side.get(step.topics[1:], 0) + amount
    return not gone or any(amount > made.get(place, -1) for place, amount in gone.items())


def _answered(execution: Execution, address: str, selectors: frozenset[str]) -> bool:
    return any(frame.ctx == address and frame.selector in selectors and frame.alive for frame in execution.frames)


def strangers(execution: Execution, ledger: Ledger, watch: Watch, party: frozenset[str], address: str) -> bool:
    """May this unnamed contract be a victim? It ran, it is nobody's own, the initiator gained, and it is more than a purse.

    What was carried off to an account that does nothing itself is the initiator's gain.
    """
    if address in party or address in watch.trusted or address in trusted(execution.chain):
        return False
    gained = any(amount > 0 for amount in ledger.party_gain(party).values())
    if not gained and not carried(execution, ledger, party, address):
        return False
    entries = [i for i, frame in enumerate(execution.frames) if _entered(execution, i) and frame.ctx == address]
    return bool(entries) and not _purse(execution, ledger, address, entries)


def _entered(execution: Execution, i: int) -> bool:
    frame = execution.frames[i]
    if not frame.alive or frame.parent < 0 or frame.type == STATICCALL or not frame.selector:
        return False
    return execution.frames[frame.parent].ctx != frame.ctx


def _purse(execution: Execution, ledger: Ledger, address: str, entries: list[int]) -> bool:
    """A forwarder or a wallet: called once, it hands over everything it has, takes nothing and says nothing."""
    if len(entries) > 1 or any(s.__class__ is Log and s.address == address for s in execution.steps):
        return False
    changes = ledger.assets(address)
    held = execution.context.balances
    emptied = [-n >= EMPTY * held.get(a, {}).get(address, -n) for a, n in changes.items() if n < 0]
    return all(emptied) and not any(n > 0 for n in changes.values())
