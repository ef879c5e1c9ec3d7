"""Keys and approvals: rugs, forged messages, stolen keys, slow and split drains, approvals abused; and honest doubles."""

from collections.abc import AsyncIterator, Sequence

from monitor.demo.scenery import Contract
from tests.scenarios import solidity
from tests.scenarios.scenario import DRAIN, Staged, attack, benign, holdings, pair
from tests.scenarios.staged.pairs import ALL, FOREVER, Market, market, pool, swap
from tests.scenarios.world import ETHER, Tx, Wait, World

MILLION = 1_000_000 * ETHER


@attack(
    23, "the house pulls its liquidity", kinds=("liquidity_pulled",), family=DRAIN,
    why="every share that is burnt is the house's own: no promise is broken, migrations and retirements look the same until the"
    " liquidity is put back, and when it is seen it is over. A policy with `pause_at: 0.7` pauses on it.",
)  # fmt: skip
async def rug(world: World) -> Staged:
    """Whoever made the coin provided nearly all of the liquidity, and takes it out."""
    where, house = await market(world), await world.person()
    coin, known = await world.deploy("Coin", by=house), world.chance()
    await world.do(house, coin, "Coin.mint", house, MILLION)
    await world.do(world.users[0], where.dollar, "Coin.transfer", house, MILLION)
    made = await pool(world, where.factory, coin, where.dollar, (MILLION, MILLION), house)
    for asset in (coin, where.dollar):
        await world.do(house, asset, "Coin.approve", where.router, ALL)
    await world.do(house, made, "UniswapV2Pair.approve", where.router, ALL)
    shares = int(await world.read(made, "UniswapV2Pair.balanceOf", house))
    part = shares * world.pick(60, 95) // 100 if known else shares * world.pick(93, 100) // 100
    remove = world.call("UniswapV2Router02.removeLiquidity", coin, where.dollar, part, 0, 0, house, FOREVER)
    settings: dict[str, dict[str, object]] = {"privileges": {"owners": {coin: [house]}}} if known else {}
    return Staged(
        watch=(pair(made, coin, where.dollar),), blocks=[[Tx(house, where.router, remove, guilty=True)]],
        victims={made}, trusted=where.trusted, detectors=settings,
    )  # fmt: skip


@attack(24, "minted for nothing and sold", kinds=("paper",), family=DRAIN)
async def dump(world: World) -> Staged:
    """The coin's owner makes as much again and empties the pool of dollars with it."""
    where = await market(world)
    amount = int(MILLION * world.dice.uniform(0.8, 5))
    mint = world.tx(world.owner, where.coin, "Coin.mint", world.owner, amount, guilty=True)
    await world.do(world.owner, where.coin, "Coin.transfer", world.users[0], 100_000_000 * ETHER)
    sell = swap(world, where, world.owner, [where.coin, where.dollar], amount, guilty=True)
    blocks = [[mint], *([[]] if world.chance() else []), [sell]]
    return Staged(watch=(pair(where.pair, where.coin, where.dollar),), blocks=blocks, victims={where.pair}, trusted=where.trusted)


async def bridged(world: World, token: str) -> tuple[str, Contract, dict[str, dict[str, str]], dict[str, dict[str, object]]]:
    """A bridge with honest traffic behind it, and how it is watched: what was released is at most what was attested."""
    bridge = await world.deploy("Bridge")
    await world.do(world.owner, token, "Coin.mint", bridge, MILLION)
    asks = {bridge: {"attested": "attested()", "released": "released()"}}
    settings: dict[str, dict[str, object]] = {"invariants": {"accounts": {bridge: ["released <= attested"]}}}
    return bridge, Contract(bridge, "accounts", "bridge", (token,)), asks, settings


