"""Lenders, bridges and whatever else keeps books: what it holds, and the numbers that the operator has it asked for."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import NATIVE, TOTAL_SUPPLY, Pool, Read, balance_of, number


class Accounts(Pool):
    """A contract and its `asks`: name -> call data, whose first word is kept under that name in `extra`.

    A name that does not answer is absent: unknown, not zero. `supply` is its `totalSupply`, 0 where it has none.
    """

    kind: ClassVar[str] = "accounts"

    def __init__(self, contract: str, assets: Sequence[str] = (), asks: Mapping[str, str] | None = None) -> None:
        super().__init__(contract, assets)
        self.asks = dict(asks or {})
        self._tokens = (NATIVE, *(asset for asset in self.assets if asset != NATIVE))

    @classmethod
    def of(cls, contract: str, assets: Sequence[str] = (), asks: Mapping[str, str] | None = None) -> Self:
        """The contract at this address with what it is asked."""
        return cls(contract, assets, asks)

    def calls(self) -> list[Read]:
        """Its balances, its supply, then every number in order."""
        held = [balance_of(token, self.contract) for token in self._tokens]
        return [*held, Read(self.contract, TOTAL_SUPPLY), *(Read(self.contract, data) for data in self.asks.values())]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None when not even the native balance is known."""
        count = len(self._tokens)
        held = {token: n for token, answer in zip(self._tokens, answers, strict=False) if (n := number(answer)) is not None}
        if NATIVE not in held:
            return None
        told = zip(self.asks, answers[count + 1 :], strict=True)
        return PoolState(
            chain=chain,
            at=at,
            position=position,
            pool=self.contract,
            kind=self.kind,
            reserves=held,
            supply=number(answers[count]) or 0,
            extra={name: n for name, answer in told if (n := number(answer)) is not None},
        )
