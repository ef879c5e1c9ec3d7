"""Uniswap V2 pairs and their many copies: reserves, shares, and the shares that are the protocol's fee."""

from collections.abc import Sequence
from typing import ClassVar

from detectors.events import PoolState, Position
from monitor.feeds.pools.base import TOTAL_SUPPLY, ZERO, Pool, Read, account, balance_of, number

TOKEN0, TOKEN1 = "0x0dfe1681", "0xd21220a7"
FACTORY, FEE_TO = "0xc45a0155", "0x017e7e58"
GET_RESERVES = "0x0902f1ac"
K_LAST = "0x7464fc3d"
OWNER = "0x8da5cb5b"


class UniswapV2(Pool):
    """A pair. `extra.k_last` is k at the last mint or burn while the protocol takes its fee: from it the fee owed is exact.

    `extra.fee_shares` are the shares of the factory's `feeTo`: an honest mint to it dilutes the others. Absent in the block in
    which `feeTo` changed (whose shares they were is then unknown), 0 where there is none. `extra.owner0` and `owner1` are the
    owners of the tokens as numbers, where these have one: whoever may mint what the pool takes for money.
    """

    kind: ClassVar[str] = "uniswap_v2"

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        super().__init__(contract, assets)
        self.token0: str | None = None
        self.token1: str | None = None
        self.factory: str | None = None
        self.fee_to = ZERO

    def facts(self) -> list[Read]:
        """Both tokens, then the factory; a copy without a factory is asked once a block, which is cheap."""
        if self.token0 is None or self.token1 is None or self.factory is None:
            return [Read(self.contract, selector) for selector in (TOKEN0, TOKEN1, FACTORY)]
        return []

    def learn(self, answers: Sequence[str | None]) -> None:
        """Tokens and factory."""
        self.token0, self.token1, self.factory = map(account, answers)

    def calls(self) -> list[Read]:
        """Reserves, supply, k at the last mint or burn, and the fee's share by the `feeTo` known so far."""
        fees = [Read(self.factory, FEE_TO), balance_of(self.contract, self.fee_to)] if self.factory else []
        owners = [Read(token, OWNER) for token in (self.token0, self.token1) if token is not None]
        own = [Read(self.contract, selector) for selector in (GET_RESERVES, TOTAL_SUPPLY, K_LAST)]
        return [*own, *fees, *owners]

    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """Reserves by token; None without reserves, supply or tokens."""
        reserve0, reserve1, supply = number(answers[0]), number(answers[0], 1), number(answers[1])
        if self.token0 is None or self.token1 is None or reserve0 is None or reserve1 is None or supply is None:
            return None
        return PoolState(
            chain=chain,
            at=at,
            position=position,
            pool=self.contract,
            kind=self.kind,
            reserves={self.token0: reserve0, self.token1: reserve1},
            supply=supply,
            extra=self._fees(answers[3:-2])
            | _owners(answers[-2:])
            | ({} if (k := number(answers[2])) is None else {"k_last": k}),
        )

    def _fees(self, answers: Sequence[str | None]) -> dict[str, int]:
        if not answers:
            return {}
        told = account(answers[0])
        if told is None:
            return {}
        known, self.fee_to = self.fee_to, told
        if told == ZERO:
            return {"fee_shares": 0}
        shares = number(answers[1])
        return {} if told != known or shares is None else {"fee_shares": shares}


def _told(name: str, answer: str | None) -> dict[str, int]:
    return {} if (told := number(answer)) is None else {name: told}


def _owners(answers: Sequence[str | None]) -> dict[str, int]:
    told = ((f"owner{i}", account(answer)) for i, answer in enumerate(answers))
    return {name: int(owner, 16) for name, owner in told if owner is not None and owner != ZERO}
