"""Honest traffic: swaps both ways, flash swaps, liquidity in and out, deposits and withdrawals, loans, seeded and endless."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

from monitor.demo.artifacts import ours, uniswap
from monitor.demo.market import FOREVER
from monitor.demo.scenery import BANK_DEPOSITS, CROSS_FUNCTION, FLASH_LOAN, PRIVATE, REENTRANCY, Integration, Stage
from monitor.demo.wallet import ETHER, Wallet

EVERY = 0.25
"""Seconds between two operations, on average."""

REMEMBERED = 20_000
"""How many of the newest operations `sent` keeps."""

WHALE_EVERY = 40
"""One liquidity removal in so many is a large one: 8 % of the pool."""

WHALE, SMALL = 0.08, 0.004
_SMALL_SUM = (0.0002, 0.001)
"""Deposits and loans as parts of the pot: many a minute must stay far below any outflow budget, even counted one way."""
_LARGEST_SWAP = 0.01

Send = Callable[[], Awaitable[str]]
Step = tuple[str, Send]


def anywhere(_: str) -> bool:
    """Every integration may be used."""
    return True


class Traffic:
    """Sends honest operations of the stage's actors. `may_use(integration)` is asked before each: that is the pause flag's place.

    `sent` maps a recent transaction's hash to the name of its operation.
    """

    def __init__(self, wallet: Wallet, stage: Stage, *, seed: int = 0, may_use: Callable[[str], bool] = anywhere) -> None:
        self.wallet = wallet
        self.stage = stage
        self.may_use = may_use
        self.sent: dict[str, str] = {}
        self._random = random.Random(seed)
        self._router = uniswap("UniswapV2Router02")
        self._venues = list(self._open_venues())

    async def run(self, stop: asyncio.Event, every: float = EVERY) -> None:
        """Send one operation after another until `stop`. Raises a NodeError when the node is lost."""
        while not stop.is_set():
            await self.one()
            try:
                async with asyncio.timeout(every * self._random.uniform(0.5, 1.5)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def one(self) -> str | None:
        """Send the next operation of a randomly chosen venue; returns its hash, None when that venue may not be used."""
        integration, steps = self._random.choice(self._venues)
        if not self.may_use(integration):
            return None
        name, send = next(steps)
        tx = await send()
        self.sent[tx] = name
        if len(self.sent) > REMEMBERED:
            del self.sent[next(iter(self.sent))]
        return tx

    async def burst(self, count: int) -> list[str]:
        """Send `count` operations as fast as the node takes them, to fill a block; returns their hashes."""
        return [tx for _ in range(count) if (tx := await self.one()) is not None]

    async def reverted(self) -> list[str]:
        """Names of sent operations that were mined and reverted."""
        failed = []
        for tx, name in list(self.sent.items()):
            receipt = await self.wallet.node.call("eth_getTransactionReceipt", [tx])
            if receipt is not None and receipt["status"] != "0x1":
                failed.append(name)
        return failed

    def _open_venues(self) -> Iterator[tuple[str, Iterator[Step]]]:
        """Each (integration, actor) has its own endless course of operations. Of each kind the first integration is used."""
        courses = {REENTRANCY: self._bank, CROSS_FUNCTION: self._bank, FLASH_LOAN: self._lender, PRIVATE: self._vault}
        busy: dict[str, Integration] = {}
        for attack in self.stage.attacks:
            busy.setdefault(attack.name, self.stage.integration(attack.integration))
        for actor in self.stage.actors:
            yield "market-pool", self._market(actor)
            yield "market-pool", self._liquidity(actor)
            for kind, integration in busy.items():
                yield integration.id, courses[kind](actor, integration)

    def _call(self, actor: str, to: str, data: str, value: int = 0) -> Send:
        return lambda: self.wallet.send(actor, to, data, value=value)

    def _market(self, actor: str) -> Iterator[Step]:
        """Buys dollars, sells about as many, and sometimes borrows for the length of one call."""
        market, code = self.stage.market, self._router
        while True:
            ether = int(5_000 * ETHER * self._random.uniform(0.001, _LARGEST_SWAP))
            buy = code.call("swapExactETHForTokens", 1, [market.weth, market.dollar], actor, FOREVER)
            yield "swap ether for dollars", self._call(actor, market.router, buy, ether)
            path = [market.dollar, market.weth]
            sell = code.call("swapExactTokensForETH", 3_000 * ether * 99 // 100, 1, path, actor, FOREVER)
            yield "swap dollars for ether", self._call(actor, market.router, sell)
            if self._random.getrandbits(1):
                loan = int(15_000_000 * ETHER * self._random.uniform(0.001, _LARGEST_SWAP))
                data = ours("FlashSwapper").call("flash", market.pair, market.dollar, loan)
                yield "flash swap", self._call(actor, self.stage.swapper, data)

    def _liquidity(self, actor: str) -> Iterator[Step]:
        """Takes liquidity out and puts it back; now and then a lot of it."""
        while True:
            part = WHALE if self._random.random() < 1 / WHALE_EVERY else SMALL
            name = "remove much liquidity" if part == WHALE else "remove liquidity"
            yield name, lambda part=part: self._remove(actor, part)  # type: ignore[misc]
            yield "add liquidity", lambda part=part: self._add(actor, part)  # type: ignore[misc]

    async def _remove(self, actor: str, part: float) -> str:
        market = self.stage.market
        supply = int(await self.wallet.read(market.pair, uniswap("UniswapV2Pair"), "totalSupply"))
        data = self._router.call("removeLiquidityETH", market.dollar, int(supply * part), 1, 1, actor, FOREVER)
        return await self.wallet.send(actor, market.router, data)

    async def _add(self, actor: str, part: float) -> str:
        """Put back what `_remove` took, whether or not that is mined yet; the router returns the ether that is too much."""
        market = self.stage.market
        dollars, ether = [await self.wallet.holding(market.pair, asset) for asset in (market.dollar, market.weth)]
        desired, most = int(dollars * part * (1 + part)), int(ether * part * 2)
        data = self._router.call("addLiquidityETH", market.dollar, desired, 1, 1, actor, FOREVER)
        return await self.wallet.send(actor, market.router, data, value=most)

    def _bank(self, actor: str, bank: Integration) -> Iterator[Step]:
        """Puts a little in and takes the same out."""
        code = ours("Bank")
        while True:
            amount = int(BANK_DEPOSITS * self._random.uniform(*_SMALL_SUM))
            yield "deposit ether", self._call(actor, bank.victim, code.call("deposit"), amount)
            yield "withdraw ether", self._call(actor, bank.victim, code.call("withdraw", amount))

    def _vault(self, actor: str, vault: Integration) -> Iterator[Step]:
        """Buys shares of the vault and redeems as many."""
        code = ours("ShareVault")
        while True:
            amount = int(1_000_000 * ETHER * self._random.uniform(*_SMALL_SUM))
            yield "deposit dollars", self._call(actor, vault.victim, code.call("deposit", amount, actor))
            yield "redeem shares", self._call(actor, vault.victim, code.call("redeem", amount, actor, actor))

    def _lender(self, actor: str, lender: Integration) -> Iterator[Step]:
        """Swaps on the coin's pool both ways; pledges coins, borrows well within the limit, repays, takes the coins back."""
        code, dollar = ours("Lender"), self.stage.market.dollar
        coin = lender.contracts[1].assets[1]
        while True:
            amount = int(1_000_000 * ETHER * self._random.uniform(*_SMALL_SUM))
            for name, path in (("buy coins", [dollar, coin]), ("sell coins", [coin, dollar])):
                data = self._router.call("swapExactTokensForTokens", amount, 1, path, actor, FOREVER)
                yield name, self._call(actor, self.stage.market.router, data)
            yield "pledge coins", self._call(actor, lender.victim, code.call("deposit", amount * 2))
            yield "borrow", self._call(actor, lender.victim, code.call("borrow", amount))
            yield "repay", self._call(actor, lender.victim, code.call("repay", amount))
            yield "take coins back", self._call(actor, lender.victim, code.call("withdraw", amount * 2))
