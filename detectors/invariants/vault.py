"""ERC-4626: the price of a share never falls but by rounding, and does not jump either."""

import msgspec

ROUNDING = 16
"""Base units of the asset that roundings against the vault may cost between two looks."""


class Vault(msgspec.Struct, frozen=True, kw_only=True):
    """A vault's numbers. Virtual amounts are those of inflation-proof vaults; None when not known to be used."""

    assets: int
    shares: int
    virtual_assets: int | None = None
    virtual_shares: int | None = None

    @property
    def live(self) -> bool:
        """Does a share have a price? Before the first deposit it has none."""
        return self.assets > 0 and self.shares > 0

    def conventions(self) -> tuple[tuple[int, int], ...]:
        """(virtual assets, virtual shares) to look through: the stated ones, else none and the usual 1 and 1."""
        if self.virtual_shares is not None:
            assets = self.virtual_assets if self.virtual_assets is not None else 1
            return ((max(0, assets), max(0, self.virtual_shares)),)
        return ((0, 0), (1, 1))


def change(before: Vault, after: Vault, *, jump: int = 100, rounding: int = ROUNDING) -> float | None:
    """The change of the share price as a part of it: negative for a fall, positive for a rise of 1/`jump` or more, else None.

    Roundings of up to `rounding` base units of the asset are no change. Only what holds in every convention counts.

    >>> full = Vault(assets=1_000_000, shares=1_000_000)
    >>> change(full, Vault(assets=1_500_000, shares=1_500_001)), change(full, Vault(assets=900_000, shares=1_000_000))
    (None, -0.099999900001)
    """
    if not before.live or after.shares <= 0:
        return None
    seen = [_one(before, after, va, vs, jump, rounding) for va, vs in before.conventions()]
    if any(part is None for part in seen):
        return None
    parts = [part for part in seen if part is not None]
    return min(parts, key=abs) if all(p < 0 for p in parts) or all(p > 0 for p in parts) else None


def _one(before: Vault, after: Vault, va: int, vs: int, jump: int, rounding: int) -> float | None:
    fair, shares = (before.assets + va) * (after.shares + vs), before.shares + vs
    now = (after.assets + va) * shares
    slack = rounding * shares
    if now + slack >= fair and (now - slack) * jump < fair * (jump + 1):
        return None
    scale = 10**12
    part = (now - fair) * scale // fair
    return min(part, 10**18) / scale
