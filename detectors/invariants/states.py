"""Pools as invariants see them, and how a transaction moves them before anyone has read them again."""

import msgspec

from detectors.events import PoolState
from detectors.execution.frames import Execution, Log
from detectors.execution.ledger import NATIVE, Ledger, word
from detectors.invariants.pair import Pair
from detectors.invariants.rules import Rule
from detectors.invariants.stable import Growth, Stable
from detectors.invariants.vault import Vault

SYNC = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
"""Uniswap V2's Sync: the reserves as the pair itself books them."""

FEE_AT_MOST = 20
"""A mint to a bystander is taken for the protocol's fee up to one part in so many of the supply; the next reading is exact."""


class Accounts(msgspec.Struct, frozen=True):
    """What a contract says of itself by name, and the rules its operator wrote over that."""

    told: dict[str, int]
    rules: tuple[Rule, ...]


Numbers = Pair | Vault | Stable | Growth | Accounts


class Seen(msgspec.Struct, frozen=True):
    """A pool's numbers and the tokens they are of, lowest address first. `idle`: a vault holds all of its assets itself."""

    tokens: tuple[str, ...]
    numbers: Numbers
    idle: bool = False


def seen(state: PoolState, rules: tuple[Rule, ...] = ()) -> Seen | None:
    """What a block-end reading says; None for kinds without an invariant here, or with the wrong number of assets.

    `uniswap_v2`: two reserves, `supply`, and of `extra` `k_last`, `fee_shares`, `fee_numerator`, `fee_denominator` where known.
    `erc4626`: one reserve, `supply`, `total_assets`, and `virtual_assets`, `virtual_shares` where known. `curve`: `supply` and
    `virtual_price`. `uniswap_v3`: `fee_growth0` and `fee_growth1`. Any kind for which there are
    rules: those instead, over all of `extra`, the `supply`, and its one balance as `held`.
    """
    tokens, extra = tuple(sorted(asset for asset in state.reserves if asset != NATIVE)), state.extra
    if rules:
        return Seen(tokens, Accounts(_told(state, tokens), rules))
    if state.kind == "curve" and "virtual_price" in extra:
        return Seen(tokens, Stable(virtual_price=extra["virtual_price"], supply=state.supply))
    if state.kind == "uniswap_v3" and extra.keys() >= {"fee_growth0", "fee_growth1"}:
        return Seen(tokens, Growth(fees=(extra["fee_growth0"], extra["fee_growth1"])))
    if state.kind == "uniswap_v2" and len(tokens) == 2:
        fee = (extra.get("fee_numerator", 1), extra.get("fee_denominator", 6))
        reserves = (state.reserves[tokens[0]], state.reserves[tokens[1]])
        return Seen(
            tokens,
            Pair(
                reserves=reserves,
                supply=state.supply,
                k_last=extra.get("k_last"),
                fee_shares=extra.get("fee_shares"),
                fee=fee if 0 < fee[0] < fee[1] else (1, 6),
            ),
        )
    if state.kind == "erc4626" and "total_assets" in extra:
        vault = Vault(
            assets=extra["total_assets"],
            shares=state.supply,
            virtual_assets=extra.get("virtual_assets"),
            virtual_shares=extra.get("virtual_shares"),
        )
        return Seen(tokens, vault, len(tokens) == 1 and state.reserves[tokens[0]] == vault.assets)
    return None


def _told(state: PoolState, tokens: tuple[str, ...]) -> dict[str, int]:
    held = state.reserves.get(tokens[0] if len(tokens) == 1 else NATIVE) if len(tokens) < 2 else None
    return state.extra | {"supply": state.supply} | ({"held": held} if held is not None else {})


def moved(before: Seen, pool: str, execution: Execution, ledger: Ledger) -> Seen | None:
    """The pool after a transaction, from its own events and the flows; None where these cannot tell."""
    shares = ledger.mints(pool) - ledger.burns(pool)
    if isinstance(before.numbers, Pair):
        return msgspec.structs.replace(before, numbers=_pair(before, before.numbers, pool, execution, ledger, shares))
    if not before.idle or not isinstance(before.numbers, Vault):
        return None
    vault = before.numbers
    assets = vault.assets + ledger.net(before.tokens[0], pool)
    if assets < 0 or vault.shares + shares < 0:
        return None
    return msgspec.structs.replace(before, numbers=msgspec.structs.replace(vault, assets=assets, shares=vault.shares + shares))


def _pair(before: Seen, pair: Pair, pool: str, execution: Execution, ledger: Ledger, shares: int) -> Pair:
    """With logs the pair's last Sync is exact, and none means that its books stand; without, the flows are what there is."""
    reserves = pair.reserves
    if execution.logged:
        reserves = _synced(execution, pool) or reserves
    else:
        first, second = (max(0, r + ledger.net(t, pool)) for r, t in zip(pair.reserves, before.tokens, strict=True))
        reserves = (first, second)
    touched = bool(ledger.mints(pool) or ledger.burns(pool))
    k_last = reserves[0] * reserves[1] if touched and pair.k_last else pair.k_last
    fee = ledger.bystanders(pool)
    known = pair.fee_shares is not None and fee * FEE_AT_MOST <= pair.supply
    fee_shares = pair.fee_shares + fee if known and pair.fee_shares is not None else None
    supply = max(0, pair.supply + shares)
    return msgspec.structs.replace(pair, reserves=reserves, supply=supply, k_last=k_last, fee_shares=fee_shares)


def _synced(execution: Execution, pool: str) -> tuple[int, int] | None:
    for step in reversed(execution.steps):
        if step.__class__ is not Log or step.address != pool or not step.topics or step.topics[0] != SYNC:
            continue
        if execution.frames[step.frame].alive:
            try:
                return word(step.data, 0), word(step.data, 1)
            except ValueError:
                return None
    return None
