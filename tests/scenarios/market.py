"""Markets on published bytecode: Uniswap V2 with its router, V3 pools, and what scenarios and honest traffic need of them."""

from monitor.demo.market import FOREVER, Market, open_market, pair_of
from tests.scenarios.world import World

__all__ = ["ALL", "FOREVER", "Market", "market", "pool_of", "second_pair", "v3_pool"]

ALL = 2**256 - 1
Q96 = 2**96
WIDE = 887_220
"""The widest range of ticks of a pool with a spacing of 60."""


async def market(world: World, traders: int = 3) -> Market:
    """Factory, router, wrapped ether, dollars, and a pair of 5,000 ether and 15 million dollars; the first users trade."""
    return await open_market(world.wallet, world.owner, world.users[:traders])


def pool_of(made: Market) -> tuple[str, tuple[str, ...]]:
    """The pair, and its assets."""
    return made.pair, (made.weth, made.dollar)


async def second_pair(world: World, made: Market, token: str, amount: int, dollars: int) -> str:
    """A pair of a token of the owner's against dollars."""
    await world.do(world.owner, token, "Coin.approve", made.router, ALL)
    add = ("UniswapV2Router02.addLiquidity", token, made.dollar, amount, dollars, 1, 1, world.owner, FOREVER)
    await world.do(world.owner, made.router, *add)
    return await pair_of(world.wallet, made.factory, token, made.dollar)


async def v3_pool(world: World, one: str, other: str, liquidity: int, user: str) -> str:
    """A Uniswap V3 pool at par with a fee of 0.3 %, and one wide position of the owner's; `user` is the contract that pays."""
    factory = await world.deploy("UniswapV3Factory")
    await world.do(world.owner, factory, "UniswapV3Factory.createPool", one, other, 3000)
    pool = str(await world.read(factory, "UniswapV3Factory.getPool", one, other, 3000)).lower()
    await world.do(world.owner, pool, "UniswapV3Pool.initialize", Q96)
    for token in (one, other):
        await world.do(world.owner, token, "Coin.approve", user, ALL)
    await world.do(world.owner, user, "V3User.mint", pool, -WIDE, WIDE, liquidity)
    return pool
