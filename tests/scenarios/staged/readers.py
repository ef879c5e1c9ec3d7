"""Read-only re-entrancy: somebody acts on what a contract shows in the middle of a payment."""

from tests.scenarios.scenario import REENTRANCY, Staged, attack, benign, holdings
from tests.scenarios.world import ETHER, World

ALL = 2**256 - 1
NOTHING = [0, 0]


async def pool_and_lender(world: World, *, oracle: bool, safe: bool = False) -> tuple[str, str, str, str]:
    """(pool, lender, coin, dollar): a pool of ether and coins, and a lender on its shares, with an oracle between or without."""
    user = world.users[0]
    coin, dollar = await world.token(world.users[:2]), await world.token(world.users[:2])
    pool = await world.deploy("StablePool", coin, safe)
    size = world.about(1_000 * ETHER, 0.3)
    await world.do(user, coin, "Coin.approve", pool, ALL)
    await world.do(user, pool, "StablePool.add_liquidity", [size, size], 0, value=size)
    price = await world.deploy("ShareOracle", pool) if oracle else pool
    lender = await world.deploy("ShareLender", pool, dollar, price)
    await world.do(world.owner, dollar, "Coin.mint", lender, world.about(4_000 * ETHER))
    return pool, lender, coin, dollar


async def dear_shares(world: World, *, oracle: bool) -> Staged:
    """Most of a large stake is removed; in the payment, what was pledged of it looks dearer than it is."""
    pool, lender, coin, dollar = await pool_and_lender(world, oracle=oracle)
    stake = world.about(6_000 * ETHER)
    thief = await world.thief("PriceThief")
    await world.do(world.owner, coin, "Coin.mint", thief.address, stake)
    pledge = int(2 * stake * world.dice.uniform(0.05, 0.2))
    rob = thief.tx("own_borrow", pool, coin, lender, dollar, pledge, value=stake)
    watch = (holdings(lender, dollar, pool, role="lender"), holdings(pool, coin))
    return Staged(watch=watch, blocks=[[rob]], victims={pool, lender})


@attack(9, "read-only on a Curve-like pool", kinds=("read_only",), family=REENTRANCY)
async def read_only(world: World) -> Staged:
    """The lender asks the pool itself what its shares are worth."""
    return await dear_shares(world, oracle=False)


@attack(10, "read-only through an oracle that somebody else consults", kinds=("read_only",), family=REENTRANCY)
async def through_an_oracle(world: World) -> Staged:
    """The one who loses never touches the pool."""
    return await dear_shares(world, oracle=True)


@attack(14, "an ether balance as price", kinds=("balance", "read_only"), family=REENTRANCY)
async def ether_as_price(world: World) -> Staged:
    """A shop sells shares of a heap by the ether that the heap holds, which has left already."""
    heap = await world.deploy("EtherHeap")
    shop = await world.deploy("HeapShop", heap)
    for user in world.users[:3]:
        await world.do(user, heap, "EtherHeap.join", value=world.about(100 * ETHER))
    stock = int(await world.read(heap, "EtherHeap.balanceOf", world.users[0])) // 2
    await world.do(world.users[0], heap, "EtherHeap.transfer", shop, stock)
    budget = stock // world.pick(8, 16)
    stake = world.about(400 * ETHER) + budget
    rob = await world.strike("HeapThief", "own_squeeze", heap, shop, budget, value=stake)
    return Staged(watch=(holdings(shop, heap), holdings(heap)), blocks=[[rob]], victims={heap, shop})


@benign("43b", "a look at the price in the middle, and nothing done")
async def onlooker(world: World) -> Staged:
    """A liquidity provider's contract reads the price while it is paid."""
    pool, lender, coin, dollar = await pool_and_lender(world, oracle=False)
    user = world.users[4]
    looker = await world.deploy("Onlooker", by=user)
    stake = world.about(50 * ETHER)
    await world.do(world.owner, coin, "Coin.mint", looker, stake)
    leave = world.tx(user, looker, "Onlooker.leave", pool, coin, value=stake)
    return Staged(watch=(holdings(lender, dollar, pool, role="lender"), holdings(pool, coin)), blocks=[[leave]])


@benign("37b", "shares of a pool pledged, borrowed on, repaid")
async def honest_borrower(world: World) -> Staged:
    """The same pool, oracle and lender, used as meant; liquidity is removed in between."""
    pool, lender, coin, dollar = await pool_and_lender(world, oracle=True)
    provider, borrower = world.users[0], world.users[1]
    shares = int(await world.read(pool, "StablePool.balanceOf", provider))
    await world.do(provider, pool, "StablePool.transfer", borrower, shares // 5)
    await world.do(borrower, pool, "StablePool.approve", lender, ALL)
    await world.do(borrower, dollar, "Coin.approve", lender, ALL)
    loan = shares // 5 // world.pick(4, 20)
    blocks = [
        [world.tx(borrower, lender, "ShareLender.pledge", shares // 5)],
        [
            world.tx(borrower, lender, "ShareLender.borrow", loan),
            world.tx(provider, pool, "StablePool.remove_liquidity", shares // world.pick(15, 60), NOTHING),
        ],
        [world.tx(borrower, lender, "ShareLender.repay", loan)],
    ]
    return Staged(watch=(holdings(lender, dollar, pool, role="lender"), holdings(pool, coin)), blocks=blocks)