def _message(world: World, bridge: str, token: str, amount: int) -> list[list[Tx]]:
    root, user = world.dice.randbytes(32), world.users[0]
    attest = world.tx(world.owner, bridge, "Bridge.attest", root, amount)
    return [[attest], [world.tx(user, bridge, "Bridge.process", token, user, amount, root)]]


@attack(25, "a forged message", kinds=("accounts", "outflow", "budget"), family=DRAIN)
async def forged(world: World) -> Staged:
    """The bridge releases what nobody had locked."""
    token = await world.token()
    bridge, contract, asks, settings = await bridged(world, token)
    thief = await world.thief("BridgeThief")
    honest = _message(world, bridge, token, world.about(1_000 * ETHER))
    forge = thief.tx("own_forge", bridge, token, int(MILLION * world.dice.uniform(0.05, 1.0)) - 2_000 * ETHER)
    return Staged(watch=(contract,), blocks=[*honest, [forge]], victims={bridge}, asks=asks, detectors=settings)


@benign("25b", "messages that were attested")
async def attested(world: World) -> Staged:
    """A bridge at work."""
    token = await world.token()
    bridge, contract, asks, settings = await bridged(world, token)
    blocks = [step for _ in range(3) for step in _message(world, bridge, token, world.about(3_000 * ETHER))]
    return Staged(watch=(contract,), blocks=blocks, asks=asks, detectors=settings)


async def treasury(world: World) -> tuple[str, str]:
    """(treasury, dollar): a million dollars behind one key."""
    dollar = await world.token(world.users[:1])
    made = await world.deploy("Treasury")
    await world.do(world.owner, dollar, "Coin.mint", made, MILLION)
    return made, dollar


def pay(world: World, key: str, made: str, dollar: str, to: str, amount: int, *, guilty: bool = True) -> Tx:
    """The treasury pays."""
    return world.tx(key, made, "Treasury.pay", dollar, to, amount, guilty=guilty)


@attack(26, "a stolen key, one transfer", kinds=("outflow",), family=DRAIN)
async def stolen(world: World) -> Staged:
    """A valid call by whoever has the key."""
    made, dollar = await treasury(world)
    amount, thief = int(MILLION * world.dice.uniform(0.3, 1.0)), await world.person()
    return Staged(
        watch=(holdings(made, dollar),), blocks=[[pay(world, world.owner, made, dollar, thief, amount)]], victims={made}
    )


