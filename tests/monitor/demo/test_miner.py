"""The block clock runs by itself."""

import pytest

from monitor.demo.anvil import Anvil
from monitor.demo.miner import Miner
from monitor.demo.node import HttpNode
from monitor.errors import NodeSilent, NodeUnreachable, RpcRefused


async def test_blocks_come_while_nobody_asks_and_stop_when_told() -> None:
    async with await Anvil.start() as anvil, HttpNode(anvil.http) as node:
        miner = Miner(node, slot=1)
        await miner.start()
        start = await miner.height()
        assert await miner.next_slot() == start + 1
        await miner.stop()
        with pytest.raises(NodeSilent, match="is the miner running"):
            await miner.next_slot(within=1.5)


async def test_the_nodes_refusals_and_its_absence_are_told_apart() -> None:
    async with await Anvil.start() as anvil, HttpNode(anvil.http) as node:
        with pytest.raises(RpcRefused, match="eth_nonsense"):
            await node.call("eth_nonsense", [])
        await anvil.stop()
        with pytest.raises(NodeUnreachable, match="is the node up"):
            await node.call("eth_chainId", [])
