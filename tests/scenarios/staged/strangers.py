"""Mechanisms of known incidents that the first corpus lacked: false pools, positions of a moment, code exchanged by hand."""

from monitor.demo.scenery import Contract
from tests.scenarios import solidity
from tests.scenarios.scenario import DRAIN, Staged, attack, benign, holdings
from tests.scenarios.staged.ticks import SQUARE
from tests.scenarios.world import ETHER, Tx, World

MILLION = 1_000_000 * ETHER
WIDE = 60_000
LOW, HIGH = -60, 60


@attack("30c", "a router charged by a pool that is none", kinds=("arbitrary_call",), family=DRAIN)
async def impostor(world: World) -> Staged:
    """SushiSwap's route processor, 2023: whoever is asked for a price names whom the router shall charge."""
    router = await world.deploy("PoolRouter")
    owners = [await world.person() for _ in range(world.pick(1, 4))]
    coin = await world.token(owners, amount=world.about(1_000 * ETHER), spenders=(router,))
    rob = await world.strike("PoolImpostor", "own_pose", router, coin, owners)
    return Staged(watch=(holdings(router, coin, role="router"),), blocks=[[rob]], victims={router})


@benign("30d", "a router charged by a pool for whoever asked")
async def charged(world: World) -> Staged:
    """Swaps through the same router, in a pool that charges the one who swaps."""
    router = await world.deploy("PoolRouter")
    users = world.users[:3]
    coin, other = await world.token(users, spenders=(router,)), await world.token()
    pool = await world.deploy("ParPool", other)
    await world.do(world.owner, other, "Coin.mint", pool, MILLION)
    swaps = [world.tx(user, router, "PoolRouter.swap", pool, coin, world.about(1_000 * ETHER)) for user in users]
    return Staged(watch=(holdings(router, coin, role="router"), holdings(pool, other)), blocks=[swaps])


@attack("18c", "a position of a moment that is owed the fees of all times", kinds=("outflow",), family=DRAIN)
async def visitor(world: World) -> Staged:
    """Popsicle, 2021; KyberSwap, 2023: liquidity comes, is counted wrongly, and goes with what others had brought."""
    first, second = sorted([await world.token(), await world.token()])
    pool, ranger = await world.deploy("LeakyRange", first, second), await world.deploy("Ranger")
    for token in (first, second):
        await world.do(world.owner, token, "Coin.mint", ranger, 100 * MILLION)
    held = world.about(MILLION // 2, 0.3)
    await world.do(world.owner, ranger, "Ranger.provide", pool, -WIDE, WIDE, held)
    for zero in (True, False) * 4:
        await world.do(world.owner, ranger, "Ranger.swap", pool, zero, held // 2)
    thief = await world.thief("RangeThief")
    grown = int(await world.read(pool, "LeakyRange.feeGrowthGlobal0X128"))
    amount = int(held * world.dice.uniform(0.4, 0.9) * 2**128 / grown)
    for token in (first, second):
        await world.do(world.owner, token, "Coin.mint", thief.address, amount)
    watch = (Contract(pool, "uniswap_v3", "pool", (first, second)),)
    rob = thief.tx("own_visit", pool, amount)
    return Staged(watch=watch, blocks=[[rob]], victims={pool}, trusted=(first, second))


@benign("32f", "liquidity for a moment, and the fees of an old position")
async def passing(world: World) -> Staged:
    """Uniswap V3 as published: in and out in one transaction beside somebody's swaps; an older position is paid out."""
    first, second = sorted([await world.token(), await world.token()])
    factory, ranger = await world.deploy("UniswapV3Factory"), await world.deploy("Ranger")
    await world.do(world.owner, factory, "UniswapV3Factory.createPool", first, second, 3000)
    pool = str(await world.read(factory, "UniswapV3Factory.getPool", first, second, 3000)).lower()
    await world.do(world.owner, pool, "UniswapV3Pool.initialize", SQUARE)
    guest = await world.thief("RangeThief", sender=world.users[4])
    for token in (first, second):
        for holder in (ranger, guest.address):
            await world.do(world.owner, token, "Coin.mint", holder, 100 * MILLION)
    await world.do(world.owner, ranger, "Ranger.provide", pool, -WIDE, WIDE, world.about(MILLION, 0.3))
    user = world.users[1]
    swaps = [[world.tx(user, ranger, "Ranger.swap", pool, zero, world.about(MILLION // 100))] for zero in (True, False)]
    visit = [guest.tx("own_visit", pool, world.about(MILLION // 2), guilty=False)]
    leave = [world.tx(user, ranger, "Ranger.withdraw", pool, -WIDE, WIDE, world.about(MILLION // 3, 0.2))]
    watch = (Contract(pool, "uniswap_v3", "pool", (first, second)),)
    return Staged(watch=watch, blocks=[*swaps, visit, leave], trusted=(first, second))


@attack("31c", "a wallet's code exchanged by code that it was asked to run", kinds=("after_change", "outflow"), family=DRAIN)
async def exchanged(world: World) -> Staged:
    """Bybit, 2025: the key signs what it does not understand; the next call sweeps. The slot is no standard's."""
    dollar, key, thief = await world.token(), world.users[3], await world.person()
    wallet = await world.deploy("SlotProxy", await world.deploy("SlotWallet"))
    await world.do(key, wallet, "SlotWallet.own", key)
    await world.do(world.owner, dollar, "Coin.mint", wallet, world.about(MILLION, 0.3))
    swap, code = (solidity.artifact(name, renamed=world.renamed) for name in ("CodeSwap", "SweepCode"))
    name = {own: solidity.other(own) if world.renamed else own for own in ("own_swap", "own_sweep")}
    swapper, sweeper = await world.wallet.deploy(thief, swap), await world.wallet.deploy(thief, code)
    await world.jump(10 * 86_400)
    data = bytes.fromhex(swap.call(name["own_swap"], sweeper)[2:])
    borrowed = (swapper, data, True)
    change = world.tx(key, wallet, "SlotWallet.execute", *borrowed, guilty=True)
    sweep = Tx(thief, wallet, code.call(name["own_sweep"], dollar, thief), guilty=True)
    return Staged(watch=(holdings(wallet, dollar),), blocks=[[change], [sweep]], victims={wallet})


@benign("32g", "a stable pool out of balance")
async def lopsided(world: World) -> Staged:
    """Six parts of one coin to one of the other, and still they trade at par: much of the scarce one leaves for as much."""
    first, second = [await world.token(world.users[:2]) for _ in range(2)]
    pool, size = await world.deploy("TwoCoinPool", first, second), world.about(MILLION // 6, 0.2)
    user = world.users[0]
    for token in (first, second):
        await world.do(user, token, "Coin.approve", pool, 2**256 - 1)
    await world.do(user, pool, "TwoCoinPool.add_liquidity", [6 * size, size], 0)
    swap = world.tx(user, pool, "TwoCoinPool.exchange", 0, size * world.pick(30, 60) // 100)
    return Staged(watch=(Contract(pool, "curve", "pool", (first, second)),), blocks=[[swap]])
