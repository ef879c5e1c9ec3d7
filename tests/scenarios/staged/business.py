"""Honest business of lenders, vaults, wallets and tokens: what looks like an attack and is none."""

from eth_account import Account
from eth_utils.crypto import keccak

from tests.scenarios.market import ALL, market, second_pair
from tests.scenarios.scenario import REENTRANCY, Staged, Step, attack, benign, holdings, pair, vault
from tests.scenarios.world import ETHER, Tx, Wait, World


async def comptrolled(world: World, *, fall: bool) -> tuple[str, str, str, str, list[Step]]:
    """(market of dollars, market of coins, dollar, coin, blocks): an account borrows, and its coins may `fall` by a third."""
    control = await world.deploy("Comptroller")
    lender, borrower = world.users[0], world.users[1]
    dollar, coin = [await world.token(world.users[:3], 10**7 * ETHER) for _ in range(2)]
    markets = [await world.deploy("CMarket", control, token, ETHER) for token in (dollar, coin)]
    for one in markets:
        await world.do(world.owner, control, "Comptroller.list", one)
        for user in world.users[:3]:
            token = dollar if one == markets[0] else coin
            await world.do(user, token, "Coin.approve", one, ALL)
    await world.do(lender, markets[0], "CMarket.supply", 5 * 10**6 * ETHER)
    await world.do(world.users[2], markets[1], "CMarket.supply", 5 * 10**6 * ETHER)
    pledge = world.about(50_000 * ETHER)
    loan = pledge * world.pick(60, 74) // 100
    blocks: list[Step] = [
        [world.tx(borrower, markets[1], "CMarket.supply", pledge)],
        [world.tx(borrower, markets[0], "CMarket.borrow", loan)],
    ]
    if fall:
        price = ETHER * world.pick(60, 75) // 100
        blocks.append([world.tx(world.owner, markets[1], "CMarket.setPrice", price)])
        liquidate = ("CMarket.liquidate", borrower, loan // 3, markets[1])
        blocks.append([world.tx(world.users[2], markets[0], *liquidate)])
    else:
        blocks.append([world.tx(borrower, markets[0], "CMarket.repay", loan)])
        blocks.append([world.tx(borrower, markets[1], "CMarket.withdraw", pledge // 2)])
    return markets[0], markets[1], dollar, coin, blocks


@benign(37, "a liquidation")
async def liquidation(world: World) -> Staged:
    """Market, comptroller, the same market again, another market, the comptroller again."""
    cash, pledged, dollar, coin, blocks = await comptrolled(world, fall=True)
    watch = (holdings(cash, dollar, role="lender"), holdings(pledged, coin, role="lender"))
    return Staged(watch=watch, blocks=blocks)


@benign(39, "a comptroller that asks the market that asks it")
async def comptroller(world: World) -> Staged:
    """Borrowed, repaid, withdrawn; the comptroller has the market write in the middle."""
    cash, pledged, dollar, coin, blocks = await comptrolled(world, fall=False)
    watch = (holdings(cash, dollar, role="lender"), holdings(pledged, coin, role="lender"))
    return Staged(watch=watch, blocks=blocks)


@benign(40, "batches behind a proxy")
async def batches(world: World) -> Staged:
    """A purse behind OpenZeppelin's proxy puts into a bank, takes out, and pays, in one multicall."""
    bank, code, token = await world.deploy("GoodBank"), await world.deploy("Purse"), await world.token()
    purse = await world.deploy("Proxy1967", code, b"")
    for user in world.users[:2]:
        await world.do(user, bank, "GoodBank.deposit", value=world.about(500 * ETHER))
    await world.do(world.owner, token, "Coin.mint", purse, 1_000 * ETHER)
    await world.wallet.do(world.users[4], purse, "0x", value=10 * ETHER)
    put, get = world.about(3 * ETHER), world.about(ETHER)
    calls = [
        world.call("Purse.put", bank, put),
        world.call("Purse.get", bank, get),
        world.call("Purse.pay", token, world.users[5], world.about(50 * ETHER)),
        world.call("Purse.get", bank, put - get),
    ]
    data = [bytes.fromhex(call[2:]) for call in calls[: world.pick(2, 4)]]
    batch = Tx(world.users[4], purse, world.call("Purse.multicall", data))
    return Staged(watch=(holdings(bank),), blocks=[[batch]])


@benign("40b", "two accounts in one bundle of the EntryPoint")
async def bundle(world: World) -> Staged:
    """ERC-4337 as published: two operations of two accounts, one bundler."""
    entry = await world.deploy("EntryPoint")
    factory = await world.deploy("SimpleAccountFactory", entry)
    maker = str(await world.read(factory, "SimpleAccountFactory.senderCreator")).lower()
    await world.wallet.adopt(maker, 10)
    bank = await world.deploy("GoodBank")
    for user in world.users[:2]:
        await world.do(user, bank, "GoodBank.deposit", value=world.about(50 * ETHER))
    operations = []
    for salt in range(2):
        key = f"{world.seed} {salt}"
        operations.append(await operation(world, entry, factory, maker, key, [(bank, world.about(2 * ETHER), "deposit()")]))
    handle = world.call("EntryPoint.handleOps", operations, world.users[7])
    return Staged(watch=(holdings(bank),), blocks=[[Tx(world.users[7], entry, handle)]])


async def operation(
    world: World, entry: str, factory: str, maker: str, key: str, deeds: list[tuple[str, int, str]]
) -> tuple[object, ...]:
    """A signed user operation of a fresh SimpleAccount that does one deed: (to, value, signature or calldata)."""
    secret = keccak(text=key)
    owner = Account.from_key(secret)
    await world.do(maker, factory, "SimpleAccountFactory.createAccount", owner.address, 0)
    account = str(await world.read(factory, "SimpleAccountFactory.getAddress", owner.address, 0)).lower()
    await world.node.call("anvil_setBalance", [account, hex(100 * ETHER)])
    ((to, value, what),) = deeds
    data = bytes.fromhex(what[2:]) if what.startswith("0x") else keccak(text=what)[:4]
    call = bytes.fromhex(world.call("SimpleAccount.execute", to, value, data)[2:])
    gas = (3_000_000).to_bytes(16, "big") + (4_000_000).to_bytes(16, "big")
    fees = (10**9).to_bytes(16, "big") + (10**10).to_bytes(16, "big")
    unsigned = (account, 0, b"", call, gas, 100_000, fees, b"", b"")
    digest = await world.read(entry, "EntryPoint.getUserOpHash", unsigned)
    signature = Account.unsafe_sign_hash(digest, secret)
    return (*unsigned[:-1], bytes(signature.signature))


@attack("1b", "the same out of a smart account, in a bundle beside somebody honest", kinds=("same_contract",), family=REENTRANCY)
async def bundled(world: World) -> Staged:
    """The bundler signs for both and is neither."""
    entry = await world.deploy("EntryPoint")
    factory = await world.deploy("SimpleAccountFactory", entry)
    maker = str(await world.read(factory, "SimpleAccountFactory.senderCreator")).lower()
    await world.wallet.adopt(maker, 10)
    bank = await world.deploy("OldBank")
    for user in world.users[:3]:
        await world.do(user, bank, "OldBank.deposit", value=world.about(30 * ETHER))
    thief = await world.thief("BankThief")
    rob = thief.tx("own_drain", bank, world.pick(2, 9))
    deeds = [(rob.to or "", world.about(4 * ETHER), rob.data), (bank, world.about(30 * ETHER), "deposit()")]
    if world.chance():
        deeds.reverse()
    operations = [
        await operation(world, entry, factory, maker, f"{world.seed} {salt}", [deed]) for salt, deed in enumerate(deeds)
    ]
    handle = world.call("EntryPoint.handleOps", operations, world.users[7])
    return Staged(watch=(holdings(bank),), blocks=[[Tx(world.users[7], entry, handle, guilty=True)]], victims={bank})


@attack("17b", "a singleton that counts a payment twice", kinds=("same_contract", "balance"), family=REENTRANCY)
async def broken_singleton(world: World) -> Staged:
    """Settled deltas are believed only if they are settled once: here the same deposit pays two debts."""
    manager = await world.deploy("BrokenSingleton")
    token = await world.token(world.users[:2], 10**8 * ETHER, [manager])
    for user in world.users[:2]:
        await world.do(user, manager, "BrokenSingleton.deposit", token, world.about(10**6 * ETHER))
    thief = await world.thief("SingletonThief")
    await world.do(world.owner, token, "Coin.mint", thief.address, ETHER)
    rob = thief.tx("own_rob", manager, token, world.about(300_000 * ETHER))
    return Staged(watch=(holdings(manager, token),), blocks=[[rob]], victims={manager})


@benign("40c", "a singleton that settles everything at the end")
async def singleton(world: World) -> Staged:
    """As Uniswap V4: swapped and borrowed inside one call of the manager, and nothing owed when it ends."""
    manager, user = await world.deploy("Singleton"), await world.deploy("SingletonUser")
    trader = world.users[0]
    one, other = [await world.token([world.owner, trader], 10**8 * ETHER, [manager, user]) for _ in range(2)]
    pool = world.users[9 - 1]
    for token in (one, other):
        await world.do(world.owner, manager, "Singleton.fund", token, pool, 10**6 * ETHER)
    blocks = []
    for _ in range(world.pick(1, 3)):
        into, out = (one, other) if world.chance() else (other, one)
        loan = world.about(300_000 * ETHER) if world.chance() else 0
        swap = ("SingletonUser.swap", manager, pool, into, out, world.about(3_000 * ETHER), loan)
        blocks.append([world.tx(trader, user, *swap)])
    return Staged(watch=(holdings(manager, one, other),), blocks=blocks)


@benign("42c", "pieces passed on as they arrive")
async def forwarded(world: World) -> Staged:
    """A minting bot hands each NFT on in the receiver's callback."""
    shop = await world.deploy("Collection", world.about(2 * ETHER))
    await world.wallet.do(world.owner, shop, "0x", value=60 * ETHER)
    bots = [await world.deploy("Forwarder", by=user) for user in world.users[:3]]
    mints = [world.tx(user, bot, "Forwarder.mint", shop) for user, bot in zip(world.users, bots, strict=False)]
    return Staged(watch=(holdings(shop),), blocks=[mints])


@benign(44, "a crash, an airdrop, a rebase")
async def weather(world: World) -> Staged:
    """The coin loses a fifth by an honest sale; tokens rain; a rebasing token shrinks by a tenth. Nobody took anything."""
    made = await market(world)
    coin = await world.token([world.owner, world.users[0]], 10**6 * ETHER, [made.router])
    coins = await second_pair(world, made, coin, 10**6 * ETHER, 10**6 * ETHER)
    bank = await world.deploy("GoodBank")
    rebasing, airdrop = await world.deploy("RebasingCoin"), await world.deploy("Airdrop")
    await world.do(world.owner, rebasing, "RebasingCoin.mint", bank, 10**6 * ETHER)
    await world.do(world.owner, coin, "Coin.mint", airdrop, 10**6 * ETHER)
    for user in world.users[:2]:
        await world.do(user, bank, "GoodBank.deposit", value=world.about(50 * ETHER))
    sale = world.about(110_000 * ETHER, 0.1)
    sell = (
        "UniswapV2Router02.swapExactTokensForTokens", sale, 1, [coin, made.dollar], world.users[0], 2**40,
    )  # fmt: skip
    many = [*world.users, coins, bank]
    blocks: list[Step] = [
        [world.tx(world.users[0], made.router, *sell)],
        [world.tx(world.users[3], airdrop, "Airdrop.drop", coin, many, world.about(100 * ETHER))],
        Wait(2),
        [world.tx(world.owner, rebasing, "RebasingCoin.rebase", ETHER * world.pick(88, 97) // 100)],
        [world.tx(world.users[0], bank, "GoodBank.withdraw", world.about(ETHER))],
    ]
    watch = (pair(coins, made.dollar, coin), holdings(bank, rebasing, coin))
    return Staged(watch=watch, blocks=blocks, prices=((coin, coins, made.dollar),))


@benign(36, "a vault used as meant, with borrowed money too")
async def vault_use(world: World) -> Staged:
    """OpenZeppelin's ERC-4626: deposits, redemptions, a harvest; and a deposit out of a flash swap, redeemed before it is due."""
    made = await market(world)
    house = await world.deploy("Vault4626", made.dollar)
    for user in world.users[:3]:
        await world.do(user, made.dollar, "Coin.approve", house, ALL)
        await world.do(user, house, "Vault4626.deposit", world.about(10**6 * ETHER), user)
    user = world.users[0]
    blocks: list[Step] = [
        [world.tx(user, house, "Vault4626.deposit", world.about(50_000 * ETHER), user)],
        [world.tx(world.owner, made.dollar, "Coin.transfer", house, world.about(1_000 * ETHER))],
        [world.tx(user, house, "Vault4626.redeem", world.about(300_000 * ETHER), user, user)],
    ]
    return Staged(watch=(vault(house, made.dollar),), blocks=blocks)


@benign("40d", "liquidity taken out of a singleton")
async def taken_out(world: World) -> Staged:
    """As of Uniswap V4: paid out inside the callback, with no share burnt and nothing coming in."""
    manager, helper = await world.deploy("PositionManager"), await world.deploy("PositionUser")
    user = world.users[0]
    tokens = [await world.token(world.users[:2], 10**8 * ETHER, [manager]) for _ in range(2)]
    for token in tokens:
        await world.do(user, manager, "PositionManager.provide", token, 10**5 * ETHER)
        await world.do(world.users[1], manager, "PositionManager.provide", token, 10**7 * ETHER)
    amount = world.about(50_000 * ETHER)
    return Staged(
        watch=(holdings(manager, *tokens),), blocks=[[world.tx(user, helper, "PositionUser.leave", manager, *tokens, amount)]]
    )
