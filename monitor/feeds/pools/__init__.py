"""Pool states: watched contracts read at the end of a block, all reads of a block together, pinned to it by hash."""

from collections.abc import Collection, Iterable
from itertools import islice

from detectors.events import PoolState, Position
from monitor.feeds.pools.accounts import Accounts
from monitor.feeds.pools.asked import Batcher, ask
from monitor.feeds.pools.base import Pool, Read
from monitor.feeds.pools.curve import Curve
from monitor.feeds.pools.erc4626 import Erc4626
from monitor.feeds.pools.holdings import Holdings
from monitor.feeds.pools.uniswap_v2 import UniswapV2
from monitor.feeds.pools.uniswap_v3 import UniswapV3

KINDS: dict[str, type[Pool]] = {kind.kind: kind for kind in (UniswapV2, UniswapV3, Curve, Erc4626, Accounts, Holdings)}
"""Every kind by the name a configuration uses."""


class Pools:
    """The watched pools of one chain. `unread` are those whose last read told no state."""

    def __init__(self, rpc: Batcher, chain: str, pools: Iterable[Pool], *, every: int = 10, timeout: float = 5.0) -> None:
        self.chain = chain
        self.pools: dict[str, list[Pool]] = {}
        for pool in pools:
            self.pools.setdefault(pool.contract, []).append(pool)
        self.unread: set[str] = set()
        self._rpc = rpc
        self._every = every
        self._timeout = timeout
        self._seen: set[str] = set()

    @property
    def never(self) -> set[str]:
        """Contracts that were asked and have never told their state."""
        return self.unread - self._seen

    def kind(self, contract: str) -> str:
        """What a contract is read as."""
        return "/".join(pool.kind for pool in self.pools.get(contract, ()))

    def saw(self, token: str, holder: str) -> None:
        """`token` moved in or out of `holder`: where that is watched for its holdings, the token is followed from now on."""
        for pool in self.pools.get(holder, ()):
            if isinstance(pool, Holdings):
                pool.saw(token)

    async def read(self, position: Position, at: float, touched: Collection[str] | None = None) -> list[PoolState]:
        """States at the end of this block: of the touched contracts, of those whose turn it is, of all where `touched` is None.

        Raises NodeError when the node gives nothing; a pool that alone cannot be read is in `unread` and read again next block.
        """
        due = self._due(position, touched)
        for pool, answers in await self._ask([(pool, reads) for pool in due if (reads := pool.facts())], position):
            pool.learn(answers)
        states = []
        self.unread.difference_update(pool.contract for pool in due)
        for pool, answers in await self._ask([(pool, pool.calls()) for pool in due], position):
            state = pool.state(answers, chain=self.chain, at=at, position=position)
            if state is None:
                self.unread.add(pool.contract)
            else:
                self._seen.add(pool.contract)
                states.append(state)
        return states

    async def _ask(self, wanted: list[tuple[Pool, list[Read]]], position: Position) -> list[tuple[Pool, list[str | None]]]:
        answers = iter(await ask(self._rpc, [read for _, reads in wanted for read in reads], position.id, self._timeout))
        return [(pool, list(islice(answers, len(reads)))) for pool, reads in wanted]

    def _due(self, position: Position, touched: Collection[str] | None) -> list[Pool]:
        turn = position.height % self._every
        return [
            pool
            for place, (contract, pools) in enumerate(self.pools.items())
            if touched is None
            or contract in touched
            or place % self._every == turn
            or contract not in self._seen
            or contract in self.unread
            for pool in pools
        ]
