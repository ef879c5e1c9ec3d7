"""Manipulated prices and shares: flash loans, rounds, gifts, first deposits; and what only looks like it."""

from tests.scenarios.scenario import DRAIN, Staged, attack, benign, holdings, pair, vault
from tests.scenarios.staged.pairs import ALL, Market, lent, market, pool, swap
from tests.scenarios.world import ETHER, World

MILLION = 1_000_000 * ETHER


async def lifted(world: World, buys: int) -> Staged:
    """A flash swap lifts the coin, the lender believes it."""
    where = await market(world)
    lender = await lent(world, where, world.about(MILLION, 0.2))
    amount = int(MILLION * world.dice.uniform(2.5, 4))
    plan = (where.deep, where.pair, lender, where.dollar, where.coin, amount, buys)
    rob = await world.strike("SpotThief", "own_lift", plan)
    watch = (holdings(lender, where.dollar, where.coin, role="lender"), pair(where.pair, where.coin, where.dollar))
    return Staged(watch=watch, blocks=[[rob]], victims={lender}, trusted=where.trusted)


@attack(18, "a spot price lifted by a flash loan", kinds=("price", "outflow"), family=DRAIN)
async def flash_loan(world: World) -> Staged:
    """One buy."""
    return await lifted(world, 1)


@attack(19, "lifted in rising steps", kinds=("price", "outflow"), family=DRAIN)
async def rising(world: World) -> Staged:
    """Five buys or more."""
    return await lifted(world, world.pick(5, 8))


