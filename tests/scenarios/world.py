"""The world a scenario is staged in: a fresh chain, people with money, seeded dice, and attackers in several disguises."""

import asyncio
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.demo.anvil import Anvil
from monitor.demo.artifacts import Artifact
from monitor.demo.node import HttpNode
from monitor.demo.wallet import DEPLOY_GAS, ETHER, Wallet
from monitor.errors import SeawallError
from tests.scenarios import solidity

__all__ = ["ETHER", "Thief", "Tx", "Wait", "World"]

GAS = 6_000_000
PLAIN, SHELLED, LAUNCHED = "plain", "shelled", "launched"
"""An attacker's contract stands for itself; behind a shell that borrows its code, called by a third; or is made in the attack."""


@dataclass(frozen=True)
class Tx:
    """A transaction to send. `to` None creates a contract. `guilty`: it is (part of) the attack."""

    sender: str
    to: str | None
    data: str = "0x"
    value: int = 0
    gas: int = GAS
    guilty: bool = False


@dataclass(frozen=True)
class Wait:
    """So many empty blocks, each so many seconds after the one before."""

    blocks: int
    seconds: int = 12


class Thief:
    """An attacker's contract. `address` is who calls the victims and is called back; `sender` pays and profits."""

    def __init__(self, artifact: Artifact, sender: str, address: str, *, renamed: bool, driver: str | None = None) -> None:
        self.artifact = artifact
        self.sender = sender
        self.address = address
        self._renamed = renamed
        self._driver = driver

    def data(self, function: str, *arguments: object) -> str:
        """Calldata of one of its functions, by the name in the source."""
        own = self._renamed and function.startswith(solidity.OWN)
        return self.artifact.call(solidity.other(function) if own else function, *arguments)

    def tx(self, function: str, *arguments: object, value: int = 0, guilty: bool = True) -> Tx:
        """The transaction that calls it: directly, or through the contract that drives it."""
        data = self.data(function, *arguments)
        if self._driver is None:
            return Tx(self.sender, self.address, data, value, guilty=guilty)
        drive = solidity.artifact("Driver").call("own_go", self.address, bytes.fromhex(data[2:]))
        return Tx(self.sender, self._driver, drive, value, guilty=guilty)


