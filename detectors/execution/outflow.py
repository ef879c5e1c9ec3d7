"""What left a contract in one transaction, and whether something of worth came back for it (D1)."""

from collections.abc import Mapping
from math import isfinite, log10

import msgspec

from detectors.execution.frames import Context
from detectors.execution.ledger import NATIVE, WRAPPED, Ledger

FAIR = 9
"""Tenths of the value out that must come in for an outflow to be paid for."""

BURN_SLACK = 0.005
"""How far the share of a balance that left may exceed the share of the shares that were burnt."""

POOLS = frozenset(("uniswap_v2", "uniswap_v3", "curve", "balancer", "solidly"))
"""Kinds that trade their assets against each other, so that their own reserves say what an asset is worth."""

PLAIN = "holdings"
"""The kind that says only what is held."""

POSITIONS = "uniswap_v3"
"""The kind whose liquidity has no share token; its own code checks what a position may take."""

STABLE = "curve"
"""The kind that trades at par, whatever the proportion of its reserves."""

DECIMALS = (0, 10, 12, -10, -12)
"""By how many decimals two coins of a stable pool may differ: eighteen, eight or six each. Their reserves tell by how many."""

LOPSIDED = 3.0
"""Powers of ten by which such reserves may be out of balance."""

HOPS = 4
"""Prices in units of other tokens are followed this far."""


class Holding(msgspec.Struct, frozen=True):
    """A contract at the end of a block, moved on by the transactions since: its kind, assets, and shares outstanding."""

    kind: str
    reserves: dict[str, int]
    supply: int = 0
    total_assets: int = 0
    shares: str = ""
    """The token of its shares, where that is another contract."""


class Outflow(msgspec.Struct, frozen=True, kw_only=True):
    """One asset that left. `share` of the balance before is None when that is unknown, `ratio` (value in / value out) likewise.

    `paid` says what made up for it, "" nothing did. `doubtful`: something of unknown worth came in; `swapped`: in a swap.
    `surrendered`: shares given up in the same transaction, whether or not they are worth it.
    """

    asset: str
    out: int
    before: int | None
    ratio: float | None
    paid: str
    doubtful: bool
    swapped: bool
    surrendered: int

    @property
    def share(self) -> float | None:
        """The part of the balance before that left, 0..1."""
        return min(1.0, self.out / self.before) if self.before and self.before > 0 else None


class Known(msgspec.Struct, frozen=True):
    """What is known of a contract before the transaction. `prices`: token -> (unit, value of one base unit in it)."""

    chain: str
    contract: str
    context: Context
    holding: Holding | None
    prices: Mapping[str, tuple[str, float]]
    share_token: str
    trades: bool = False
    """Seen to do a pool's business in this very transaction; decides where the kind does not say what the contract does."""
    position: bool = False
    """Seen to pay out a position, of which there are no shares to count."""
    exchanges: bool = False
    """Seen to exchange as stable pools do."""

    def balance(self, asset: str) -> int | None:
        """Base units held before; what the shell gathered comes first."""
        told = self.context.balances.get(asset, {}).get(self.contract)
        if told is None and self.holding is not None:
            return self.holding.reserves.get(asset)
        return told

    def backing(self, asset: str) -> int | None:
        """The balance that shares are a claim on: a vault's total assets, idle or at work."""
        held = self.balance(asset)
        if held is None or self.holding is None or len(self.holding.reserves) != 1 or asset not in self.holding.reserves:
            return held
        return max(held, self.holding.total_assets)

    @property
    def supply(self) -> int | None:
        """Shares outstanding before; None when unknown or none."""
        told = self.context.supplies.get(self.share_token)
        if told is None and self.holding is not None:
            told = self.holding.supply
        return told if told is not None and told > 0 else None

    @property
    def prices_itself(self) -> bool:
        """Are its reserves two assets that trade at their proportion, and not whatever somebody sent?"""
        return self.holding.kind in POOLS if self.holding is not None else self.trades

    @property
    def at_par(self) -> bool:
        """Does it trade coins of like worth against each other?"""
        return self.exchanges or (self.holding is not None and self.holding.kind == STABLE)

    def worth(self, asset: str) -> tuple[str, float]:
        """(numeraire, value of one base unit in it). An asset without a price is its own numeraire.

        Price events come first, since they name their unit; the context's are all in one, called usd.
        """
        rate, unit = 1.0, asset
        for _ in range(HOPS):
            quoted = self.prices.get(unit) or self.prices.get(self._wrapped(unit))
            if quoted is None:
                break
            unit, rate = quoted[0], rate * quoted[1]
        usd = self._usd(unit)
        return (self._wrapped(unit), rate) if usd is None else ("usd", rate * usd)

    def _usd(self, asset: str) -> float | None:
        if asset == "usd":
            return 1.0
        prices = self.context.prices
        value = prices.get(asset) or prices.get(self._wrapped(asset))
        return value if value is not None and value > 0 else None

    def _wrapped(self, asset: str) -> str:
        return WRAPPED.get(self.chain, asset) if asset == NATIVE else asset