@attack(20, "in cheap and out dear, in rounds", kinds=("price",), family=DRAIN)
async def rounds(world: World) -> Staged:
    """A fund values its coins by the pair that is pushed before each deposit and each withdrawal; a little each round."""
    where = await market(world)
    fund, thief = await fund_of(world, where), await world.thief("RoundThief")
    coins, stake = world.about(MILLION // 5, 0.3), world.about(MILLION)
    await world.do(world.owner, where.coin, "Coin.mint", thief.address, coins)
    await world.do(world.owner, where.dollar, "Coin.mint", thief.address, 3 * stake)
    rob = thief.tx("own_rounds", where.pair, fund, where.dollar, where.coin, coins, stake, world.pick(3, 4))
    watch = (holdings(fund, where.dollar, where.coin, role="fund"), pair(where.pair, where.coin, where.dollar))
    return Staged(watch=watch, blocks=[[rob]], victims={fund}, trusted=where.trusted)


async def fund_of(world: World, where: Market) -> str:
    """A fund of dollars and coins that values its coins by the pair, with two honest holders."""
    fund = await world.deploy("SpotFund", where.dollar, where.coin, where.pair)
    for user in world.users[:2]:
        await world.do(user, where.dollar, "Coin.approve", fund, ALL)
        await world.do(user, fund, "SpotFund.deposit", world.about(MILLION))
    await world.do(world.owner, where.coin, "Coin.mint", fund, world.about(2 * MILLION, 0.2))
    return fund


@attack("20b", "in cheap and out dear, by pushes too small to be seen", kinds=("round_trip",), family=DRAIN)
async def small_rounds(world: World) -> Staged:
    """Harvest, 2020: the price moves by a hundredth or two, and the fund loses a few thousandths in each round."""
    where = await market(world)
    fund, thief = await fund_of(world, where), await world.thief("RoundThief")
    coins, stake = world.about(MILLION // 120, 0.3), world.about(MILLION // 2, 0.2)
    await world.do(world.owner, where.coin, "Coin.mint", thief.address, coins)
    await world.do(world.owner, where.dollar, "Coin.mint", thief.address, 3 * stake)
    rob = thief.tx("own_rounds", where.pair, fund, where.dollar, where.coin, coins, stake, world.pick(2, 4))
    watch = (holdings(fund, where.dollar, where.coin, role="fund"), pair(where.pair, where.coin, where.dollar))
    return Staged(watch=watch, blocks=[[rob]], victims={fund}, trusted=where.trusted)


@benign("20c", "in and out of a fund in one transaction")
async def visit(world: World) -> Staged:
    """The same contract moves no price: what it takes out is what it put in, and the rounds cost it the fee."""
    where = await market(world)
    fund, bot = await fund_of(world, where), await world.thief("RoundThief", sender=world.users[4])
    stake = world.about(MILLION // 2, 0.2)
    await world.do(world.owner, where.coin, "Coin.mint", bot.address, ETHER)
    await world.do(world.owner, where.dollar, "Coin.mint", bot.address, 3 * stake)
    arguments = (where.pair, fund, where.dollar, where.coin, world.pick(1, 99), stake, world.pick(1, 3))
    visits = bot.tx("own_rounds", *arguments, guilty=False)
    watch = (holdings(fund, where.dollar, where.coin, role="fund"), pair(where.pair, where.coin, where.dollar))
    return Staged(watch=watch, blocks=[[visits]], trusted=where.trusted)


@attack(21, "a gift to a vault whose shares are pledged", kinds=("outflow", "price"), family=DRAIN)
async def gift(world: World) -> Staged:
    """The gift makes the thief's shares dear; a lender pays more on them than the gift was."""
    dollar = await world.token(world.users[:2])
    naive = await world.deploy("NaiveVault", dollar)
    lender = await world.deploy("VaultLender", naive, dollar)
    await world.do(world.owner, dollar, "Coin.mint", lender, world.about(MILLION, 0.3))
    thief = await world.thief("GiftThief")
    stake = world.about(50_000 * ETHER)
    await world.do(world.users[0], dollar, "Coin.approve", naive, ALL)
    await world.do(world.users[0], naive, "NaiveVault.deposit", stake, thief.address)
    await world.do(world.users[0], naive, "NaiveVault.deposit", stake // world.pick(8, 20), world.users[1])
    amount = int(MILLION * world.dice.uniform(1.5, 1.8))
    await world.do(world.owner, dollar, "Coin.mint", thief.address, amount)
    rob = thief.tx("own_gift", naive, lender, dollar, amount)
    watch = (holdings(lender, dollar, naive, role="lender"), vault(naive, dollar))
    return Staged(watch=watch, blocks=[[rob]], victims={lender})


@attack(22, "the first share of a vault, and the deposit it eats", kinds=("rounded_away", "inflated_share"), family=DRAIN)
async def first_deposit(world: World) -> Staged:
    """One wei, a gift, and the next depositor gets nothing for his money."""
    dollar = await world.token(world.users[:2])
    naive = await world.deploy("NaiveVault", dollar)
    thief, deposit = await world.thief("FirstThief"), world.about(20_000 * ETHER)
    await world.do(world.owner, dollar, "Coin.mint", thief.address, 3 * deposit)
    await world.do(world.users[0], dollar, "Coin.approve", naive, ALL)
    amount, apart = int(deposit * world.dice.uniform(0.55, 1.5)), world.chance()
    first = [thief.tx("own_first", naive, dollar, 0 if apart else amount)]
    steps = [first, [thief.tx("own_give", naive, dollar, amount)]] if apart else [first]
    eaten = world.tx(world.users[0], naive, "NaiveVault.deposit", deposit, world.users[0], guilty=True)
    blocks = [*steps, [eaten], [thief.tx("own_leave", naive, dollar)]]
    return Staged(watch=(vault(naive, dollar),), blocks=blocks, victims={naive})


@benign("22b", "an honest first deposit, and a harvest")
async def honest_first(world: World) -> Staged:
    """A vault opens with real money, others follow."""
    dollar = await world.token(world.users[:3])
    naive = await world.deploy("NaiveVault", dollar)
    for user in world.users[:3]:
        await world.do(user, dollar, "Coin.approve", naive, ALL)
    deposit = world.about(1_000 * ETHER)
    blocks = [[world.tx(u, naive, "NaiveVault.deposit", world.about(deposit), u)] for u in world.users[:3]]
    blocks.append([world.tx(world.users[0], dollar, "Coin.transfer", naive, deposit // 200)])
    blocks.append([world.tx(world.users[1], naive, "NaiveVault.redeem", deposit // 4, world.users[1], world.users[1])])
    return Staged(watch=(vault(naive, dollar),), blocks=blocks)


@benign("35d", "arbitrage with a flash loan")
async def arbitrage(world: World) -> Staged:
    """Two pairs of the same coins apart by a tenth; the difference is taken with borrowed money."""
    where = await market(world)
    other = await world.deploy("UniswapV2Factory", world.owner)
    dear = await pool(world, other, where.coin, where.dollar, (MILLION, world.about(int(MILLION * 1.6), 0.1)), world.users[0])
    bot = await world.deploy("Arbitrageur", by=world.users[2])
    amount = world.about(MILLION // 20)
    go = world.tx(world.users[2], bot, "Arbitrageur.arbitrage", where.deep, where.pair, dear, where.dollar, where.coin, amount)
    watch = (pair(where.pair, where.coin, where.dollar), pair(dear, where.coin, where.dollar))
    return Staged(watch=watch, blocks=[[go]], trusted=where.trusted)


@benign("36d", "a flash loan to liquidate")
async def flash_liquidation(world: World) -> Staged:
    """A debtor is under water, and the price is the price."""
    where = await market(world)
    lender = await lent(world, where, world.about(MILLION, 0.2))
    debtor, pledged = world.users[2], world.about(100_000 * ETHER, 0.2)
    worth = int(await world.read(lender, "SpotLender.valueOf", pledged))
    await world.do(debtor, where.coin, "Coin.approve", lender, ALL)
    await world.do(debtor, lender, "SpotLender.pledge", pledged)
    await world.do(debtor, lender, "SpotLender.borrow", worth * 3 // 4)
    sell = swap(world, where, world.users[0], [where.coin, where.dollar], world.about(MILLION // 20, 0.2))
    bot = await world.deploy("Liquidator", by=world.users[1])
    share = worth // world.pick(6, 12)
    go = world.tx(world.users[1], bot, "Liquidator.liquidate", where.deep, where.pair, lender, debtor, share)
    watch = (holdings(lender, where.dollar, where.coin, role="lender"), pair(where.pair, where.coin, where.dollar))
    prices = ((where.coin, where.pair, where.dollar),)
    return Staged(watch=watch, blocks=[[sell], [go]], trusted=where.trusted, prices=prices)


@benign("32d", "swaps, large and small")
async def swaps(world: World) -> Staged:
    """Both ways, up to a third of the pool."""
    where = await market(world)
    blocks = []
    for _ in range(6):
        path = [where.coin, where.dollar] if world.chance() else [where.dollar, where.coin]
        user = world.users[world.pick(0, 2)]
        blocks.append([swap(world, where, user, path, MILLION // world.pick(3, 1000))])
    return Staged(watch=(pair(where.pair, where.coin, where.dollar),), blocks=blocks, trusted=where.trusted)
