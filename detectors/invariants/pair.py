"""Uniswap V2: what one share of the pool is worth, as the root of r0*r1 over the supply, never falls.

The protocol's fee is no fall. It is paid in new shares at the next mint or burn, one sixth of the growth of root k since
`k_last`; so the shares already owed are counted as outstanding, which makes the comparison exact at every block.
"""

from math import isqrt

import msgspec

OWED_UNKNOWN = 0.05
"""Without a use of `k_last` or `fee_shares`, a fall up to this may be the protocol's fee of a long time."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A pair's numbers. `k_last` is the pair's own record (0: no fee), `fee_shares` the balance of feeTo; None when not read.

    `fee`: the protocol's part of the growth; Uniswap's is one sixth.
    """

    reserves: tuple[int, int]
    supply: int
    k_last: int | None = None
    fee_shares: int | None = None
    fee: tuple[int, int] = (1, 6)

    @property
    def k(self) -> int:
        """Product of the reserves; 0 for what cannot be reserves."""
        return max(0, self.reserves[0]) * max(0, self.reserves[1])

    @property
    def live(self) -> bool:
        """Has it liquidity and shares? An empty pair promises nothing."""
        return self.k > 0 and self.supply > 0


class Fall(msgspec.Struct, frozen=True):
    """A broken promise: the part (0..1) of a share's worth that is gone, and whether a fee could explain it."""

    part: float
    explicable: bool


def owed(pair: Pair) -> tuple[int, int]:
    """Shares owed to the protocol but not minted yet: bounds below and above, in base units.

    >>> owed(Pair(reserves=(4_000_000, 4_000_000), supply=1_000_000, k_last=1_000_000**2))
    (142857, 142858)
    """
    root, last = isqrt(pair.k), isqrt(max(0, pair.k_last or 0))
    if not pair.k_last or root <= last:
        return 0, 0
    part, whole = pair.fee
    low = pair.supply * (root - last) * part // ((whole - part) * root + part * last)
    return low, low + 1


def fall(before: Pair, after: Pair) -> Fall | None:
    """How far a share lost worth between two states, None if it did not: k/supply^2 compared in integers.

    Shares owed (`k_last`) or paid since (`fee_shares`) to the protocol count as outstanding before; either explanation will do.
    Where the protocol spent shares of its fee meanwhile, `fee_shares` explains nothing.

    >>> start = Pair(reserves=(1000, 1000), supply=1000, k_last=0)
    >>> fall(start, Pair(reserves=(1100, 910), supply=1000, k_last=0))
    >>> fall(start, Pair(reserves=(1100, 900), supply=1000, k_last=0))
    Fall(part=0.005012562893, explicable=False)
    """
    if not before.live or after.supply <= 0:
        return None
    views = []
    if before.k_last is not None and after.k_last is not None:
        views.append((before.supply + owed(before)[1], after.supply + owed(after)[0]))
    if before.fee_shares is not None and after.fee_shares is not None and after.fee_shares >= before.fee_shares:
        views.append((before.supply + after.fee_shares - before.fee_shares, after.supply))
    blind = not views
    parts = [_lost(before.k, after.k, *shares) for shares in views or [(before.supply, after.supply)]]
    part = min(parts)
    if part <= 0:
        return None
    return Fall(part, blind and part < OWED_UNKNOWN)


def _lost(k_before: int, k_after: int, shares_before: int, shares_after: int) -> float:
    """The part of a share's worth that is gone: 0.0 exactly when none is, never less than 1e-12 when some is."""
    left, right = k_after * shares_before**2, k_before * max(1, shares_after) ** 2
    return 0.0 if left >= right else max(1e-12, round(1.0 - _root_ratio(left, right), 12))


def _root_ratio(left: int, right: int) -> float:
    """sqrt(left / right) of integers of any width."""
    scale = 1 << 120
    return isqrt(left * scale // right) / (1 << 60)
