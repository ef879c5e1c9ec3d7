"""ERC-4626 vaults: shares outstanding, what they claim to be worth, and what is really there."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import TOTAL_SUPPLY, Pool, Read, account, balance_of, number

ASSET, TOTAL_ASSETS = "0x38d52e0f", "0x01e1d114"


class Erc4626(Pool):
    """A vault. `reserves` holds its own balance of the asset, `extra.total_assets` what it accounts for (lent out included)."""

    kind: ClassVar[str] = "erc4626"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, assets)
        self.asset: str | None = None

    def facts(self) -> list[Read]:
        """Its asset."""
        return [Read(self.contract, ASSET)] if self.asset is None else []

    def learn(self, answers: Sequence[str | None]) -> None:
        """The asset."""
        self.asset = account(answers[0])

    def calls(self) -> list[Read]:
        """Total assets, supply, and the asset it holds."""
        held = [balance_of(self.asset, self.contract)] if self.asset else []
        return [Read(self.contract, TOTAL_ASSETS), Read(self.contract, TOTAL_SUPPLY), *held]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None while the asset, the total or the supply is unknown."""
        total, supply = number(answers[0]), number(answers[1])
        held = number(answers[2]) if len(answers) > 2 else None
        if self.asset is None or total is None or supply is None or held is None:
            return None
        return PoolState(
            chain=chain,
            at=at,
            position=position,
            pool=self.contract,
            kind=self.kind,
            reserves={self.asset: held},
            supply=supply,
            extra={"total_assets": total},
        )
