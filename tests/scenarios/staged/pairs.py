"""What drains are staged among: real Uniswap V2 pairs, people with dollars and coins, a lender and a fund that ask a pair."""

from dataclasses import dataclass

from tests.scenarios.world import ETHER, Tx, World

ALL = 2**256 - 1
FOREVER = 2**40


@dataclass(frozen=True)
class Market:
    """Addresses: `pair` trades coins for dollars, `deep` dollars for gold (where flash swaps come from)."""

    dollar: str
    coin: str
    gold: str
    factory: str
    router: str
    pair: str
    deep: str

    @property
    def trusted(self) -> tuple[str, ...]:
        """What an operator would register."""
        return (self.router, self.factory, self.dollar, self.coin, self.gold, self.pair, self.deep)


async def pool(world: World, factory: str, one: str, other: str, amounts: tuple[int, int], provider: str) -> str:
    """A pair with so much of both, provided by somebody who has them."""
    await world.do(world.owner, factory, "UniswapV2Factory.createPair", one, other)
    pair = str(await world.read(factory, "UniswapV2Factory.getPair", one, other)).lower()
    for token, amount in zip((one, other), amounts, strict=True):
        await world.do(provider, token, "Coin.transfer", pair, amount)
    await world.do(provider, pair, "UniswapV2Pair.mint", provider)
    return pair


async def market(world: World, size: int = 1_000_000 * ETHER) -> Market:
    """A market whose coins cost about a dollar; the first three users have everything."""
    people = (world.owner, *world.users[:3])
    weth = await world.deploy("WETH9")
    factory = await world.deploy("UniswapV2Factory", world.owner)
    router = await world.deploy("UniswapV2Router02", factory, weth)
    dollar, coin, gold = [await world.token(people, spenders=(router,)) for _ in range(3)]
    pair = await pool(world, factory, coin, dollar, (size, world.about(size, 0.2)), world.users[0])
    deep = await pool(world, factory, dollar, gold, (20 * size, 20 * size), world.users[1])
    return Market(dollar, coin, gold, factory, router, pair, deep)


async def lent(world: World, where: Market, cash: int) -> str:
    """A lender on the coin's spot price, with honest pledges and so much cash."""
    lender = await world.deploy("SpotLender", where.dollar, where.coin, where.pair)
    await world.do(world.owner, where.dollar, "Coin.mint", lender, cash)
    for user in world.users[:2]:
        await world.do(user, where.coin, "Coin.approve", lender, ALL)
        await world.do(user, where.dollar, "Coin.approve", lender, ALL)
        await world.do(user, lender, "SpotLender.pledge", world.about(cash // 20))
    return lender


def swap(world: World, where: Market, user: str, path: list[str], amount: int, *, guilty: bool = False) -> Tx:
    """A swap through the real router."""
    return world.tx(
        user, where.router, "UniswapV2Router02.swapExactTokensForTokens", amount, 0, path, user, FOREVER, guilty=guilty
    )
