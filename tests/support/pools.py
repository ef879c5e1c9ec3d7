"""Pools as their contracts compute them, in integers: a Uniswap V2 pair and an ERC-4626 vault, and readings of them."""

from dataclasses import dataclass
from math import isqrt

from detectors.events import Block, Committed, PoolState, Position, Reverted

CHAIN = "eip155:1"
MINIMUM_LIQUIDITY = 1000


def place(height: int, fork: str = "") -> Position:
    """A block; another `fork` is another block of the same height."""
    return Position(height, f"0x{fork}{height:x}", f"0x{fork}{height - 1:x}")


def block(height: int, fork: str = "", seconds: int = 12) -> Block:
    """A new block, one every `seconds`."""
    return Block(chain=CHAIN, at=float(height * seconds), position=place(height, fork), timestamp=float(height * seconds))


def committed(height: int, finalized: int = -1, fork: str = "") -> Committed:
    """One block is complete."""
    here = place(height, fork)
    return Committed(chain=CHAIN, at=float(height * 12), first=here, last=here, finalized=finalized)


def reverted(first: int, last: int) -> Reverted:
    """Blocks are gone."""
    return Reverted(chain=CHAIN, at=float(last * 12), first=place(first), last=place(last))


def reading(
    pool: str, height: int, kind: str, reserves: dict[str, int], supply: int = 0, fork: str = "", **extra: int | None
) -> PoolState:
    """A pool read at the end of a block."""
    told = {name: value for name, value in extra.items() if value is not None}
    return PoolState(
        chain=CHAIN,
        at=float(height * 12),
        position=place(height, fork),
        pool=pool,
        kind=kind,
        reserves=reserves,
        supply=supply,
        extra=told,
    )


@dataclass
class Pair:
    """UniswapV2Pair: mint, burn, swap and the protocol's fee, rounding as the contract does."""

    r0: int = 0
    r1: int = 0
    supply: int = 0
    k_last: int = 0
    fee_on: bool = True
    fee_shares: int = 0

    def _mint_fee(self) -> None:
        if self.fee_on and self.k_last:
            root, last = isqrt(self.r0 * self.r1), isqrt(self.k_last)
            if root > last:
                shares = self.supply * (root - last) // (root * 5 + last)
                self.supply += shares
                self.fee_shares += shares

    def _settle(self) -> None:
        self.k_last = self.r0 * self.r1 if self.fee_on else 0

    def mint(self, a0: int, a1: int) -> int:
        """Liquidity in; returns the shares, 0 when the contract would refuse."""
        if not self.supply:
            shares = isqrt(a0 * a1) - MINIMUM_LIQUIDITY
            if shares <= 0:
                return 0
            self.supply = shares + MINIMUM_LIQUIDITY
        else:
            self._mint_fee()
            shares = min(a0 * self.supply // self.r0, a1 * self.supply // self.r1)
            if not shares:
                self._settle()
                return 0
            self.supply += shares
        self.r0, self.r1 = self.r0 + a0, self.r1 + a1
        self._settle()
        return shares

    def burn(self, shares: int) -> tuple[int, int]:
        """Liquidity out; never the minimum."""
        self._mint_fee()
        shares = min(shares, self.supply - MINIMUM_LIQUIDITY - self.fee_shares)
        out = (shares * self.r0 // self.supply, shares * self.r1 // self.supply) if shares > 0 else (0, 0)
        if shares > 0:
            self.supply -= shares
            self.r0, self.r1 = self.r0 - out[0], self.r1 - out[1]
        self._settle()
        return out

    def swap(self, amount: int, *, zero_in: bool) -> int:
        """A swap with the fee of 0.3 %; returns the amount out."""
        into, from_ = (self.r0, self.r1) if zero_in else (self.r1, self.r0)
        out = amount * 997 * from_ // (into * 1000 + amount * 997)
        into, from_ = into + amount, from_ - out
        self.r0, self.r1 = (into, from_) if zero_in else (from_, into)
        return out

    def donate(self, amount: int) -> None:
        """Sent without a swap, then sync."""
        self.r0 += amount


@dataclass
class Vault:
    """An ERC-4626 vault, with OpenZeppelin's virtual amounts or without."""

    assets: int = 0
    shares: int = 0
    virtual: int = 0

    def deposit(self, assets: int) -> None:
        """Assets in, shares rounded down; a deposit worth no share is refused."""
        if not self.shares and not self.virtual:
            made = assets
        elif not self.assets + self.virtual:
            return
        else:
            made = assets * (self.shares + self.virtual) // (self.assets + self.virtual)
        if made:
            self.assets, self.shares = self.assets + assets, self.shares + made

    def redeem(self, shares: int) -> None:
        """Shares out, assets rounded down."""
        shares = min(shares, self.shares)
        if shares:
            out = shares * (self.assets + self.virtual) // (self.shares + self.virtual)
            self.assets, self.shares = self.assets - out, self.shares - shares
