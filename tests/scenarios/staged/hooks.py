"""Re-entrancy through the hooks of token standards and through constructors, on OpenZeppelin's and Uniswap's own bytecode."""

from eth_utils.crypto import keccak

from monitor.demo.market import FOREVER
from tests.scenarios import solidity
from tests.scenarios.scenario import REENTRANCY, Staged, attack, benign, holdings
from tests.scenarios.world import ETHER, World

REGISTRY = "0x1820a4b7618bde71dce8cdc73aab6c95905fad24"
ALL = 2**256 - 1


async def hooked_token(world: World) -> str:
    """OpenZeppelin's ERC-777 with a registry where it looks for one (a clone of ours: npm has no bytecode of it)."""
    registry = await world.deploy("Registry1820")
    code = await world.node.call("eth_getCode", [registry, "latest"])
    await world.node.call("anvil_setCode", [REGISTRY, code])
    return await world.deploy("ERC777PresetFixedSupply", "Hooked", "HKD", [], 10**9 * ETHER, world.owner)


async def give(world: World, token: str, to: str, amount: int) -> None:
    """Tokens from the owner."""
    await world.do(world.owner, token, "ERC777PresetFixedSupply.transfer", to, amount)


@attack(5, "ERC-777 hook in a lending market", kinds=("same_contract",), family=REENTRANCY)
async def hooked_market(world: World) -> Staged:
    """Lendf.me: what is withdrawn in the hook of a deposit is credited nevertheless."""
    token = await hooked_token(world)
    market = await world.deploy("HookedMarket", token)
    for user in world.users[:3]:
        await give(world, token, user, 10_000 * ETHER)
        await world.do(user, token, "ERC777PresetFixedSupply.approve", market, ALL)
        await world.do(user, market, "HookedMarket.supply", world.about(5_000 * ETHER))
    thief = await world.thief("HookThief")
    stake = world.about(300 * ETHER)
    await give(world, token, thief.address, stake + world.pick(2, 9))
    blocks = [[thief.tx("own_ready", token, market, guilty=False)], [thief.tx("own_lend", stake, world.pick(1, 4))]]
    return Staged(watch=(holdings(market, token),), blocks=blocks, victims={market})


async def exchange(world: World, token: str) -> str:
    """A Uniswap V1 exchange, as published, with 1,000 ether and as many tokens."""
    template = await world.deploy("UniswapV1Exchange")
    factory = await world.deploy("UniswapV1Factory")
    await world.do(world.owner, factory, "UniswapV1Factory.initializeFactory", template)
    await world.do(world.owner, factory, "UniswapV1Factory.createExchange", token)
    pool = str(await world.read(factory, "UniswapV1Factory.getExchange", token)).lower()
    await world.do(world.owner, token, "ERC777PresetFixedSupply.approve", pool, ALL)
    add = ("UniswapV1Exchange.addLiquidity", 1, 1_000 * ETHER, FOREVER)
    await world.do(world.owner, pool, *add, value=world.about(1_000 * ETHER, 0.2))
    return pool


@attack(6, "ERC-777 on Uniswap V1, whose reserves are its balances", kinds=("balance",), family=REENTRANCY)
async def hooked_exchange(world: World) -> Staged:
    """ImBTC, 2020: the second sale is priced before the first payment arrived."""
    token = await hooked_token(world)
    pool = await exchange(world, token)
    thief = await world.thief("HookThief")
    blocks = [
        [thief.tx("own_ready", token, pool, guilty=False)],
        [thief.tx("own_trade", world.pick(2, 6), value=world.about(150 * ETHER))],
    ]
    return Staged(watch=(holdings(pool, token),), blocks=blocks, victims={pool})


@benign("32c", "ERC-777 sold on Uniswap V1 by someone who listens to its hooks")
async def listening_seller(world: World) -> Staged:
    """One sale, and the hook does nothing."""
    token = await hooked_token(world)
    pool = await exchange(world, token)
    trader = await world.thief("HookThief", sender=world.users[4])
    blocks = [
        [trader.tx("own_ready", token, pool, guilty=False)],
        [trader.tx("own_trade", 1, value=world.about(20 * ETHER), guilty=False)],
    ]
    return Staged(watch=(holdings(pool, token),), blocks=blocks)


@attack(7, "ERC-721: minted again before it is counted", kinds=("same_contract",), family=REENTRANCY)
async def pieces(world: World) -> Staged:
    """One each, by a counter written after the receiver was told; cashed in at once, or in another transaction."""
    floor = world.about(2 * ETHER)
    shop = await world.deploy("Collection", floor)
    await world.wallet.do(world.owner, shop, "0x", value=60 * ETHER)
    thief = await world.thief("PieceThief")
    cash = world.chance()
    blocks = [[thief.tx("own_mint", shop, world.pick(3, 12), cash)]]
    if not cash:
        blocks += [[], [thief.tx("own_cash")]]
    return Staged(watch=(holdings(shop),), blocks=blocks, victims={shop})


@attack(8, "ERC-1155: receipts forged in the receiver's callback", kinds=("same_contract",), family=REENTRANCY)
async def receipts(world: World) -> Staged:
    """Revest, 2022, with OpenZeppelin's ERC-1155."""
    token = await world.token(world.users[:3])
    paper = await world.deploy("ERC1155PresetMinterPauser", "")
    vault = await world.deploy("ReceiptVault", paper, token)
    role = keccak(text="MINTER_ROLE")
    await world.do(world.owner, paper, "ERC1155PresetMinterPauser.grantRole", role, vault)
    for user in world.users[:3]:
        await world.do(user, token, "Coin.approve", vault, ALL)
        await world.do(user, vault, "ReceiptVault.lock", world.pick(5, 50), world.about(100 * ETHER))
    thief = await world.thief("ReceiptThief")
    each, held = world.about(3 * ETHER), int(await world.wallet.holding(vault, token))
    await world.do(world.owner, token, "Coin.mint", thief.address, each)
    quantity = int(held // each * world.dice.uniform(0.05, 0.95))
    strike = thief.tx("own_forge", vault, paper, token, quantity, each)
    return Staged(watch=(holdings(vault, token),), blocks=[[strike]], victims={vault})


@attack(12, "a constructor comes back for another prize", kinds=("create",), family=REENTRANCY)
async def constructors(world: World) -> Staged:
    """The quota of whoever asks is written after the wallet was made."""
    token, prize = await world.token(), world.about(100 * ETHER)
    factory = await world.deploy("WalletFactory", token, prize)
    await world.do(world.owner, token, "Coin.mint", factory, prize * world.pick(20, 400))
    code = bytes.fromhex(solidity.artifact("GreedyWallet", renamed=world.renamed).bytecode[2:])
    strike = await world.strike("WalletMaker", "own_make", factory, token, world.pick(2, 9), code)
    return Staged(watch=(holdings(factory, token),), blocks=[[strike]], victims={factory})


@benign("42b", "prizes for new wallets, one each")
async def new_wallets(world: World) -> Staged:
    """The same factory as it is meant to be used."""
    token, prize = await world.token(), world.about(100 * ETHER)
    factory = await world.deploy("WalletFactory", token, prize)
    await world.do(world.owner, token, "Coin.mint", factory, prize * world.pick(200, 400))
    code = bytes.fromhex(solidity.artifact("GreedyWallet").bytecode[2:])
    maker = await world.thief("WalletMaker", sender=world.users[5])
    return Staged(watch=(holdings(factory, token),), blocks=[[maker.tx("own_make", factory, token, 1, code, guilty=False)]])
