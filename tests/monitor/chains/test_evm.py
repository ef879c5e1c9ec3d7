"""Typed reads of a real node, normalised once, and its logs held against its own headers."""

import json
from collections.abc import AsyncIterator, Iterable

import pytest

from detectors.events import Position
from monitor.chains import bloom
from monitor.chains.base import LogsMissing
from monitor.chains.evm import Evm, WireLog, WireTx, log_entry, quantity, transaction
from monitor.chains.rpc import Ask, Rpc
from monitor.demo.anvil import Anvil
from monitor.errors import NodeGarbled, RpcRefused
from tests.support.chain import CHAIN, SENDER, SPEAKER, SPEAKS, TalkingChain
from tests.support.fault_proxy import FaultProxy, answer

WITHIN = 5.0
SHOUTED, QUIET = "0x" + "AB" * 32, "0x" + "ab" * 32


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    async with await Anvil.start() as node, FaultProxy(node.ws) as made:
        yield made


@pytest.fixture
async def chain(proxy: FaultProxy) -> AsyncIterator[TalkingChain]:
    talking = TalkingChain(await Rpc.connect(proxy.upstream, provider="test", chain=CHAIN))
    await talking.call("anvil_setCode", SPEAKER, SPEAKS)
    await talking.mine()
    await talking.speak(3)
    yield talking
    await talking.close()


@pytest.fixture
async def evm(proxy: FaultProxy, chain: TalkingChain) -> AsyncIterator[Evm]:
    assert (await chain.head()).height == 4
    rpc = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN)
    yield Evm(rpc, chain=CHAIN)
    await rpc.close()


async def test_the_extent_is_the_head_and_what_the_chain_calls_certain(evm: Evm, chain: TalkingChain) -> None:
    extent = await evm.extent(within=WITHIN)
    assert extent.head.position == await chain.head()
    assert (extent.safe, extent.finalized) == (0, 0)
    assert (await Evm(evm.rpc, chain=CHAIN, tags=False).extent(within=WITHIN)).finalized == -1
    assert await evm.chain_id(within=WITHIN) == 31337


async def test_a_block_is_the_same_by_height_and_by_id_with_and_without_bodies(evm: Evm) -> None:
    bare = await evm.block(3, within=WITHIN)
    full = await evm.block(3, bodies=True, within=WITHIN)
    assert bare is not None
    assert full is not None
    assert await evm.block_by_id(bare.position.id, within=WITHIN) == bare
    assert full.transactions == bare.transactions == tuple(body.id for body in full.bodies)
    assert (full.bodies[0].sender, full.bodies[0].to, full.bodies[0].nonce) == (SENDER, SPEAKER, 1)
    assert full.bodies[0].max_fee > 0
    assert bare.gas_used > 21000
    assert await evm.block(99, within=WITHIN) is None
    assert await evm.block_by_id("0x" + "5e" * 32, within=WITHIN) is None


async def test_logs_come_in_order_and_match_the_header(evm: Evm) -> None:
    block = await evm.block(3, within=WITHIN)
    assert block is not None
    logs = await evm.logs(block, within=WITHIN)
    assert [(entry.address, entry.index, entry.tx) for entry in logs] == [(SPEAKER, n, block.transactions[0]) for n in (0, 1)]
    assert logs[0].topics == (f"0x{2:064x}",)
    assert bloom.may_contain(block.bloom, SPEAKER)
    assert not bloom.may_contain(block.bloom, SENDER)
    assert bloom.promises(block.bloom)
    assert not bloom.promises(bloom.FULL)


async def test_logs_that_are_cut_foreign_or_of_another_block_are_errors(evm: Evm, proxy: FaultProxy) -> None:
    block = await evm.block(3, within=WITHIN)
    assert block is not None
    for changed, error in (
        ({"topics": ["0x" + "00" * 32]}, LogsMissing),
        ({"address": SENDER}, LogsMissing),
        ({"address": "0x" + "zz" * 20}, NodeGarbled),
        ({"blockHash": "0x" + "5e" * 32}, NodeGarbled),
        ({"logIndex": "x"}, NodeGarbled),
    ):
        proxy.replies = lambda _, frame, one=changed: (answer(frame, lambda reply: reply["result"][0].update(one)),)  # type: ignore[misc]
        with pytest.raises(error):
            await evm.logs(block, within=WITHIN)
    proxy.replies = lambda _, frame: (answer(frame, lambda reply: reply.update(result=[])),)
    with pytest.raises(LogsMissing, match="the 0 logs"):
        await evm.logs(block, within=WITHIN)


async def test_a_log_told_twice_is_an_error_though_the_bloom_agrees(evm: Evm, proxy: FaultProxy) -> None:
    block = await evm.block(3, within=WITHIN)
    assert block is not None
    proxy.replies = lambda _, frame: (answer(frame, lambda reply: reply["result"].append(reply["result"][0])),)
    with pytest.raises(LogsMissing, match="told twice"):
        await evm.logs(block, within=WITHIN)