@attack(27, "thirty per cent, slowly", kinds=("budget", "beneficiary"), family=DRAIN)
async def slowly(world: World) -> Staged:
    """Over 50, 600, 3,600 or 7,200 blocks' time, in thirty payments of a hundredth."""
    made, dollar = await treasury(world)
    thief, over = await world.person(), world.dice.choice((50, 600, 3_600, 7_200))
    blocks: list[Sequence[Tx] | Wait] = []
    for _ in range(30):
        blocks += [[pay(world, world.owner, made, dollar, thief, world.about(MILLION // 100, 0.1))]]
        if (seconds := over * 12 // 30 - 12) > 0:
            blocks.append(Wait(1, seconds))
    return Staged(watch=(holdings(made, dollar),), blocks=blocks, victims={made})


@attack(28, "split over twenty accounts to one place", kinds=("budget", "beneficiary"), family=DRAIN)
async def split(world: World) -> Staged:
    """Nobody takes much."""
    made, dollar = await treasury(world)
    sink, mules = await world.person(), [await world.person() for _ in range(20)]
    for mule in mules:
        await world.do(world.owner, made, "Treasury.admit", mule)
    blocks = [[pay(world, mule, made, dollar, sink, world.about(MILLION // 80, 0.3))] for mule in mules]
    return Staged(watch=(holdings(made, dollar),), blocks=blocks, victims={made}, seconds=world.pick(12, 120))


@attack(
    29, "approvals of thirty owners", kinds=("approvals",), family=DRAIN, variations=2,
    why="the spender is not watched and each owner had approved it: subscriptions, sweepers and airdrops do the same, so anybody"
    " could stop a token by collecting from wallets of his own. Where the spender is watched (30, 30c), it pauses.",
)  # fmt: skip
async def approvals(world: World) -> Staged:
    """They approved what they took for something else; a fresh contract collects."""
    owners = [await world.person() for _ in range(30)]
    coin = await world.token(owners, amount=world.about(1_000 * ETHER))
    sender = await world.person()
    code = solidity.artifact("ApprovalThief", renamed=world.renamed)
    pull = solidity.other("own_pull") if world.renamed else "own_pull"

    async def blocks() -> AsyncIterator[Sequence[Tx]]:
        yield [Tx(sender, None, code.creation())]
        block = await world.node.call("eth_getBlockByNumber", ["latest", False])
        made = str((await world.wallet.receipt(block["transactions"][0]))["contractAddress"]).lower()
        yield [world.tx(owner, coin, "Coin.approve", made, ALL) for owner in owners]
        step = world.pick(3, 12)
        for at in range(0, 30, step):
            yield [Tx(sender, made, code.call(pull, coin, owners[at : at + step], sender), guilty=True)]

    return Staged(watch=(holdings(coin, role="token"),), blocks=blocks(), victims=set(owners))


@benign("29b", "subscriptions collected from thirty members")
async def collected(world: World) -> Staged:
    """A contract of old standing does the same for a living."""
    members = [await world.person() for _ in range(30)]
    collector = await world.deploy("Collector")
    coin = await world.token(members, amount=1_000 * ETHER, spenders=(collector,))
    collect = world.tx(world.owner, collector, "Collector.collect", coin, members, world.owner, 9 * ETHER)
    return Staged(watch=(holdings(coin, role="token"),), blocks=[[collect]])


@attack(30, "a router told whom to rob", kinds=("arbitrary_call",), family=DRAIN)
async def told(world: World) -> Staged:
    """Its users approved it, and it calls whatever it is told to."""
    router = await world.deploy("OpenRouter")
    owners = [await world.person() for _ in range(world.pick(1, 6))]
    coin = await world.token(owners, amount=world.about(1_000 * ETHER), spenders=(router,))
    if world.chance(0.3):
        amount = int(await world.read(coin, "Coin.balanceOf", owners[0]))
        thief = await world.person()
        theft = bytes.fromhex(world.call("Coin.transferFrom", owners[0], thief, amount)[2:])
        tell = world.tx(thief, router, "OpenRouter.execute", coin, theft, guilty=True)
    else:
        tell = await world.strike("RouterThief", "own_tell", router, coin, owners)
    return Staged(watch=(holdings(router, coin, role="router"),), blocks=[[tell]], victims={router})


@benign("30b", "a router used, and a marketplace's orders filled")
async def used(world: World) -> Staged:
    """The order is handed over word for word, too; the seller is paid."""
    router, shop = await world.deploy("OpenRouter"), await world.deploy("Market")
    buyer, seller = world.users[:2]
    coin, money = await world.token((buyer, seller), spenders=(router, shop)), await world.token((buyer,), spenders=(shop,))
    order = bytes.fromhex(world.call("Coin.transferFrom", seller, buyer, world.about(10 * ETHER))[2:])
    forward = world.tx(buyer, router, "OpenRouter.forward", coin, seller, world.about(100 * ETHER))
    fill = world.tx(buyer, shop, "Market.fill", coin, seller, order, money, world.about(50 * ETHER))
    return Staged(watch=(holdings(router, coin, role="router"), holdings(shop, coin, role="market")), blocks=[[forward], [fill]])


async def purse(world: World) -> tuple[str, str]:
    """(proxy, dollar): people's dollars behind a proxy."""
    dollar = await world.token(world.users[:3])
    proxy = await world.deploy("Proxy", await world.deploy("Strongbox"))
    for user in world.users[:3]:
        await world.do(user, dollar, "Coin.approve", proxy, ALL)
        await world.do(user, proxy, "Strongbox.put", dollar, world.about(MILLION // 3, 0.2))
    return proxy, dollar


@attack(31, "the code behind a proxy exchanged, then everything swept", kinds=("after_change", "outflow"), family=DRAIN)
async def upgraded(world: World) -> Staged:
    """The admin's key is stolen; nothing about either call is irregular."""
    proxy, dollar = await purse(world)
    thief = await world.person()
    code = await world.wallet.deploy(thief, solidity.artifact("SweepCode", renamed=world.renamed))
    sweep = solidity.artifact("SweepCode", renamed=world.renamed).call(
        solidity.other("own_sweep") if world.renamed else "own_sweep", dollar, thief
    )
    change = world.tx(world.owner, proxy, "Proxy.upgradeTo", code, guilty=True)
    blocks: list[Sequence[Tx] | Wait] = [[change], [Tx(thief, proxy, sweep, guilty=True)]]
    if world.chance():
        blocks.insert(1, Wait(1, world.pick(60, 20_000)))
    return Staged(watch=(holdings(proxy, dollar),), blocks=blocks, victims={proxy})


@benign("31b", "an announced upgrade, and business as before")
async def announced(world: World) -> Staged:
    """The operator had said so; people go on taking out what is theirs."""
    proxy, dollar = await purse(world)
    code = await world.deploy("Strongbox")
    change = world.tx(world.owner, proxy, "Proxy.upgradeTo", code)
    take = [[world.tx(user, proxy, "Strongbox.take", dollar, world.about(MILLION // 200))] for user in world.users[:3]]
    settings: dict[str, dict[str, object]] = {"privileges": {"announced": {proxy: 4e9}}}
    return Staged(watch=(holdings(proxy, dollar),), blocks=[[change], *take], detectors=settings)


@benign("26b", "salaries")
async def salaries(world: World) -> Staged:
    """A treasury pays a few people a little."""
    made, dollar = await treasury(world)
    blocks = [
        [pay(world, world.owner, made, dollar, user, world.about(MILLION // 400), guilty=False)] for user in world.users[:6]
    ]
    return Staged(watch=(holdings(made, dollar),), blocks=blocks, seconds=600)


@benign("43d", "liquidity removed, a migration, a whale")
async def removal(world: World) -> Staged:
    """A whale takes eight per cent, another a third, and one moves everything of his to another pair."""
    where = await market(world)
    code, owner, (giver, whale, other, *_) = "UniswapV2Pair", world.owner, world.users
    shares = int(await world.read(where.pair, f"{code}.balanceOf", giver))
    parts = {whale: shares * 8 // 100, other: shares * world.pick(25, 34) // 100}
    for user, part in parts.items():
        await world.do(giver, where.pair, f"{code}.transfer", user, part)
    factory = await world.deploy("UniswapV2Factory", owner)
    elsewhere = await pool(world, factory, where.coin, where.dollar, (MILLION, MILLION), whale)
    for user in (giver, whale, other):
        await world.do(user, where.pair, f"{code}.approve", where.router, ALL)
    rest = shares - sum(parts.values())
    blocks = [[_remove(world, where, user, part)] for user, part in {**parts, giver: rest * 98 // 100}.items()]
    again = [world.tx(giver, asset, "Coin.transfer", elsewhere, MILLION // 2) for asset in (where.coin, where.dollar)]
    blocks.append([*again, world.tx(giver, elsewhere, f"{code}.mint", giver)])
    return Staged(watch=(pair(where.pair, where.coin, where.dollar),), blocks=blocks, trusted=where.trusted)


def _remove(world: World, where: Market, user: str, shares: int) -> Tx:
    data = world.call("UniswapV2Router02.removeLiquidity", where.coin, where.dollar, shares, 0, 0, user, FOREVER)
    return Tx(user, where.router, data)
