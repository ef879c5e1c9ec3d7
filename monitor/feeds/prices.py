"""Parent-block prices from configured pools: what a token was worth before the transaction that may be moving its price."""

from collections.abc import Iterable

import msgspec

from detectors.events import PoolState, Price


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is priced in `quote` by the reserves of `pool`."""

    token: str
    pool: str
    quote: str


class PoolPrices:
    """The newest price of every configured token on one chain. Never fed from inside a transaction, only from block ends."""

    def __init__(self, quotes: Iterable[Quote]) -> None:
        self.quotes = tuple(quotes)
        self.values: dict[str, float] = {}

    def take(self, states: Iterable[PoolState]) -> list[Price]:
        """Read the block-end pool states; the prices that follow, as events of that block. An empty reserve gives none."""
        by_pool = {state.pool: state for state in states}
        made = []
        for quote in self.quotes:
            state = by_pool.get(quote.pool)
            if state is None:
                continue
            token, other = state.reserves.get(quote.token, 0), state.reserves.get(quote.quote, 0)
            if token <= 0 or other <= 0:
                self.values.pop(quote.token, None)
                continue
            self.values[quote.token] = other / token
            self.values.setdefault(quote.quote, 1.0)
            made.append(
                Price(
                    chain=state.chain,
                    at=state.at,
                    position=state.position,
                    token=quote.token,
                    value=other / token,
                    unit=quote.quote,
                )
            )
        return made
