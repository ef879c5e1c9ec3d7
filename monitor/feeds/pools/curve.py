"""Curve's stable pools: balances by coin, shares, and the virtual price that no honest use lowers."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import NATIVE, TOTAL_SUPPLY, Pool, Read, account, number

COINS, COINS_OLD = "0xc6610657", "0x23746eb8"
BALANCES, BALANCES_OLD = "0x4903b0d1", "0x065a80d8"
"""By `uint256`, and by `int128` as the first pools have it."""

VIRTUAL_PRICE = "0xbb7b8b80"
TOKEN, LP_TOKEN = "0xfc0c546a", "0x82c63066"
"""Where the share token is a contract of its own, one of these names it."""

ETHER = "0x" + "ee" * 20
MOST_COINS = 8


def _nth(selector: str, index: int) -> str:
    return f"{selector}{index:064x}"


class Curve(Pool):
    """A pool. `extra.virtual_price` is the worth of a share with 18 decimals; `supply` the shares outstanding.

    `extra.share_token` is the token of the shares as a number, where that is another contract than the pool.
    """

    kind: ClassVar[str] = "curve"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, assets)
        self.coins: tuple[str, ...] = ()
        self.shares = contract
        self._by = BALANCES

    def facts(self) -> list[Read]:
        """Its coins, by either type of index, and the token of its shares."""
        if self.coins:
            return []
        coins = [Read(self.contract, _nth(selector, i)) for selector in (COINS, COINS_OLD) for i in range(MOST_COINS)]
        return [*coins, Read(self.contract, TOKEN), Read(self.contract, LP_TOKEN)]

    def learn(self, answers: Sequence[str | None]) -> None:
        """Coins up to the first that does not answer."""
        coins = [account(answer) for answer in answers[: 2 * MOST_COINS]]
        new, old = _until_none(coins[:MOST_COINS]), _until_none(coins[MOST_COINS:])
        self._by = BALANCES if len(new) >= len(old) else BALANCES_OLD
        found = new if len(new) >= len(old) else old
        self.coins = tuple(NATIVE if coin == ETHER else coin for coin in found)
        token, lp_token = (account(answer) for answer in answers[2 * MOST_COINS :])
        self.shares = token or lp_token or self.contract

    def calls(self) -> list[Read]:
        """Virtual price, shares, and every coin's balance as the pool books it."""
        held = [Read(self.contract, _nth(self._by, i)) for i in range(len(self.coins))]
        return [Read(self.contract, VIRTUAL_PRICE), Read(self.shares, TOTAL_SUPPLY), *held]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """None without coins, or when a balance, the supply or the virtual price is missing (an empty pool has none)."""
        price, supply, held = number(answers[0]), number(answers[1]), [number(answer) for answer in answers[2:]]
        if len(self.coins) < 2 or supply is None or (price is None and supply) or None in held:
            return None
        return PoolState(
            chain=chain,
            at=at,
            position=position,
            pool=self.contract,
            kind=self.kind,
            reserves={coin: amount for coin, amount in zip(self.coins, held, strict=True) if amount is not None},
            supply=supply,
            extra=({} if price is None else {"virtual_price": price}) | self._elsewhere(),
        )

    def _elsewhere(self) -> dict[str, int]:
        return {} if self.shares == self.contract else {"share_token": int(self.shares, 16)}


def _until_none(coins: Sequence[str | None]) -> list[str]:
    found: list[str] = []
    for coin in coins:
        if coin is None or coin in found:
            break
        found.append(coin)
    return found
