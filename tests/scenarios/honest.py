"""Honest traffic on published bytecode, endless and seeded: what thousands of transactions look like of which none is an attack.

Much of it calls back, since that is what the storage rules must tell from re-entrancy: flash swaps, V3's payments, ERC-777, 721
and 1155 receivers, fee tokens that sell themselves, comptrollers, nested withdrawals, batches behind proxies, a singleton.
"""

from collections.abc import Awaitable, Callable, Iterator

from tests.scenarios import solidity
from tests.scenarios.market import ALL, FOREVER, market, second_pair, v3_pool
from tests.scenarios.staged.hooks import exchange, give, hooked_token
from tests.scenarios.world import ETHER, Tx, World

ROUTER = "UniswapV2Router02"
Course = Iterator[tuple[str, Tx]]
MILLION = 10**6 * ETHER


class Town:
    """Everything there is to use, and whoever uses it. `contracts` are what a company would watch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.contracts: set[str] = set()
        self.trusted: set[str] = set()
        self._courses: list[Course] = []

    async def build(self) -> None:
        """Deploy it all."""
        for quarter in (_pairs, _fee_pair, _v3, _vault, _hooked, _pieces, _lenders, _bank, _purse, _singleton, _wrapped):
            built: _Quarter = quarter
            await built(self)

    def opens(self, course: Course, *contracts: str) -> None:
        """One more way to do business."""
        self._courses.append(course)
        self.contracts.update(contracts)

    def block(self, size: int) -> list[tuple[str, Tx]]:
        """The next transactions, of courses drawn by lot."""
        return [next(self.world.dice.choice(self._courses)) for _ in range(size)]


_Quarter = Callable[[Town], Awaitable[None]]


async def _pairs(town: Town) -> None:
    world = town.world
    made = await market(world, 4)
    coin = await world.token([world.owner, *world.users[:4]], 10 * MILLION, [made.router])
    coins = await second_pair(world, made, coin, 5 * MILLION, 5 * MILLION)
    flasher = await world.deploy("Flasher")
    await world.do(world.owner, made.dollar, "Coin.transfer", flasher, MILLION)
    for user in world.users[:4]:
        await world.do(user, made.pair, "UniswapV2Pair.approve", made.router, ALL)

    def course(user: str) -> Course:
        while True:
            spend = world.about(20 * ETHER, 0.9)
            into = [made.weth, made.dollar, coin] if world.chance() else [made.weth, made.dollar]
            buy = (f"{ROUTER}.swapExactETHForTokens", 1, into, user, FOREVER)
            yield "V2 swap", world.tx(user, made.router, *buy, value=spend)
            back = (f"{ROUTER}.swapExactTokensForETH", 2_900 * spend, 1, [made.dollar, made.weth], user, FOREVER)
            yield "V2 swap into ether", world.tx(user, made.router, *back)
            over = (f"{ROUTER}.swapExactTokensForTokens", 500 * spend, 1, [coin, made.dollar], user, FOREVER)
            yield "V2 swap", world.tx(user, made.router, *over)
            add = (f"{ROUTER}.addLiquidityETH", made.dollar, 3_000 * spend, 1, 1, user, FOREVER)
            yield "V2 liquidity in", world.tx(user, made.router, *add, value=2 * spend)
            leave = (f"{ROUTER}.removeLiquidityETH", made.dollar, 10 * spend, 1, 1, user, FOREVER)
            yield "V2 liquidity out", world.tx(user, made.router, *leave)
            loan = ("Flasher.borrow", made.pair, made.dollar, world.about(500_000 * ETHER, 0.9))
            yield "V2 flash swap", world.tx(user, flasher, *loan)

    for user in world.users[:4]:
        town.opens(course(user), made.pair, coins)


async def _fee_pair(town: Town) -> None:
    world = town.world
    made = await market(world, 1)
    user = world.users[0]
    coin = await world.deploy("FeeCoin", made.router, world.users[8])
    for holder in (world.owner, user):
        await world.do(world.owner, coin, "Coin.mint", holder, 1000 * MILLION)
        await world.do(holder, coin, "Coin.approve", made.router, ALL)
    add = (f"{ROUTER}.addLiquidityETH", coin, 10 * MILLION, 1, 1, world.owner, FOREVER)
    await world.do(world.owner, made.router, *add, value=5_000 * ETHER)
    pool = str(await world.read(made.factory, "UniswapV2Factory.getPair", coin, made.weth)).lower()
    await world.do(world.owner, coin, "FeeCoin.open", pool)

    def course() -> Course:
        fee = "SupportingFeeOnTransferTokens"
        while True:
            sell = (f"{ROUTER}.swapExactTokensForETH{fee}", world.about(10_000 * ETHER), 1, [coin, made.weth], user, FOREVER)
            yield "fee token sold", world.tx(user, made.router, *sell)
            buy = (f"{ROUTER}.swapExactETHForTokens{fee}", 1, [made.weth, coin], user, FOREVER)
            yield "fee token bought", world.tx(user, made.router, *buy, value=world.about(4 * ETHER))

    town.opens(course(), pool, coin)


async def _v3(town: Town) -> None:
    world, trader = town.world, town.world.users[1]
    user = await world.deploy("V3User")
    one, other = [await world.token([world.owner, trader], 10**5 * MILLION, [user]) for _ in range(2)]
    pool = await v3_pool(world, one, other, 100 * MILLION, user)

    def course() -> Course:
        while True:
            amount = world.about(10_000 * ETHER, 0.9)
            for zero in (True, False):
                yield "V3 swap", world.tx(trader, user, "V3User.swap", pool, zero, amount)
            yield "V3 liquidity in", world.tx(trader, user, "V3User.mint", pool, -6000, 6000, world.about(1_000 * ETHER))
            yield "V3 flash loan", world.tx(trader, user, "V3User.flash", pool, world.about(MILLION), world.about(MILLION))

    town.opens(course(), pool)


async def _vault(town: Town) -> None:
    world = town.world
    asset = await world.token(world.users[:3], 100 * MILLION)
    house = await world.deploy("Vault4626", asset)
    for user in world.users[:3]:
        await world.do(user, asset, "Coin.approve", house, ALL)
        await world.do(user, house, "Vault4626.deposit", 10 * MILLION, user)

    def course(user: str) -> Course:
        while True:
            amount = world.about(10_000 * ETHER, 0.9)
            yield "ERC-4626 deposit", world.tx(user, house, "Vault4626.deposit", amount, user)
            yield "ERC-4626 redeem", world.tx(user, house, "Vault4626.redeem", amount // 2, user, user)

    for user in world.users[:3]:
        town.opens(course(user), house)


async def _hooked(town: Town) -> None:
    world, user = town.world, town.world.users[2]
    token = await hooked_token(world)
    pool = await exchange(world, token)
    holdings = await world.deploy("HookedMarket", token)
    trader = await world.thief("HookThief", sender=user)
    await world.wallet.do(user, trader.address, trader.data("own_ready", token, pool))
    await give(world, token, user, 100 * MILLION)
    for who in (world.owner, user):
        await world.do(who, token, "ERC777PresetFixedSupply.approve", holdings, ALL)
    await world.do(world.owner, holdings, "HookedMarket.supply", 50 * MILLION)

    def course() -> Course:
        while True:
            trade = Tx(user, trader.address, trader.data("own_trade", 1), world.about(3 * ETHER))
            yield "ERC-777 bought and sold on V1", trade
            amount = world.about(100 * ETHER)
            yield "ERC-777 supplied", world.tx(user, holdings, "HookedMarket.supply", amount)
            yield "ERC-777 withdrawn", world.tx(user, holdings, "HookedMarket.withdraw", amount // 2)
            send = ("ERC777PresetFixedSupply.send", world.users[3], amount, b"")
            yield "ERC-777 sent", world.tx(user, token, *send)

    town.opens(course(), pool, holdings)


async def _pieces(town: Town) -> None:
    world, user = town.world, town.world.users[3]
    multi = await world.deploy("ERC1155PresetMinterPauser", "", by=user)
    single = await world.deploy("ERC721PresetMinterPauserAutoId", "Pieces", "PCS", "", by=user)
    forwarder = await world.deploy("Forwarder", by=user)
    shop = await world.deploy("Collection", ETHER)
    code = solidity.artifact("Forwarder").creation()

    def course() -> Course:
        count = 0
        while True:
            count += 1
            mint = ("ERC1155PresetMinterPauser.mint", forwarder, count, world.pick(1, 99), b"")
            yield "ERC-1155 minted to a forwarder", world.tx(user, multi, *mint)
            yield "ERC-721 minted", world.tx(user, single, "ERC721PresetMinterPauserAutoId.mint", world.users[4])
            if count % 20 == 0:
                yield "a contract made", Tx(user, None, code, gas=2_000_000)
            if count == 1:
                yield "ERC-721 minted by a forwarder", world.tx(user, forwarder, "Forwarder.mint", shop)

    town.opens(course(), multi, single, shop)


async def _lenders(town: Town) -> None:
    world, user = town.world, town.world.users[4]
    control = await world.deploy("Comptroller")
    tokens = [await world.token([world.owner, user], 100 * MILLION) for _ in range(2)]
    markets = [await world.deploy("CMarket", control, token, ETHER) for token in tokens]
    for one, token in zip(markets, tokens, strict=True):
        await world.do(world.owner, control, "Comptroller.list", one)
        for who in (world.owner, user):
            await world.do(who, token, "Coin.approve", one, ALL)
        await world.do(world.owner, one, "CMarket.supply", 50 * MILLION)
    await world.do(user, markets[1], "CMarket.supply", MILLION)

    def course() -> Course:
        while True:
            loan = world.about(10_000 * ETHER)
            yield "pledged", world.tx(user, markets[1], "CMarket.supply", loan)
            yield "borrowed", world.tx(user, markets[0], "CMarket.borrow", loan)
            yield "repaid", world.tx(user, markets[0], "CMarket.repay", loan)
            yield "taken back", world.tx(user, markets[1], "CMarket.withdraw", loan // 2)

    town.opens(course(), *markets, control)


async def _bank(town: Town) -> None:
    world, user = town.world, town.world.users[5]
    bank, old, saver = await world.deploy("GoodBank"), await world.deploy("OldBank"), await world.deploy("EagerSaver", by=user)
    for other in world.users[:3]:
        for one in (bank, old):
            await world.do(other, one, "OldBank.deposit", value=2_000 * ETHER)

    def course() -> Course:
        while True:
            stake, parts = world.about(3 * ETHER), world.pick(2, 6)
            yield "deposit", world.tx(user, saver, "EagerSaver.put", bank, value=stake)
            take = ("EagerSaver.take", bank, parts, stake // parts)
            yield "nested withdrawals in order", world.tx(user, saver, *take)
            yield "deposit in a bank with a hole", world.tx(user, old, "OldBank.deposit", value=stake)
            yield "withdrawal from a bank with a hole", world.tx(user, old, "OldBank.withdraw")

    town.opens(course(), bank, old)


async def _purse(town: Town) -> None:
    world, user = town.world, town.world.users[6]
    bank, code, token = await world.deploy("GoodBank"), await world.deploy("Purse"), await world.token()
    purse = await world.deploy("Proxy1967", code, b"")
    await world.do(world.users[0], bank, "GoodBank.deposit", value=5_000 * ETHER)
    await world.do(world.owner, token, "Coin.mint", purse, 10**3 * MILLION)
    await world.wallet.do(user, purse, "0x", value=1_000 * ETHER)

    def course() -> Course:
        while True:
            amount = world.about(ETHER)
            calls = [
                world.call("Purse.put", bank, amount),
                world.call("Purse.get", bank, amount // 2),
                world.call("Purse.pay", token, world.users[7], world.about(50 * ETHER)),
                world.call("Purse.get", bank, amount // 4),
            ]
            data = [bytes.fromhex(call[2:]) for call in calls[: world.pick(2, 4)]]
            yield "batch behind a proxy", Tx(user, purse, world.call("Purse.multicall", data))

    town.opens(course(), bank)


async def _singleton(town: Town) -> None:
    world, trader = town.world, town.world.users[7]
    manager, user = await world.deploy("Singleton"), await world.deploy("SingletonUser")
    one, other = [await world.token([world.owner, trader], 10**4 * MILLION, [manager, user]) for _ in range(2)]
    pool = world.users[8]
    for token in (one, other):
        await world.do(world.owner, manager, "Singleton.fund", token, pool, 10 * MILLION)

    def course() -> Course:
        while True:
            into, out = (one, other) if world.chance() else (other, one)
            loan = world.about(MILLION) if world.chance() else 0
            swap = ("SingletonUser.swap", manager, pool, into, out, world.about(5_000 * ETHER), loan)
            yield "swap in a singleton", world.tx(trader, user, *swap)

    town.opens(course(), manager)


async def _wrapped(town: Town) -> None:
    world = town.world
    wrapped = await world.deploy("WETH9")
    token = await world.deploy("ERC20PresetFixedSupply", "Plain", "PLN", 10**6 * MILLION, world.users[8])

    def course(user: str) -> Course:
        while True:
            amount = world.about(5 * ETHER)
            yield "ether wrapped", world.tx(user, wrapped, "WETH9.deposit", value=amount)
            yield "ether unwrapped", world.tx(user, wrapped, "WETH9.withdraw", amount // 2)
            friend = world.dice.choice(world.users)
            yield "wrapped ether sent", world.tx(user, wrapped, "WETH9.transfer", friend, amount // 4)
            if user == world.users[8]:
                yield (
                    "ERC-20 sent",
                    world.tx(user, token, "ERC20PresetFixedSupply.transfer", friend, amount),
                )

    for user in world.users[:9]:
        town.opens(course(user), wrapped)
