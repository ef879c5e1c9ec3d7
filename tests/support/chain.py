"""A real chain that talks: transactions that leave logs, reorganisations, and what the node itself says is canonical."""

import asyncio
from typing import Any

from detectors.events import Position
from monitor.chains.rpc import MIB, Rpc
from monitor.demo.anvil import Anvil

SPEAKER = "0x00000000000000000000000000000000000000aa"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
SPEAKS = "0x5f355f525f3560205fa15f3560205fa100"
"""PUSH0 CALLDATALOAD PUSH0 MSTORE, then twice: LOG1(0, 32, calldata[0:32])."""
CHAIN = "eip155:31337"


class TalkingChain:
    """Drives one anvil through its own connection."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self._said = 0

    @classmethod
    async def on(cls, node: Anvil) -> "TalkingChain":
        """Connect, and put the speaker there in a block of its own."""
        chain = cls(await Rpc.connect(node.ws, provider="test", chain=CHAIN, max_size=64 * MIB))
        if await chain.call("eth_getCode", SPEAKER, "latest") == "0x":
            await chain.call("anvil_setCode", SPEAKER, SPEAKS)
            await chain.mine()
        return chain

    async def call(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - whatever the node says
        """One call to the node."""
        return await self.rpc.call(method, params, timeout=20)

    async def mine(self, blocks: int = 1) -> None:
        """Empty blocks."""
        await self.call("anvil_mine", hex(blocks))

    async def speak(self, times: int = 1) -> None:
        """Each time one transaction, which automine puts into a block of its own, with two logs."""
        for _ in range(times):
            sent = await self.call("eth_sendTransaction", self.words())
            while await self.call("eth_getTransactionReceipt", sent) is None:  # noqa: ASYNC110 - the node is another process
                await asyncio.sleep(0.002)  # automine answers the send a moment before its block is there

    async def speak_at_once(self, times: int) -> None:
        """So many transactions in one block."""
        await self.call("evm_setAutomine", *[False])
        for _ in range(times):
            await self.call("eth_sendTransaction", self.words())
        await self.call("evm_mine")
        await self.call("evm_setAutomine", *[True])

    async def reorg(self, depth: int, *, speaking: bool = True) -> None:
        """Replace the newest blocks; the first of the new ones speaks."""
        await self.call("anvil_reorg", depth, [[self.words(), 0]] if speaking else [])

    def words(self) -> dict[str, str]:
        """A transaction that leaves two logs nobody left before."""
        self._said += 1
        return {"from": SENDER, "to": SPEAKER, "data": f"0x{self._said:064x}", "gas": "0x186a0"}

    async def height(self) -> int:
        """Of the node's newest block."""
        return int(await self.call("eth_blockNumber"), 16)

    async def head(self) -> Position:
        """The node's newest block."""
        return await self.at("latest")

    async def at(self, height: int | str) -> Position:
        """The node's block at a height or tag."""
        where = hex(height) if isinstance(height, int) else height
        block = await self.rpc.call("eth_getBlockByNumber", (where, False), timeout=20)
        return Position(int(block["number"], 16), block["hash"], block["parentHash"])

    async def canonical(self, first: int) -> set[tuple[str, int]]:
        """(block hash, log index) of every log of the canonical chain from a height on."""
        found = await self.call("eth_getLogs", {"fromBlock": hex(first), "toBlock": "latest"})
        return {(entry["blockHash"], int(entry["logIndex"], 16)) for entry in found}

    async def close(self) -> None:
        """End the connection."""
        await self.rpc.close()
