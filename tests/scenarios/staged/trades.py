"""Honest trade on Uniswap V1's successors: swaps, routers that are paid, flash swaps, arbitrage, fee tokens, large removals."""

from tests.scenarios.market import ALL, FOREVER, market, pool_of, second_pair, v3_pool
from tests.scenarios.scenario import Staged, Step, benign, holdings, pair
from tests.scenarios.world import ETHER, Tx, Wait, World

ROUTER = "UniswapV2Router02"


@benign(32, "swaps, both ways, over two pairs")
async def swaps(world: World) -> Staged:
    """As thousands do, some of them of several per cent of the pool."""
    made = await market(world)
    coin = await world.token([world.owner], 10**6 * ETHER)
    coins = await second_pair(world, made, coin, 10**6 * ETHER, 10**6 * ETHER)
    blocks = []
    for _ in range(world.pick(2, 4)):
        user = world.dice.choice(world.users[:3])
        spend = world.about(100 * ETHER, 0.9)
        into = [made.weth, made.dollar, coin] if world.chance() else [made.weth, made.dollar]
        out = [made.dollar, made.weth]
        buy = world.tx(user, made.router, f"{ROUTER}.swapExactETHForTokens", 1, into, user, FOREVER, value=spend)
        other = world.dice.choice(world.users[:3])
        sell = world.tx(
            other, made.router, f"{ROUTER}.swapExactTokensForTokens", 2_000 * spend, 1, [made.dollar, coin], other, FOREVER
        )
        ether = (f"{ROUTER}.swapExactTokensForETH", 1_000 * spend, 1, out, other, FOREVER)
        blocks.append([buy, sell, world.tx(other, made.router, *ether)])
    address, assets = pool_of(made)
    watch = (pair(address, *assets), pair(coins, made.dollar, coin))
    return Staged(watch=watch, blocks=blocks, prices=((made.weth, address, made.dollar), (coin, coins, made.dollar)))


