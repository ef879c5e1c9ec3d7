"""Uniswap V3 from its published bytecode: a lender that believes its price, robbed and used; liquidity that comes and goes."""

from monitor.demo.scenery import Contract
from tests.scenarios.scenario import DRAIN, Staged, attack, benign, holdings
from tests.scenarios.staged.pairs import ALL
from tests.scenarios.world import ETHER, World

SQUARE = 2**96
WIDE = 60_000
"""Ticks to either side of a price of one."""


async def ranged(world: World) -> tuple[str, str, str, str, str]:
    """(pool, ranger, lender, first token, second token): a pool with liquidity, and a lender with cash and honest pledges."""
    first, second = sorted([await world.token(world.users[:2]), await world.token(world.users[:2])])
    factory, ranger = await world.deploy("UniswapV3Factory"), await world.deploy("Ranger")
    await world.do(world.owner, factory, "UniswapV3Factory.createPool", first, second, 3000)
    pool = str(await world.read(factory, "UniswapV3Factory.getPool", first, second, 3000)).lower()
    await world.do(world.owner, pool, "UniswapV3Pool.initialize", SQUARE)
    for token in (first, second):
        await world.do(world.users[0], token, "Coin.transfer", ranger, 10**6 * ETHER)
    await world.do(world.owner, ranger, "Ranger.provide", pool, -WIDE, WIDE, world.about(2 * 10**5 * ETHER, 0.2))
    lender = await world.deploy("TickLender", pool)
    await world.do(world.owner, second, "Coin.mint", lender, world.about(10**5 * ETHER, 0.3))
    for user in world.users[:2]:
        await world.do(user, first, "Coin.approve", lender, ALL)
        await world.do(user, lender, "TickLender.pledge", world.about(10**4 * ETHER))
    return pool, ranger, lender, first, second


def watched(pool: str, lender: str, first: str, second: str) -> tuple[Contract, Contract]:
    """Both."""
    return holdings(lender, first, second, role="lender"), Contract(pool, "uniswap_v3", "pool", (first, second))


@attack("18b", "a Uniswap V3 price lifted and believed", kinds=("price", "outflow"), family=DRAIN)
async def lifted(world: World) -> Staged:
    """With the thief's own money."""
    pool, _, lender, first, second = await ranged(world)
    thief, amount = await world.thief("TickThief"), world.about(2 * 10**5 * ETHER, 0.3)
    await world.do(world.owner, second, "Coin.mint", thief.address, amount)
    rob = thief.tx("own_lift", pool, lender, amount)
    return Staged(watch=watched(pool, lender, first, second), blocks=[[rob]], victims={lender}, trusted=(pool, first, second))


@benign("32e", "a Uniswap V3 pool used, and a lender on its price")
async def used(world: World) -> Staged:
    """Swaps of a tenth and more both ways, a loan that is covered, half of the liquidity taken out."""
    pool, ranger, lender, first, second = await ranged(world)
    user = world.users[0]
    swaps = [[world.tx(user, ranger, "Ranger.swap", pool, world.chance(), world.about(2 * 10**4 * ETHER))] for _ in range(4)]
    loan = [world.tx(user, lender, "TickLender.borrow", world.about(500 * ETHER))]
    leave = [world.tx(user, ranger, "Ranger.withdraw", pool, -WIDE, WIDE, 10**5 * ETHER)]
    blocks = [*swaps, loan, leave]
    prices = ((first, pool, second),)
    return Staged(watch=watched(pool, lender, first, second), blocks=blocks, trusted=(pool, first, second), prices=prices)
