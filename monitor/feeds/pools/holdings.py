"""Any watched contract: the chain's coin and the tokens it holds, those listed and those seen to move through it."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import NATIVE, Pool, Read, balance_of
from monitor.feeds.pools.strangers import Strangers


class Holdings(Pool):
    """Balances of one contract. A token that does not answer is left out of `reserves`: unknown, not zero."""

    kind: ClassVar[str] = "holdings"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, [asset for asset in assets if asset != NATIVE])
        self.strangers = Strangers(self.assets)
        self._asked: tuple[str, ...] = ()

    def saw(self, token: str) -> None:
        """A token moved in or out of it: follow that token too."""
        self.strangers.saw(token)

    def calls(self) -> list[Read]:
        """The native balance, then each token's."""
        listed, strangers = (NATIVE, *self.assets), tuple(self.strangers)
        self._asked = listed + strangers
        own = [balance_of(token, self.contract) for token in listed]
        return own + [balance_of(token, self.contract, stranger=True) for token in strangers]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None when not even the native balance is known."""
        told = ((token, self.strangers.balance(token, answer)) for token, answer in zip(self._asked, answers, strict=True))
        held = {token: amount for token, amount in told if amount is not None}
        if NATIVE not in held:
            return None
        return PoolState(chain=chain, at=at, position=position, pool=self.contract, kind=self.kind, reserves=held)