class World:
    """One chain. `users` are honest accounts with ether, `owner` deploys. Everything is mined at once during the staging."""

    def __init__(self, anvil: Anvil, node: HttpNode, seed: str, *, renamed: bool = False) -> None:
        self.anvil = anvil
        self.node = node
        self.wallet = Wallet(node)
        self.dice = random.Random(seed)
        self.seed = seed
        self.renamed = renamed
        self.owner = ""
        self.users: tuple[str, ...] = ()
        self._people = 0
        self._helper = self.dice.choice((PLAIN, PLAIN, SHELLED, LAUNCHED))

    async def populate(self) -> None:
        """Take the node's own accounts as owner and users, each with ten million ether."""
        self.owner, *users = (str(account).lower() for account in await self.node.call("eth_accounts", []))
        self.users = tuple(users)
        for account in (self.owner, *self.users):
            await self.node.call("anvil_setBalance", [account, hex(10_000_000 * ETHER)])

    # Dice: what may vary.

    def pick(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        return self.dice.randint(least, most)

    def about(self, amount: int, spread: float = 0.4) -> int:
        """An amount, up to `spread` more or less, with an odd number of base units."""
        return int(amount * self.dice.uniform(1 - spread, 1 + spread)) | 1

    def chance(self, likelihood: float = 0.5) -> bool:
        """Heads or tails."""
        return self.dice.random() < likelihood

    # Honest people.

    async def deploy(self, name: str, *arguments: object, by: str | None = None) -> str:
        """Deploy a contract by name, as its owner."""
        return await self.wallet.deploy(by or self.owner, solidity.artifact(name), *arguments)

    async def link(self, name: str, libraries: Mapping[str, str], *arguments: object) -> str:
        """Deploy a published contract that calls libraries."""
        return await self.wallet.deploy(self.owner, solidity.linked(name, libraries), *arguments)

    async def do(self, sender: str, to: str, call: str, *arguments: object, value: int = 0, name: str | None = None) -> None:
        """Call a function of a contract and see it mined. `call` is `function`, looked up in `name`, or found by `abi`."""
        await self.wallet.do(sender, to, self.call(call, *arguments, name=name), value=value, gas=GAS)

    def call(self, function: str, *arguments: object, name: str | None = None) -> str:
        """Calldata of `Contract.function`, or of `function` of the contract `name`."""
        contract, _, bare = function.rpartition(".")
        return solidity.artifact(name or contract).call(bare, *arguments)

    def tx(self, sender: str, to: str, function: str, *arguments: object, value: int = 0, guilty: bool = False) -> Tx:
        """A transaction that calls `Contract.function`."""
        return Tx(sender, to, self.call(function, *arguments), value, guilty=guilty)

    async def read(self, to: str, function: str, *arguments: object) -> Any:  # noqa: ANN401 - as many shapes as ABIs have
        """What a view `Contract.function` returns now."""
        contract, _, bare = function.rpartition(".")
        return await self.wallet.read(to, solidity.artifact(contract), bare, *arguments)

    async def person(self, ether: int = 1_000) -> str:
        """A new account with ether that nobody ever saw."""
        self._people += 1
        account = "0x" + hashlib.sha256(f"{self.seed} {self._people}".encode()).hexdigest()[:40]
        await self.wallet.adopt(account, ether)
        return account

    async def token(self, holders: Sequence[str] = (), amount: int = 100_000_000 * ETHER, spenders: Sequence[str] = ()) -> str:
        """A plain ERC-20 of which each holder has `amount`, all of it approved to the spenders."""
        token = await self.deploy("Coin")
        for holder in holders:
            await self.do(self.owner, token, "Coin.mint", holder, amount)
            for spender in spenders:
                await self.do(holder, token, "Coin.approve", spender, 2**256 - 1)
        return token

    # Attackers.

    async def thief(self, name: str, *arguments: object, sender: str | None = None, ether: int = 100_000) -> Thief:
        """Deploy an attacker's contract from a fresh account. Renamed, or when the dice say so, behind a shell and a driver."""
        sender = sender or await self.person(ether)
        code = solidity.artifact(name, renamed=self.renamed)
        brain = await self.wallet.deploy(sender, code, *arguments)
        if not self.renamed and self._helper != SHELLED:
            return Thief(code, sender, brain, renamed=False)
        shell = await self.wallet.deploy(sender, solidity.artifact("Shell"), brain)
        driver = await self.wallet.deploy(sender, solidity.artifact("Driver"))
        return Thief(code, sender, shell, renamed=self.renamed, driver=driver)

    async def strike(
        self,
        name: str,
        function: str,
        *arguments: object,
        value: int = 0,
        ether: int = 100_000,
        creation: tuple[object, ...] = (),
    ) -> Tx:
        """The one call of an attacker's contract that needs no preparation; it may be made in the attack itself."""
        if self.renamed or self._helper != LAUNCHED:
            thief = await self.thief(name, *creation, ether=ether)
            return thief.tx(function, *arguments, value=value)
        sender, code = await self.person(ether), solidity.artifact(name)
        launcher = await self.wallet.deploy(sender, solidity.artifact("Launcher"))
        made, data = bytes.fromhex(code.creation(*creation)[2:]), bytes.fromhex(code.call(function, *arguments)[2:])
        return Tx(sender, launcher, solidity.artifact("Launcher").call("own_launch", made, data), value, DEPLOY_GAS, guilty=True)

    async def jump(self, seconds: int) -> None:
        """Let time pass: everything that stands becomes older."""
        await self.node.call("evm_increaseTime", [hex(seconds)])
        await self.node.call("evm_mine", [])

    # The chain itself.

    async def send(self, tx: Tx) -> str:
        """Into the public pool; the hash."""
        return await self.wallet.send(tx.sender, tx.to, tx.data, value=tx.value, gas=tx.gas)

    async def check(self, sent: Sequence[str]) -> None:
        """Whoever stages something wants it to work. Raises SeawallError for what reverted."""
        receipts = await asyncio.gather(*(self.wallet.receipt(tx) for tx in sent))
        failed = [r["transactionHash"] for r in receipts if r["status"] != "0x1"]
        if failed:
            raise SeawallError(f"staged transactions reverted: {failed}")
