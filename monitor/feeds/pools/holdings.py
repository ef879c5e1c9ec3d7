"""Any watched contract: the chain's coin and the tokens it holds, those listed and those seen to move through it."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import NATIVE, Pool, Read, balance_of, number

DISCOVERED = 32
"""Tokens found by themselves that are followed; anyone can send a worthless one, so the oldest gives way."""


class Holdings(Pool):
    """Balances of one contract. A token that does not answer is left out of `reserves`: unknown, not zero."""

    kind: ClassVar[str] = "holdings"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, [asset for asset in assets if asset != NATIVE])
        self.discovered: dict[str, None] = {}
        self._asked: tuple[str, ...] = ()

    def saw(self, token: str) -> None:
        """A token moved in or out of it: follow that token too."""
        if token not in self.assets:
            self.discovered.pop(token, None)
            self.discovered[token] = None
            if len(self.discovered) > DISCOVERED:
                del self.discovered[next(iter(self.discovered))]

    def calls(self) -> list[Read]:
        """The native balance, then each token's."""
        self._asked = (NATIVE, *self.assets, *self.discovered)
        return [balance_of(token, self.contract) for token in self._asked]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None when not even the native balance is known."""
        held = {
            token: amount for token, answer in zip(self._asked, answers, strict=True) if (amount := number(answer)) is not None
        }
        if NATIVE not in held:
            return None
        return PoolState(chain=chain, at=at, position=position, pool=self.contract, kind=self.kind, reserves=held)
