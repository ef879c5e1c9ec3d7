"""Curve: the virtual price never falls, and does not jump. Uniswap V3: the fees ever earned never shrink."""

import msgspec

ROUNDING = 2
"""Units of the eighteenth decimal that roundings may cost between two looks."""

RAMP = 0.0005
"""A fall up to this part may be a change of the amplification, which moves the worth of an unbalanced pool."""

JUMP = 200
"""A rise of one part in so many."""

HALF = 1 << 255
"""Fee counters wrap around at 2**256: less than half of that forward is growth."""


class Stable(msgspec.Struct, frozen=True, kw_only=True):
    """A Curve pool's numbers: the worth of a share with 18 decimals, and the shares outstanding."""

    virtual_price: int
    supply: int


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A Uniswap V3 pool's numbers: fees per unit of liquidity since the beginning, with 128 bits behind the point."""

    fees: tuple[int, int]


def drift(before: Stable, after: Stable) -> float | None:
    """The change of the virtual price as a part of it: negative for any fall, positive for a jump, else None.

    >>> drift(Stable(virtual_price=10**18, supply=1), Stable(virtual_price=98 * 10**16, supply=1))
    -0.02
    >>> drift(Stable(virtual_price=10**18, supply=1), Stable(virtual_price=10**18 + 10**14, supply=1))
    """
    if before.virtual_price <= 0 or before.supply <= 0 or after.supply <= 0:
        return None
    change = after.virtual_price - before.virtual_price
    if change >= -ROUNDING and change * JUMP < before.virtual_price:
        return None
    scale = 10**12
    return min(change * scale // before.virtual_price, 10**18) / scale


def shrunk(before: Growth, after: Growth) -> bool:
    """Did either counter go back?

    >>> shrunk(Growth(fees=(5, 2**256 - 1)), Growth(fees=(5, 3))), shrunk(Growth(fees=(5, 5)), Growth(fees=(5, 4)))
    (False, True)
    """
    return any((now - was) % (1 << 256) >= HALF for was, now in zip(before.fees, after.fees, strict=True))
