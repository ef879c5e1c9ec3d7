"""Headers and receipts prove themselves: real blocks of a real node hash to their ids, and whatever is changed does not."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from eth_hash.auto import keccak

from detectors.events import Position
from monitor.chains import rlp
from monitor.chains.base import BlockData
from monitor.chains.evm import Evm
from monitor.chains.roots import Proof, RootReceipt, receipts_root
from monitor.chains.rpc import MIB, Rpc
from monitor.chains.seal import EMPTY_ROOT, Forged, Sealed, sealed
from monitor.demo.anvil import Anvil
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy, answer
from tests.support.following import following


def checks(check: str, outcome: str) -> float:
    """How often a check ended so."""
    sample = {"chain": CHAIN, "check": check, "outcome": outcome}
    return REGISTRY.get_sample_value("seawall_node_checks_total", sample) or 0.0


async def _block(chain: TalkingChain, height: int) -> dict[str, Any]:
    found: dict[str, Any] = await chain.rpc.call("eth_getBlockByNumber", (hex(height), False), timeout=20)
    return found


async def test_every_header_of_a_real_node_hashes_to_its_id_and_none_with_a_field_changed_does() -> None:
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        await chain.speak(2)
        await chain.mine()
        for height in range(4):
            block = await _block(chain, height)
            assert sealed(msgspec.convert(block, Sealed)) == block["hash"]
        hashed = [name for name in Sealed.__struct_encode_fields__ if name in block]
        assert len(hashed) >= 20
        for name in hashed:
            changed = msgspec.convert(block | {name: _other(block[name])}, Sealed)
            assert sealed(changed) != block["hash"], name
        await chain.close()


def _other(written: str) -> str:
    return written[:-1] + ("0" if written[-1] != "0" else "1") if len(written) > 2 else "0x01"


@pytest.mark.parametrize("hard_fork", ["london", "paris", "shanghai", "cancun", "prague", "osaka"])
async def test_the_headers_of_each_fork_are_hashed_as_that_fork_does(hard_fork: str) -> None:
    async with await Anvil.start("--hardfork", hard_fork) as node:
        chain = await TalkingChain.on(node)
        await chain.speak()
        block = await _block(chain, await chain.height())
        assert sealed(msgspec.convert(block, Sealed)) == block["hash"]
        await chain.close()


async def test_the_receipts_of_a_full_block_give_the_root_in_its_header_and_changed_ones_do_not() -> None:
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        await chain.speak_at_once(140)  # more than the one-byte keys of the trie
        height = await chain.height()
        block = await _block(chain, height)
        given = await chain.rpc.call("eth_getBlockReceipts", (hex(height),), timeout=20)
        receipts = msgspec.convert(given, list[RootReceipt])
        assert len(receipts) == 140
        assert receipts_root(receipts) == block["receiptsRoot"]
        assert receipts_root(receipts[:-1]) != block["receiptsRoot"]
        given[7]["logs"][0]["data"] = "0x" + "1e" * 32
        assert receipts_root(msgspec.convert(given, list[RootReceipt])) != block["receiptsRoot"]
        await chain.close()


async def test_an_audit_passes_what_is_whole_and_catches_what_no_bloom_can() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        await chain.speak_at_once(3)
        evm = Evm(await Rpc.connect(proxy.ws, provider="p", chain=CHAIN, max_size=MIB), chain=CHAIN)
        block = await evm.block(await chain.height(), within=5)
        assert block is not None
        logs = await evm.logs(block, within=5)
        await evm.audit(block, logs, within=5)
        altered = (msgspec.structs.replace(logs[0], data="0x" + "1e" * 32), *logs[1:])
        for what, ours in ((block, altered), (msgspec.structs.replace(block, transactions=block.transactions[:-1]), logs)):
            with pytest.raises(Forged, match="receipts of block"):
                await evm.audit(what, ours, within=5)

        def cut(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
            shorter = methods == ("eth_getBlockReceipts",)
            return (answer(frame, lambda said: said.update(result=said["result"][:-1])) if shorter else frame,)

        proxy.replies = cut
        with pytest.raises(Forged, match="receipts of block"):
            await evm.audit(block, logs, within=5)
        await evm.rpc.close()  # type: ignore[attr-defined]
        await chain.close()


def test_receipts_hashed_in_a_way_we_do_not_know_prove_nothing_and_are_no_lie() -> None:
    receipt = RootReceipt(transaction_hash="0x" + "aa" * 32, cumulative_gas_used="0x5208", logs=[])
    block = BlockData(
        position=Position(1, "0x01"), timestamp=0, base_fee=None, gas_used=0, gas_limit=0,
        transactions=(receipt.transaction_hash,), receipts_root="0x" + "00" * 32,
    )  # fmt: skip
    proof = Proof()
    assert proof.audited(block, (), [receipt]) == "skipped"
    right = msgspec.structs.replace(block, receipts_root=receipts_root([receipt]))
    assert proof.audited(right, (), [receipt]) == "ok"
    assert proof.audited(block, (), [receipt]) == "failed", "a chain that hashes as we do is held to it"
    strange = msgspec.structs.replace(receipt, type="0x50")
    assert proof.audited(block, (), [strange]) == "skipped"


async def test_a_block_whose_header_was_changed_is_never_followed_and_what_cannot_be_checked_is_counted() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        async with following(proxy.ws, await chain.head()) as followed:
            await chain.speak()
            await followed.settled(chain)
            passed, failed = checks("header_hash", "ok"), checks("header_hash", "failed")
            assert passed >= 1

            def richer(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
                if "eth_getBlockByNumber" not in methods or b'"gasUsed"' not in frame:
                    return (frame,)
                return (frame.replace(b'"gasUsed":"0x', b'"gasUsed":"0x1'),)

            proxy.replies = richer
            before = followed.heads.tip
            await chain.speak()
            await followed.until(lambda: checks("header_hash", "failed") >= failed + 3)
            assert followed.heads.tip == before
            proxy.replies = lambda _, frame: (frame,)
            await followed.settled(chain)
        await chain.close()


async def test_a_block_without_its_transactions_is_not_believed() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        await chain.speak()
        evm = Evm(await Rpc.connect(proxy.ws, provider="p", chain=CHAIN, max_size=MIB), chain=CHAIN)
        assert await evm.block(2, within=5) is not None
        proxy.replies = lambda _, frame: (answer(frame, lambda said: said["result"].update(transactions=[])),)
        with pytest.raises(Forged, match="given with 0 transactions"):
            await evm.block(2, within=5)
        await evm.rpc.close()  # type: ignore[attr-defined]
        await chain.close()


def test_the_root_of_nothing_is_what_it_says() -> None:
    assert "0x" + keccak(rlp.encode(b"")).hex() == EMPTY_ROOT
