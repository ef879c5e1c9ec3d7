"""What the house does to its own pool (D5): it pulls the liquidity, or sells what it has just made for nothing."""

from collections.abc import Mapping

import msgspec

from detectors.execution.ledger import ZERO, Ledger
from detectors.execution.outflow import POOLS, Known

KEPT_IN_PLAY = 0.5
"""Of what liquidity gave back, the part that must not reach whoever pulled it for this to be a migration."""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """Liquidity taken out of a pool: `share` of all its shares burnt by one party; `assets` are what it gave back."""

    pool: str
    share: float
    assets: tuple[str, ...]


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """`share` of a pool's `asset` bought with `paper` that had been minted for nothing."""

    pool: str
    asset: str
    out: int
    share: float
    paper: str
    minted: int


def pulled(ledger: Ledger, past: Known, gain: Mapping[str, int]) -> Pulled | None:
    """The part of a pool's shares that a party burnt, for itself. `gain` is what the party gained in all."""
    supply = past.supply
    if supply is None or past.holding is None or past.holding.kind not in POOLS:
        return None
    burnt = ledger.burns(past.share_token) - ledger.mints(past.share_token) + ledger.bystanders(past.share_token)
    out = {a: -n for a, n in ledger.assets(past.contract).items() if n < 0 and a != past.share_token}
    if burnt <= 0 or not out:
        return None
    if all(gain.get(asset, 0) < KEPT_IN_PLAY * amount for asset, amount in out.items()):
        return None  # it went on into another pool, or to whoever owned the shares
    return Pulled(pool=past.contract, share=min(1.0, burnt / supply), assets=tuple(sorted(out)))


def minted_free(ledger: Ledger, party: frozenset[str], gain: Mapping[str, int]) -> dict[str, int]:
    """Token -> what was minted to the party, if the party gave nothing for anything in this transaction."""
    if any(amount < 0 for amount in gain.values()):
        return {}
    made: dict[str, int] = {}
    for asset, source, target, amount in ledger.moves:
        if source == ZERO and target in party:
            made[asset] = made.get(asset, 0) + amount
    return made


def paper(ledger: Ledger, past: Known, gain: Mapping[str, int], made: Mapping[str, int]) -> Paper | None:
    """The sale of freshly made paper to a pool: all the pool lost went to the seller, who gave nothing else.

    `made` is what the seller minted for nothing, lately or now. A token that is paid for when it is minted (wrapped ether, a
    stablecoin against another) leaves the proceeds with whoever was paid, and is no paper.
    """
    changes = ledger.assets(past.contract)
    lost = {a: -n for a, n in changes.items() if n < 0 and a != past.share_token}
    paid = {a: n for a, n in changes.items() if n > 0 and a != past.share_token}
    if len(lost) != 1 or len(paid) != 1:
        return None
    (asset, out), (token, amount) = *lost.items(), *paid.items()
    before = past.balance(asset)
    if not before or before <= 0 or made.get(token, 0) < 0.9 * amount or gain.get(asset, 0) < 0.9 * out:
        return None
    if any(loss < 0 for other, loss in gain.items() if other != token):
        return None
    share = min(1.0, out / before)
    return Paper(pool=past.contract, asset=asset, out=out, share=share, paper=token, minted=made[token])
