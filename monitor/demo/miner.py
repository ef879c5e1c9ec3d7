"""The block clock: the node itself mines every few seconds, so nothing of ours can hold a block up."""

import asyncio

from monitor.demo.node import Node
from monitor.errors import NodeSilent

SLOT = 2
"""Seconds between blocks."""


class Miner:
    """Turns a node's interval mining on and off. While off, the node mines each transaction at once (fast staging)."""

    def __init__(self, node: Node, slot: int = SLOT) -> None:
        self.node = node
        self.slot = slot

    async def start(self) -> None:
        """From now on a block every `slot` seconds, whatever is or is not in the pool."""
        await self.node.call("evm_setAutomine", [False])
        await self.node.call("evm_setIntervalMining", [self.slot])

    async def stop(self) -> None:
        """Back to a block per transaction."""
        await self.node.call("evm_setIntervalMining", [0])
        await self.node.call("evm_setAutomine", [True])

    async def height(self) -> int:
        """The newest block's number."""
        return int(await self.node.call("eth_blockNumber", []), 16)

    async def next_slot(self, within: float | None = None) -> int:
        """Wait for the next block, so that what is sent now has a whole slot before it; returns the block's number.

        Raises NodeSilent when no block comes `within` seconds (default: five slots).
        """
        clock = asyncio.get_running_loop()
        start, patience = await self.height(), within or 5 * self.slot
        deadline = clock.time() + patience
        while clock.time() < deadline:
            if (now := await self.height()) > start:
                return now
            await asyncio.sleep(0.01)
        raise NodeSilent(f"no block after {start} within {patience:g} s; is the miner running?")