def outflows(ledger: Ledger, known: Known, kept: Mapping[str, int]) -> list[Outflow]:
    """Every asset that left `known.contract`, judged. `kept`: parts that went to the house's own contracts and stay there."""
    changes = ledger.assets(known.contract)
    out = {a: -n - kept.get(a, 0) for a, n in changes.items() if n < 0 and a != known.contract}
    out = {a: n for a, n in out.items() if n > 0}
    if not out:
        return []
    into = {a: n for a, n in changes.items() if n > 0 and a != known.share_token}
    ratio, unpriced = _value(out, into, known)
    returned = _returned(ledger, known)
    redeemed = _redeemed(returned, out, known)
    traded = _traded(out, into, known)
    par = known.at_par and _at_par(out, into, known)
    exchanged = known.at_par and len(out) == 1 == len(into)
    settled = known.position and known.holding is not None and known.holding.kind == POSITIONS
    found = []
    for asset, amount in out.items():
        paid = "position" if settled else _paid(ratio, redeemed=asset in redeemed, traded=(traded or par) and known.prices_itself)
        doubtful = not paid and (
            exchanged or _open(unpriced, known, traded=traded) or (returned > 0 and not known.supply) or known.position
        )
        found.append(
            Outflow(
                asset=asset,
                out=amount,
                before=known.balance(asset),
                ratio=ratio,
                paid=paid,
                doubtful=doubtful,
                swapped=doubtful and known.trades and known.holding is None and not exchanged,
                surrendered=max(0, returned),
            )
        )
    return found


def _paid(ratio: float | None, *, redeemed: bool, traded: bool) -> str:
    if ratio is not None and ratio * 10 >= FAIR:
        return "value"
    return "shares" if redeemed else "reserves" if traded else ""


def _value(out: Mapping[str, int], into: Mapping[str, int], known: Known) -> tuple[float | None, list[str]]:
    """(value in / value out at prices from before the transaction, None unless all that left has one; what came in unpriced)."""
    worths = {asset: known.worth(asset) for asset in (*out, *into)}
    units = {worths[asset][0] for asset in out}
    if len(units) != 1:
        return None, list(into)
    unit = units.pop()
    gone = sum(amount * worths[asset][1] for asset, amount in out.items())
    come = sum(amount * worths[asset][1] for asset, amount in into.items() if worths[asset][0] == unit)
    unpriced = [asset for asset in into if worths[asset][0] != unit]
    ratio = come / gone if gone > 0 else None
    return (ratio if ratio is not None and isfinite(ratio) else None), unpriced


def _returned(ledger: Ledger, known: Known) -> int:
    """Shares given up: burnt, or handed back to the contract itself (all that is seen of it without logs), less those made.

    A fee minted to a bystander on the way makes nobody's redemption smaller.
    """
    token = known.share_token
    back = ledger.burns(token) + max(0, ledger.net(token, known.contract))
    return back - ledger.mints(token) + ledger.bystanders(token)


def _redeemed(returned: int, out: Mapping[str, int], known: Known) -> frozenset[str]:
    """The assets that left in proportion to the shares given up; or one for one, where a wrapper's supply is unknown.

    Of a stable pool a share may be taken out in any of its coins.
    """
    if returned <= 0:
        return frozenset()
    supply = known.supply
    if not supply:
        return frozenset(asset for asset, amount in out.items() if asset == NATIVE and amount == returned)
    part = returned / supply + BURN_SLACK
    if known.at_par and known.holding is not None and _weighed(out, known.holding) <= part:
        return frozenset(out)
    backing = {asset: known.backing(asset) for asset in out}
    return frozenset(asset for asset, amount in out.items() if (held := backing[asset]) and amount / held <= part)


def _weighed(out: Mapping[str, int], holding: Holding) -> float:
    """The part of a stable pool that left, its coins being of like worth; 1.0 where that cannot be told."""
    held = {asset: amount for asset, amount in holding.reserves.items() if amount > 0}
    if not out.keys() <= held.keys():
        return 1.0
    most = log10(max(held.values()))
    weights = {asset: 10.0 ** _decimals(most - log10(amount)) for asset, amount in held.items()}
    whole = sum(amount * weights[asset] for asset, amount in held.items())
    return sum(amount * weights[asset] for asset, amount in out.items()) / whole


def _decimals(tilt: float) -> int:
    """By how many decimals coins of like worth differ whose reserves differ by so many powers of ten."""
    return min(DECIMALS, key=lambda decimals: abs(decimals - tilt))


def _traded(out: Mapping[str, int], into: Mapping[str, int], known: Known) -> bool:
    """One asset against one other, at least nine tenths of what the reserves before the transaction say it is worth."""
    if len(out) != 1 or len(into) != 1:
        return False
    (sold, amount_out), (bought, amount_in) = *out.items(), *into.items()
    reserve_out, reserve_in = known.balance(sold), known.balance(bought)
    if reserve_out is None or reserve_in is None or reserve_out <= 0 or reserve_in < 0:
        return False
    return 10 * amount_in * reserve_out >= FAIR * amount_out * reserve_in


def _at_par(out: Mapping[str, int], into: Mapping[str, int], known: Known) -> bool:
    """One coin against one other of like worth, at least nine tenths of it, their decimals taken into account.

    A stable pool trades so however far its reserves are out of balance; by how many decimals its coins differ they still tell.
    """
    if len(out) != 1 or len(into) != 1:
        return False
    (sold, amount_out), (bought, amount_in) = *out.items(), *into.items()
    reserve_out, reserve_in = known.balance(sold), known.balance(bought)
    if not reserve_out or not reserve_in or reserve_out < 0 or reserve_in < 0:
        return False
    tilt = log10(reserve_in) - log10(reserve_out)
    more = _decimals(tilt)
    if abs(more - tilt) > LOPSIDED:
        return False
    return bool(10 * amount_in * 10 ** max(0, -more) >= FAIR * amount_out * 10 ** max(0, more))


def _open(unpriced: list[str], known: Known, *, traded: bool) -> bool:
    """Is it open what came in was worth? Of a contract whose balances are read each block: only if it trades.

    Anyone can send such a contract a token of his own making first, so that it has a reserve of it, and pay in that.
    """
    if known.holding is not None:
        return bool(unpriced) and traded and known.trades
    return bool(unpriced) and (traded or any(known.balance(asset) is None for asset in unpriced))
