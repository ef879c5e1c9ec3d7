"""Re-entrancy of banks: the contract pays before it writes, and whoever is paid comes back."""

from tests.scenarios.scenario import REENTRANCY, Staged, attack, benign, holdings
from tests.scenarios.world import ETHER, Tx, World


async def savings(world: World, bank: str, total: int) -> None:
    """Honest deposits of about `total` in all."""
    for user in world.users[:3]:
        await world.do(user, bank, "OldBank.deposit", value=world.about(total // 3, 0.2))


async def robbed(world: World, name: str, function: str, rounds: int, stake: int) -> Staged:
    """A bank by this name, robbed by this function; the deposit may have been made in a block before."""
    bank = await world.deploy(name)
    await savings(world, bank, 100 * ETHER)
    arguments = (bank, name != "OldBank") if function == "own_split" else (bank, rounds)
    if world.chance():
        strike = await world.strike("BankThief", function, *arguments, value=stake)
        return Staged(watch=(holdings(bank),), blocks=[[strike]], victims={bank})
    thief = await world.thief("BankThief")
    blocks = [[thief.tx("own_deposit", bank, value=stake, guilty=False)], [thief.tx(function, *arguments)]]
    if world.chance():
        blocks.insert(1, [])
    return Staged(watch=(holdings(bank),), blocks=blocks, victims={bank})


@attack(1, "withdraw pays before it writes", kinds=("same_contract",), family=REENTRANCY)
async def single_function(world: World) -> Staged:
    """The DAO."""
    return await robbed(world, "OldBank", "own_drain", world.pick(2, 12), world.about(4 * ETHER))


@attack(2, "the same thirty levels deep", kinds=("same_contract",), family=REENTRANCY)
async def spiral(world: World) -> Staged:
    """Depth hides nothing."""
    return await robbed(world, "OldBank", "own_drain", world.pick(28, 36), world.about(2 * ETHER))


@attack(3, "cross-function: the deposit is given away while it is paid", kinds=("same_contract",), family=REENTRANCY)
async def cross_function(world: World) -> Staged:
    """Shallow and small: 2 to 10 % of the bank, twice."""
    return await robbed(world, "OldBank", "own_split", 0, world.about(5 * ETHER, 0.6))


@attack(4, "cross-contract over a shared ledger", kinds=("cross_contract",), family=REENTRANCY)
async def shared_ledger(world: World) -> Staged:
    """Two tills keep their books in a third contract; nothing is entered twice."""
    ledger = await world.deploy("SharedLedger")
    tills = [await world.deploy("Till", ledger) for _ in range(2)]
    for till in tills:
        await world.do(world.owner, ledger, "SharedLedger.admit", till)
        for user in world.users[:2]:
            await world.do(user, till, "Till.deposit", value=world.about(30 * ETHER, 0.2))
    if world.chance():
        tills.reverse()
    rob = await world.strike("BankThief", "own_peer", *tills, value=world.about(8 * ETHER))
    watch = tuple(holdings(till) for till in tills)
    return Staged(watch=watch, blocks=[[rob]], victims=set(tills))


@attack(11, "two attacker contracts: one asks, the other is paid and comes back", kinds=("same_contract",), family=REENTRANCY)
async def two_contracts(world: World) -> Staged:
    """The depositor never runs while the bank waits; the payee was deployed long before, sometimes by another account."""
    bank = await world.deploy("OldBank")
    await savings(world, bank, 100 * ETHER)
    payee = await world.thief("Payee")
    principal = await world.thief("Principal", sender=payee.sender if world.chance() else None)
    stake, rounds = world.about(4 * ETHER), world.pick(2, 9)
    blocks = [
        [payee.tx("own_arm", principal.address, rounds, guilty=False)],
        [principal.tx("own_open", bank, payee.address, value=stake, guilty=False)],
    ]
    if world.chance():
        blocks.append([principal.tx("own_ask", bank)])
    else:
        blocks.append([world.tx(principal.sender, bank, "OldBank.withdrawFor", principal.address, guilty=True)])
    blocks.append([payee.tx("own_cash", guilty=False)])
    return Staged(watch=(holdings(bank),), blocks=blocks, victims={bank})


@attack(13, "a wallet that runs foreign code in its own storage", kinds=("delegate",), family=REENTRANCY)
async def careless_wallet(world: World) -> Staged:
    """Called through the attacker's contract, or straight by its account."""
    wallet = await world.deploy("CarelessWallet")
    for user in world.users[:3]:
        await world.wallet.do(user, wallet, "0x", value=world.about(30 * ETHER))
    thief = await world.thief("WalletThief")
    sweep = bytes.fromhex(thief.data("own_sweep", thief.sender)[2:])
    rob = thief.tx("own_rob", wallet, thief.address, sweep)
    if world.chance():
        rob = world.tx(thief.sender, wallet, "CarelessWallet.execute", thief.address, sweep, guilty=True)
    return Staged(watch=(holdings(wallet),), blocks=[[rob]], victims={wallet})


@attack("13b", "ownership is taken inside a re-entered call", kinds=("delegate",), family=REENTRANCY)
async def usurped(world: World) -> Staged:
    """The vault asks before it is settled, and is told who its owner is by whom it asked."""
    vault = await world.deploy("UnsettledVault")
    for user in world.users[:3]:
        await world.do(user, vault, "UnsettledVault.deposit", value=world.about(30 * ETHER))
    thief = await world.thief("Usurper")
    at_once = world.chance()
    heir = thief.address if at_once else thief.sender
    blocks = [[thief.tx("own_usurp", vault, heir)]]
    if not at_once:
        blocks.append([world.tx(thief.sender, vault, "UnsettledVault.sweep", thief.sender, guilty=True)])
    return Staged(watch=(holdings(vault),), blocks=blocks, victims={vault})


@attack(15, "a lock on one function only", kinds=("same_contract",), family=REENTRANCY)
async def half_guarded(world: World) -> Staged:
    """The withdrawal is locked, the gift is not."""
    return await robbed(world, "HalfGuardedBank", "own_split", 0, world.about(6 * ETHER, 0.5))


@attack(16, "a transient lock that another function clears", kinds=("same_contract",), family=REENTRANCY)
async def transient_lock(world: World) -> Staged:
    """EIP-1153: cheap to set, cheap to clear."""
    return await robbed(world, "TransientBank", "own_poke", world.pick(2, 8), world.about(5 * ETHER))


@attack(17, "beside a failed attempt", kinds=("same_contract",), family=REENTRANCY)
async def beside_a_failure(world: World) -> Staged:
    """One attempt fails inside a try, the next succeeds."""
    return await robbed(world, "OldBank", "own_twice", world.pick(2, 6), world.about(5 * ETHER))


@benign(41, "an attempt that a lock refuses")
async def guarded(world: World) -> Staged:
    """Worth knowing, no more: nothing was lost."""
    bank = await world.deploy("GuardedBank")
    await savings(world, bank, 100 * ETHER)
    user = world.users[5]
    saver = await world.deploy("EagerSaver", by=user)
    put = world.tx(user, saver, "EagerSaver.put", bank, value=world.about(3 * ETHER))
    return Staged(watch=(holdings(bank),), blocks=[[put], [world.tx(user, saver, "EagerSaver.tryAgain", bank)]])


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


@benign("13c", "a wallet that borrows its owner's code")
async def owners_code(world: World) -> Staged:
    """What a careless wallet is for: its owner has it run a script that moves nothing away."""
    wallet, script = await world.deploy("CarelessWallet"), await world.deploy("Script")
    for user in world.users[:2]:
        await world.wallet.do(user, wallet, "0x", value=world.about(30 * ETHER))
    note = bytes.fromhex(world.call("Script.note", world.pick(1, 99))[2:])
    data = world.call("CarelessWallet.execute", script, note)
    return Staged(watch=(holdings(wallet),), blocks=[[Tx(world.owner, wallet, data)]])
