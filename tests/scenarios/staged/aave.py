"""Honest business on Aave V3 as published: its pool is entered again in the middle of its own flash loan, by design."""

from tests.scenarios.market import ALL
from tests.scenarios.scenario import Staged, Step, benign, holdings
from tests.scenarios.solidity import AAVE_LOGIC
from tests.scenarios.world import ETHER, World

NOBODY = "0x" + "0" * 40
RAY = 10**27
LOGIC = "contracts/protocol/libraries/logic/{0}.sol:{0}"


async def aave(world: World, *tokens: str) -> tuple[str, str, tuple[str, ...]]:
    """(pool, oracle, the tokens' aTokens): a market of these, each worth one dollar, lendable up to three quarters."""
    libraries: dict[str, str] = {}
    for name in sorted(AAVE_LOGIC, key=lambda name: name == "FlashLoanLogic"):  # it calls another of them
        libraries[LOGIC.format(name)] = await world.link(name, libraries)
    provider = await world.deploy("PoolAddressesProvider", "corpus", world.owner)
    named = "PoolAddressesProvider"
    await world.do(world.owner, provider, f"{named}.setACLAdmin", world.owner)
    acl = await world.deploy("ACLManager", provider)
    await world.do(world.owner, provider, f"{named}.setACLManager", acl)
    await world.do(world.owner, acl, "ACLManager.addPoolAdmin", world.owner)
    oracle = await world.deploy("PriceOracle")
    await world.do(world.owner, provider, f"{named}.setPriceOracle", oracle)
    pool_code = await world.link("Pool", libraries, provider)
    await world.do(world.owner, provider, f"{named}.setPoolImpl", pool_code)
    await world.do(world.owner, provider, f"{named}.setPoolConfiguratorImpl", await world.link("PoolConfigurator", libraries))
    pool = str(await world.read(provider, f"{named}.getPool")).lower()
    configurator = str(await world.read(provider, f"{named}.getPoolConfigurator")).lower()
    kinds = [await world.deploy(name, pool) for name in ("AToken", "StableDebtToken", "VariableDebtToken")]
    rates = (RAY * 8 // 10, 0, RAY * 4 // 100, RAY * 6 // 10, RAY // 50, RAY * 6 // 10, RAY // 50, RAY * 8 // 100, RAY // 5)
    strategy = await world.deploy("DefaultReserveInterestRateStrategy", provider, *rates)
    made = []
    for token in tokens:
        await world.do(world.owner, oracle, "PriceOracle.setAssetPrice", token, 10**8)
        names = ("aToken", "aT", "debt", "vD", "stable", "sD")
        reserve = (*kinds[:2], kinds[2], 18, strategy, token, world.owner, NOBODY, *names, b"")
        await world.do(world.owner, configurator, "PoolConfigurator.initReserves", [reserve])
        for call in (
            ("configureReserveAsCollateral", token, 7500, 8000, 10500),
            ("setReserveBorrowing", token, True),
            ("setReserveFlashLoaning", token, True),
        ):
            await world.do(world.owner, configurator, f"PoolConfigurator.{call[0]}", *call[1:])
        made.append(str((await world.read(pool, "Pool.getReserveData", token))[8]).lower())
    return pool, oracle, tuple(made)


async def lent(world: World) -> tuple[str, str, list[str], tuple[str, ...], str]:
    """(pool, oracle, tokens, their aTokens, a borrower's helper): two tokens supplied by two users, one of whom borrowed."""
    lender, borrower = world.users[:2]
    tokens = [await world.token([lender, borrower], 10**8 * ETHER) for _ in range(2)]
    pool, oracle, shares = await aave(world, *tokens)
    for user in (lender, borrower):
        for token in tokens:
            await world.do(user, token, "Coin.approve", pool, ALL)
    for token in tokens:
        await world.do(lender, pool, "Pool.supply", token, 10**7 * ETHER, lender, 0)
    pledge = world.about(200_000 * ETHER)
    await world.do(borrower, pool, "Pool.supply", tokens[1], pledge, borrower, 0)
    await world.do(borrower, pool, "Pool.borrow", tokens[0], pledge * 70 // 100, 2, 0, borrower)
    helper = await world.deploy("AaveUser", pool, by=world.users[5])
    await world.do(world.owner, tokens[0], "Coin.mint", helper, 10_000 * ETHER)
    return pool, oracle, tokens, shares, helper


@benign("36b", "Aave V3: supplied and withdrawn in its own flash loan")
async def supplied_in_a_loan(world: World) -> Staged:
    """The pool's reserves are written inside the loan and again at its end."""
    pool, _, tokens, shares, helper = await lent(world)
    flash = ("AaveUser.flash", tokens[0], world.about(100_000 * ETHER), tokens[1], NOBODY)
    user = world.users[0]
    blocks: list[Step] = [
        [world.tx(world.users[5], helper, *flash)],
        [world.tx(user, pool, "Pool.withdraw", tokens[0], world.about(50_000 * ETHER), user)],
    ]
    watch = (holdings(pool), *(holdings(share, token) for share, token in zip(shares, tokens, strict=True)))
    return Staged(watch=watch, blocks=blocks)


@benign("37c", "Aave V3: a liquidation paid by its own flash loan")
async def liquidated_by_a_loan(world: World) -> Staged:
    """The pledge falls in price; half of the debt is repaid with borrowed money, for a bonus."""
    pool, oracle, tokens, shares, helper = await lent(world)
    borrower = world.users[1]
    price = 10**8 * world.pick(78, 86) // 100
    flash = ("AaveUser.flash", tokens[0], world.about(30_000 * ETHER), tokens[1], borrower)
    blocks: list[Step] = [
        [world.tx(world.owner, oracle, "PriceOracle.setAssetPrice", tokens[1], price)],
        [world.tx(world.users[5], helper, *flash)],
    ]
    await world.do(world.owner, tokens[0], "Coin.mint", helper, 100_000 * ETHER)
    watch = (holdings(pool), *(holdings(share, token) for share, token in zip(shares, tokens, strict=True)))
    return Staged(watch=watch, blocks=blocks)