@pytest.mark.parametrize("pinned", [True, False])
async def test_state_is_read_as_it_was_at_a_block(evm: Evm, chain: TalkingChain, *, pinned: bool) -> None:
    at = await chain.head()
    reads = Evm(evm.rpc, chain=CHAIN, pinned=pinned)
    before = await reads.balance(SENDER, at, within=WITHIN), await reads.nonce(SENDER, at, within=WITHIN)
    await chain.speak()
    assert (await reads.balance(SENDER, at, within=WITHIN), await reads.nonce(SENDER, at, within=WITHIN)) == before
    assert await reads.nonce(SENDER, within=WITHIN) == before[1] + 1
    assert await reads.code(SPEAKER, at, within=WITHIN) == SPEAKS
    assert await reads.view(SPEAKER, "0x", at, within=WITHIN) == "0x"


async def test_many_reads_at_one_block_go_in_one_frame_and_one_revert_spoils_only_itself(
    evm: Evm, chain: TalkingChain, proxy: FaultProxy
) -> None:
    await chain.call("anvil_setCode", SENDER[:-2] + "00", "0x5f5ffd")
    await chain.mine()
    reverts = Ask("eth_call", ({"to": SENDER[:-2] + "00", "data": "0x"},), str)
    balance, refused, code = await evm.views(
        [Ask("eth_getBalance", (SENDER,), str), reverts, Ask("eth_getCode", (SPEAKER,), str)], await chain.head(), within=WITHIN
    )
    assert quantity(balance) > 0
    assert isinstance(refused, RpcRefused)
    assert code == SPEAKS
    assert proxy.asked[-3:] == ["eth_getBalance", "eth_call", "eth_getCode"]


async def test_a_block_that_was_replaced_cannot_be_read_from(evm: Evm, chain: TalkingChain) -> None:
    gone = await chain.head()
    await chain.reorg(2)
    with pytest.raises(RpcRefused):
        await evm.balance(SENDER, gone, within=WITHIN)
    with pytest.raises(RpcRefused):
        await evm.view(SPEAKER, "0x", Position(1, "0x" + "5e" * 32), within=WITHIN)


async def test_receipts_and_transactions_are_told_apart_from_what_is_unknown(evm: Evm) -> None:
    block = await evm.block(3, within=WITHIN)
    assert block is not None
    (receipt,) = await evm.receipts(block, within=WITHIN)
    assert (receipt.tx, receipt.ok, receipt.gas_used, receipt.created) == (block.transactions[0], True, block.gas_used, None)
    known, unknown = await evm.transactions([block.transactions[0], "0x" + "5e" * 32], within=WITHIN)
    assert known is not None
    assert known.block == block.position.id
    assert unknown is None


@pytest.mark.parametrize("text", ["", "0x", "1a", "-0x1", "0x-1", "0xzz", "0X1"])
def test_what_is_no_quantity_is_garbled(text: str) -> None:
    with pytest.raises(NodeGarbled):
        quantity(text)


def _log(topic: str, tx: str = SHOUTED) -> WireLog:
    return WireLog(SPEAKER.upper().replace("X", "x"), (SHOUTED, topic), "0xAB", "0x1", tx, "0x2", SHOUTED)


def test_what_a_node_writes_in_capitals_is_lower_case_behind_the_edge() -> None:
    entry = log_entry(_log(QUIET), QUIET)
    assert (entry.address, entry.topics, entry.data, entry.tx) == (SPEAKER, (QUIET, QUIET), "0xab", QUIET)
    assert log_entry(_log(SHOUTED), QUIET) == entry
    assert transaction(CHAIN, WireTx(SHOUTED, SENDER, "0x0", "0x1", "0xAB"), 1.0).id == QUIET


@pytest.mark.parametrize("odd", ["0x" + "z" * 64, "00" + "f" * 64, "0x" + "\u0665" * 64, "0x" + "f" * 63 + "x"])
def test_a_hash_that_is_not_hex_is_garbled_wherever_it_stands(odd: str) -> None:
    with pytest.raises(NodeGarbled, match="not a hash"):
        log_entry(_log(odd), QUIET)
    with pytest.raises(NodeGarbled, match="not a hash"):
        log_entry(_log(QUIET, tx=odd), QUIET)
    with pytest.raises(NodeGarbled, match="not a hash"):
        transaction(CHAIN, WireTx(odd, SENDER, "0x0", "0x1", "0x"), 1.0)


async def test_a_chain_without_transaction_bodies_or_latest_block_is_garbled(evm: Evm, proxy: FaultProxy) -> None:
    def none(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        return (json.dumps([part | {"result": None} for part in json.loads(frame)]).encode(),)

    proxy.replies = none
    with pytest.raises(NodeGarbled, match="no latest block"):
        await evm.extent(within=WITHIN)
