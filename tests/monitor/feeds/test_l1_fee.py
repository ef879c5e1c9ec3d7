"""The data fee on layer 1, by the chain's own fee contract. Here a few opcodes stand at its address, run by a real EVM."""

from collections.abc import AsyncIterator

import pytest

from monitor.chains.evm import Evm
from monitor.demo.anvil import Anvil
from monitor.errors import NodeGarbled
from monitor.feeds.l1_fee import L1Fee
from monitor.newest import Newest
from tests.support.chain import CHAIN, TalkingChain

ORACLE, GAS_INFO = "0x420000000000000000000000000000000000000F", "0x000000000000000000000000000000000000006C"
A_THOUSAND_A_BYTE = "0x6004356103e80260005260206000f3"
"""Returns calldata[4:36] * 1000."""
SEVEN_A_UNIT = "0x600760205260c06000f3"
"""Returns six words, the second of them 7."""


@pytest.fixture
async def chain() -> AsyncIterator[TalkingChain]:
    async with await Anvil.start("--no-mining") as node:
        made = await TalkingChain.on(node)
        await made.call("anvil_setCode", ORACLE, A_THOUSAND_A_BYTE)
        await made.call("anvil_setCode", GAS_INFO, SEVEN_A_UNIT)
        await made.mine()
        yield made
        await made.close()


async def fee(chain: TalkingChain, how: str) -> L1Fee:
    newest = Newest(CHAIN)
    newest.judged(await chain.head(), 0)
    return L1Fee(Evm(chain.rpc, chain=CHAIN), newest, how)


async def test_an_op_stack_chain_is_asked_for_its_upper_bound_and_arbitrum_for_its_price_a_unit(chain: TalkingChain) -> None:
    assert await (await fee(chain, "op_stack")).of(200) == 200_000
    assert await (await fee(chain, "arbitrum")).of(200) == 200 * 16 * 7


async def test_a_chain_without_such_a_contract_has_no_fee_rather_than_none_to_pay(chain: TalkingChain) -> None:
    await chain.call("anvil_setCode", ORACLE, "0x")
    await chain.mine()
    with pytest.raises(NodeGarbled):
        await (await fee(chain, "op_stack")).of(200)
