"""Accounts that send transactions: unlocked at the local node, with explicit gas, fees and nonces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from monitor.demo.artifacts import Artifact
from monitor.demo.node import Node
from monitor.errors import NodeSilent, SeawallError

ETHER = 10**18
GWEI = 10**9
BASE_FEE_ALLOWED = 100 * GWEI
GAS = 600_000
"""Enough for any honest operation. Always explicit: the node's estimate is too low for a V2 swap mined a second later."""
DEPLOY_GAS = 8_000_000


def fees(tip: int) -> tuple[int, int]:
    """Max fee and priority fee per gas, wei. Anvil orders a block by the max fee alone, so who tips more must allow more."""
    return BASE_FEE_ALLOWED + tip, tip


class Wallet:
    """Sends for any account of a local node. Nonces are counted here, so that many may send at once.

    An account's transactions reach the node in the order of their nonces: anvil's automine may overlook one that had to wait
    in the pool for its predecessor.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._nonces: dict[str, int] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def adopt(self, account: str, ether: int) -> None:
        """Give `account` this many ether and let the node send in its name."""
        await self.node.call("anvil_impersonateAccount", [account])
        await self.node.call("anvil_setBalance", [account, hex(ether * ETHER)])

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[int]:
        """The next nonce of `account`, with nobody else sending for it meanwhile. After an error the node is asked anew."""
        async with self._turns.setdefault(account, asyncio.Lock()):
            nonce = self._nonces.pop(account, None)
            if nonce is None:
                nonce = int(await self.node.call("eth_getTransactionCount", [account, "pending"]), 16)
            yield nonce
            self._nonces[account] = nonce + 1

    async def send(
        self, sender: str, to: str | None, data: str = "0x", *, value: int = 0, gas: int = GAS, tip: int = GWEI
    ) -> str:
        """Send a transaction to the public pool; returns its hash. `value` and `tip` (per gas) in wei. Raises a NodeError."""
        most, priority = fees(tip)
        fields = {
            "from": sender, "data": data, "value": hex(value), "gas": hex(gas),
            "maxFeePerGas": hex(most), "maxPriorityFeePerGas": hex(priority),
        }  # fmt: skip
        if to is not None:
            fields["to"] = to
        async with self.turn(sender) as nonce:
            return str(await self.node.call("eth_sendTransaction", [fields | {"nonce": hex(nonce)}]))

    async def receipt(self, tx: str, within: float = 30.0) -> dict[str, Any]:
        """The receipt once mined. Raises NodeSilent when it is not mined `within` seconds."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + within
        while clock.time() < deadline:
            found = await self.node.call("eth_getTransactionReceipt", [tx])
            if found is not None:
                return dict(found)
            await asyncio.sleep(0.005)
        raise NodeSilent(f"transaction {tx}: not mined within {within:g} s; is the miner running?")

    async def do(self, sender: str, to: str, data: str, *, value: int = 0, gas: int = GAS) -> None:
        """Send and wait until it is mined. Raises SeawallError when it reverted."""
        tx = await self.send(sender, to, data, value=value, gas=gas)
        if (await self.receipt(tx))["status"] != "0x1":
            raise SeawallError(f"staging: {data[:10]} on {to} reverted (transaction {tx})")

    async def deploy(self, sender: str, artifact: Artifact, *arguments: object) -> str:
        """Deploy and wait until mined; returns the lower-case address. Raises SeawallError when it reverted."""
        tx = await self.send(sender, None, artifact.creation(*arguments), gas=DEPLOY_GAS)
        receipt = await self.receipt(tx)
        if receipt["status"] != "0x1":
            raise SeawallError(f"staging: deploying {artifact.name} reverted (transaction {tx})")
        return str(receipt["contractAddress"]).lower()

    async def read(self, contract: str, artifact: Artifact, function: str, *arguments: object) -> Any:  # noqa: ANN401
        """What a view function returns at the latest block."""
        ask = {"to": contract, "data": artifact.call(function, *arguments)}
        return artifact.returned(function, await self.node.call("eth_call", [ask, "latest"]))

    async def holding(self, holder: str, asset: str) -> int:
        """How much of `asset` (a token address, or `native`) someone has now, in base units."""
        if asset == "native":
            return int(await self.node.call("eth_getBalance", [holder, "latest"]), 16)
        data = "0x70a08231" + holder[2:].rjust(64, "0")
        return int(await self.node.call("eth_call", [{"to": asset, "data": data}, "latest"]), 16)
