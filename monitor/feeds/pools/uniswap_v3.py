"""Uniswap V3 pools: what they hold, their price and liquidity, and the fees they have ever earned."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import Pool, Read, account, balance_of, number

TOKEN0, TOKEN1 = "0x0dfe1681", "0xd21220a7"
SLOT0, LIQUIDITY = "0x3850c7bd", "0x1a686502"
FEES0, FEES1 = "0xf3058399", "0x46141319"
"""`feeGrowthGlobal0X128` and `1`: fees per unit of liquidity since the beginning; they wrap around."""


class UniswapV3(Pool):
    """A pool. `reserves` are its balances; of `extra`, `sqrt_price` is the root of the price with 96 bits behind the point.

    It has no shares: liquidity belongs to positions, and `liquidity` is what is in range now.
    """

    kind: ClassVar[str] = "uniswap_v3"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, assets)
        self.token0: str | None = None
        self.token1: str | None = None

    def facts(self) -> list[Read]:
        """Both tokens."""
        known = self.token0 is not None and self.token1 is not None
        return [] if known else [Read(self.contract, selector) for selector in (TOKEN0, TOKEN1)]

    def learn(self, answers: Sequence[str | None]) -> None:
        """The tokens."""
        self.token0, self.token1 = map(account, answers)

    def calls(self) -> list[Read]:
        """Price, liquidity, both fee counters, and both balances once the tokens are known."""
        held = [balance_of(token, self.contract) for token in (self.token0, self.token1) if token is not None]
        return [*(Read(self.contract, selector) for selector in (SLOT0, LIQUIDITY, FEES0, FEES1)), *held]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None without tokens, balances, price or liquidity."""
        price, liquidity, fees0, fees1 = (number(answer) for answer in answers[:4])
        held = [number(answer) for answer in answers[4:]]
        if self.token0 is None or self.token1 is None or len(held) != 2 or price is None or liquidity is None:
            return None
        balance0, balance1 = held
        if balance0 is None or balance1 is None:
            return None
        fees = {name: told for name, told in (("fee_growth0", fees0), ("fee_growth1", fees1)) if told is not None}
        return PoolState(
            chain=chain,
            at=at,
            position=position,
            pool=self.contract,
            kind=self.kind,
            reserves={self.token0: balance0, self.token1: balance1},
            extra={"sqrt_price": price, "liquidity": liquidity, **fees},
        )
