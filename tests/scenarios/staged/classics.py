"""Re-entrancy of banks: the contract pays before it writes, and whoever is paid comes back."""

from tests.scenarios.scenario import REENTRANCY, Staged, attack, benign, holdings
from tests.scenarios.world import ETHER, World


async def savings(world: World, bank: str, total: int) -> None:
    """Honest deposits of about `total` in all."""
    for user in world.users[:3]:
        await world.do(user, bank, "OldBank.deposit", value=world.about(total // 3, 0.2))


@attack(1, "withdraw pays before it writes", kinds=("same_contract",), family=REENTRANCY)
async def single_function(world: World) -> Staged:
    """The DAO. The deposit may have been made in a transaction, and a block, before."""
    bank = await world.deploy("OldBank")
    await savings(world, bank, 100 * ETHER)
    rounds, stake = world.pick(2, 12), world.about(4 * ETHER)
    if world.chance():
        return Staged(
            watch=(holdings(bank),),
            blocks=[[await world.strike("BankThief", "own_drain", bank, rounds, value=stake)]],
            victims={bank},
        )
    thief = await world.thief("BankThief")
    prepare = thief.tx("own_deposit", bank, value=stake, guilty=False)
    return Staged(watch=(holdings(bank),), blocks=[[prepare], [thief.tx("own_drain", bank, rounds)]], victims={bank})


@attack(2, "the same thirty levels deep", kinds=("same_contract",), family=REENTRANCY)
async def spiral(world: World) -> Staged:
    """Depth hides nothing."""
    bank = await world.deploy("OldBank")
    await savings(world, bank, 100 * ETHER)
    rob = await world.strike("BankThief", "own_drain", bank, world.pick(28, 36), value=world.about(2 * ETHER))
    return Staged(watch=(holdings(bank),), blocks=[[rob]], victims={bank})


@benign(42, "checks, effects, interactions, entered again")
async def in_order(world: World) -> Staged:
    """A saver's contract takes its own money out in nested bits; the bank's books are right every time."""
    bank = await world.deploy("GoodBank")
    await savings(world, bank, 100 * ETHER)
    saver = await world.deploy("EagerSaver", by=world.users[5])
    stake, parts = world.about(3 * ETHER), world.pick(2, 8)
    put = world.tx(world.users[5], saver, "EagerSaver.put", bank, value=stake)
    take = world.tx(world.users[5], saver, "EagerSaver.take", bank, parts, stake // parts)
    return Staged(watch=(holdings(bank),), blocks=[[put], [take]])
