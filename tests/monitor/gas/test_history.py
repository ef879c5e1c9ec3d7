"""A chain's past fees from a real node: whole where the node has them, refused where they do not lead to the verified block."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from monitor.chains.base import BlockData
from monitor.chains.evm import Evm
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil
from monitor.errors import NodeGarbled
from monitor.gas.history import History

CHAIN = "eip155:31337"


@pytest.fixture
async def rpc() -> AsyncIterator[Rpc]:
    async with await Anvil.start() as node:
        line = await Rpc.connect(node.ws, provider="anvil", chain=CHAIN)
        yield line
        await line.close()


async def mined(rpc: Rpc, count: int) -> BlockData:
    """The head after so many more blocks."""
    await rpc.call("anvil_mine", (hex(count), hex(12)), timeout=10)
    return (await Evm(rpc, chain=CHAIN).extent(within=5)).head


async def test_the_headers_before_a_block_lead_to_its_very_fee_in_order_and_in_time(rpc: Rpc) -> None:
    head = await mined(rpc, 60)
    past = await History(rpc, CHAIN, 12).before(head, 40)
    assert [header.number for header in past] == list(range(20, 60))
    assert past[-1].next_fee == head.base_fee
    assert all(after.base_fee == before.next_fee for before, after in pairwise(past))
    assert {after.timestamp - before.timestamp for before, after in pairwise(past)} == {12}
    assert past[0].base_fee > past[-1].base_fee, "empty blocks lower the fee"


async def test_a_node_that_keeps_less_gives_what_it_has(rpc: Rpc) -> None:
    head = await mined(rpc, 1_500)
    past = await History(rpc, CHAIN, 12).before(head, 4_096)
    assert 1_000 < len(past) <= 1_500
    assert past[-1].number == head.position.height - 1


async def test_fees_that_do_not_lead_to_the_verified_block_are_another_branchs_and_refused(rpc: Rpc) -> None:
    head: Any = msgspec.structs.replace(await mined(rpc, 20), base_fee=31)
    with pytest.raises(NodeGarbled, match="not 31"):
        await History(rpc, CHAIN, 12).before(head, 10)


async def test_tips_come_with_the_blocks_own_blob_fee(rpc: Rpc) -> None:
    head = await mined(rpc, 8)
    await mined(rpc, 3)
    tipped = await History(rpc, CHAIN, 12).tips(head, 5)
    assert (tipped.number, len(tipped.rewards), tipped.blob_fee) == (8, 5, 1)
