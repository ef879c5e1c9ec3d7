"""A vault's first share made dear by a gift, so that the next depositor's shares round to nothing (D6)."""

from collections.abc import Sequence

import msgspec

from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger, Moved
from detectors.execution.outflow import Known

FEW = 1_000
"""Shares outstanding, in base units, up to which a share can be made dear."""

DEAR = 100
"""A gift of more than so many times the value of a share."""

ROUNDED = 0.99
"""A depositor who gets less than this part of his shares has been rounded away; and fewer than DEAR units, or it was a fee."""


class Inflated(msgspec.Struct, frozen=True, kw_only=True):
    """What was given to a vault of `shares` units whose share was worth `worth` base units of `asset`."""

    asset: str
    given: int
    shares: int
    worth: int


class Rounded(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit of `paid` base units of `asset` that should have made `fair` units of share, and made `made`."""

    asset: str
    paid: int
    fair: float
    made: int


def judge(execution: Execution, ledger: Ledger, moves: Sequence[Moved], past: Known) -> Inflated | Rounded | None:
    """What happened to this vault. None where its supply or its balance before is unknown, or it makes no shares."""
    vault, shares = past.contract, past.share_token
    supply = execution.context.supplies.get(shares)
    if supply is None and past.holding is not None and past.holding.kind == "erc4626":
        supply = past.holding.supply
    made = ledger.mints(shares) - ledger.bystanders(shares)
    if supply is None or supply > FEW or (not supply and not made):
        return None
    end = supply + ledger.mints(shares) - ledger.burns(shares)
    for asset, amount in ledger.assets(vault).items():
        before = past.backing(asset)
        if amount <= 0 or asset == shares or before is None:
            continue
        given = _given(execution, moves, vault, asset)
        paid = amount - given
        if 0 < end <= FEW and given > 0:
            worth = max(1, (before + max(0, paid)) // end)
            if given > DEAR * worth:
                return Inflated(asset=asset, given=given, shares=end, worth=worth)
        if given <= 0 < paid and supply and before > 0 and not ledger.burns(shares):
            fair = paid * supply / before
            if made < DEAR and made < ROUNDED * fair:
                return Rounded(asset=asset, paid=paid, fair=fair, made=made)
    return None


def _given(execution: Execution, moves: Sequence[Moved], vault: str, asset: str) -> int:
    """What came without the vault having asked for it: nothing of the vault was running."""
    return sum(m.amount for m in moves if m.target == vault and m.asset == asset and not _below(execution, m.frame, vault))


def _below(execution: Execution, at: int, vault: str) -> bool:
    while at >= 0:
        frame = execution.frames[at]
        if frame.ctx == vault:
            return True
        at = frame.parent
    return False