@benign(33, "a router is paid by the wrapped coin it unwraps")
async def router_receives(world: World) -> Staged:
    """Ether out, liquidity out in ether."""
    made = await market(world)
    user = world.users[0]
    sell = (f"{ROUTER}.swapExactTokensForETH", world.about(100_000 * ETHER), 1, [made.dollar, made.weth], user, FOREVER)
    shares = int(await world.read(made.pair, "UniswapV2Pair.balanceOf", user))
    leave = (f"{ROUTER}.removeLiquidityETH", made.dollar, shares // world.pick(4, 20), 1, 1, user, FOREVER)
    blocks = [[world.tx(user, made.router, *sell)], [world.tx(user, made.router, *leave)]]
    address, assets = pool_of(made)
    return Staged(watch=(pair(address, *assets),), blocks=blocks, prices=((made.weth, address, made.dollar),))


@benign(34, "a flash swap that looks at the reserves")
async def flash_swap(world: World) -> Staged:
    """Up to nine tenths of the pool, for the length of a call."""
    made = await market(world)
    user = world.users[5]
    flasher = await world.deploy("Flasher", by=user)
    asset = made.dollar
    amount = int(await world.wallet.holding(made.pair, asset)) * world.pick(1, 90) // 100
    await world.do(world.owner, asset, "Coin.transfer", flasher, amount // 100)
    address, assets = pool_of(made)
    borrow = world.tx(user, flasher, "Flasher.borrow", address, asset, amount)
    return Staged(watch=(pair(address, *assets),), blocks=[[borrow]], prices=((made.weth, address, made.dollar),))


@benign(35, "arbitrage between two pairs with borrowed money")
async def arbitrage(world: World) -> Staged:
    """A gain that two pools paid at their own prices."""
    made = await market(world)
    coin = await world.token([world.owner, world.users[0]], 3 * 10**6 * ETHER, [made.router])
    cheap = await second_pair(world, made, coin, 10**6 * ETHER, 10**6 * ETHER)
    other_factory = await world.deploy("UniswapV2Factory", world.owner)
    dear = await _raw_pair(world, other_factory, coin, made.dollar, 10**6 * ETHER, world.pick(110, 150) * 10**4 * ETHER)
    user = world.users[6]
    flasher = await world.deploy("Flasher", by=user)
    plan = (cheap, dear, made.dollar, coin, world.about(20_000 * ETHER))
    gain = world.tx(user, flasher, "Flasher.arbitrage", plan)
    watch = (pair(cheap, made.dollar, coin), pair(dear, made.dollar, coin))
    return Staged(watch=watch, blocks=[[gain]], prices=((coin, cheap, made.dollar),))


async def _raw_pair(world: World, factory: str, one: str, other: str, first: int, second: int) -> str:
    await world.do(world.owner, factory, "UniswapV2Factory.createPair", one, other)
    made = str(await world.read(factory, "UniswapV2Factory.getPair", one, other)).lower()
    await world.do(world.owner, one, "Coin.transfer", made, first)
    await world.do(world.owner, other, "Coin.transfer", made, second)
    await world.do(world.owner, made, "UniswapV2Pair.mint", world.owner)
    return made


@benign(38, "a token that sells its fee in the middle of somebody's sale")
async def fee_on_transfer(world: World) -> Staged:
    """The main residual: token, router, token again; nobody vouches for the router."""
    made = await market(world)
    coin = await world.deploy("FeeCoin", made.router, world.users[8])
    user = world.users[0]
    for holder in (world.owner, user):
        await world.do(world.owner, coin, "Coin.mint", holder, 2 * 10**6 * ETHER)
        await world.do(holder, coin, "Coin.approve", made.router, ALL)
    add = (f"{ROUTER}.addLiquidityETH", coin, 10**6 * ETHER, 1, 1, world.owner, FOREVER)
    await world.do(world.owner, made.router, *add, value=world.about(500 * ETHER))
    pool = str(await world.read(made.factory, "UniswapV2Factory.getPair", coin, made.weth)).lower()
    await world.do(world.owner, coin, "FeeCoin.open", pool)
    name = f"{ROUTER}.swapExactTokensForETHSupportingFeeOnTransferTokens"
    sales = [
        [world.tx(user, made.router, name, world.about(20_000 * ETHER), 1, [coin, made.weth], user, FOREVER)]
        for _ in range(world.pick(2, 3))
    ]
    return Staged(watch=(pair(pool, made.weth, coin),), blocks=sales, prices=((coin, pool, made.weth),))


@benign(43, "much liquidity leaves, and comes back somewhere else")
async def migration(world: World) -> Staged:
    """A whale of up to a fifth of the pool removes its liquidity and provides it to another pool within the hour."""
    made = await market(world, 4)
    user = world.users[0]
    shares = int(await world.read(made.pair, "UniswapV2Pair.balanceOf", user))
    leave = (f"{ROUTER}.removeLiquidityETH", made.dollar, shares * world.pick(40, 100) // 100, 1, 1, user, FOREVER)
    back = (f"{ROUTER}.addLiquidityETH", made.dollar, 10**6 * ETHER, 1, 1, user, FOREVER)
    blocks: list[Step] = [
        [world.tx(user, made.router, *leave)],
        Wait(world.pick(1, 20)),
        [world.tx(user, made.router, *back, value=1_000 * ETHER)],
    ]
    address, assets = pool_of(made)
    return Staged(watch=(pair(address, *assets),), blocks=blocks, prices=((made.weth, address, made.dollar),))


@benign("43c", "a trade of eight per cent")
async def whale_trade(world: World) -> Staged:
    """And back, some blocks later."""
    made = await market(world)
    user = world.users[1]
    spend = world.about(400 * ETHER, 0.2)
    buy = (f"{ROUTER}.swapExactETHForTokens", 1, [made.weth, made.dollar], user, FOREVER)
    sell = (f"{ROUTER}.swapExactTokensForETH", 2_500 * spend, 1, [made.dollar, made.weth], user, FOREVER)
    blocks: list[Step] = [[world.tx(user, made.router, *buy, value=spend)], Wait(5), [world.tx(user, made.router, *sell)]]
    address, assets = pool_of(made)
    return Staged(watch=(pair(address, *assets),), blocks=blocks, prices=((made.weth, address, made.dollar),))


@benign("32b", "Uniswap V3: swaps, liquidity, a flash loan")
async def v3(world: World) -> Staged:
    """Every payment of a V3 pool is a callback."""
    trader = world.users[0]
    user = await world.deploy("V3User")
    one, other = [await world.token([world.owner, trader], 10**8 * ETHER, [user]) for _ in range(2)]
    pool = await v3_pool(world, one, other, 10**6 * ETHER, user)
    blocks: list[list[Tx]] = [
        [world.tx(trader, user, "V3User.swap", pool, world.chance(), world.about(20_000 * ETHER))],
        [world.tx(trader, user, "V3User.mint", pool, -6000, 6000, world.about(10**5 * ETHER))],
        [world.tx(trader, user, "V3User.flash", pool, world.about(500_000 * ETHER), world.about(100_000 * ETHER))],
        [world.tx(trader, user, "V3User.swap", pool, world.chance(), world.about(5_000 * ETHER))],
    ]
    return Staged(watch=(holdings(pool, one, other),), blocks=blocks)
