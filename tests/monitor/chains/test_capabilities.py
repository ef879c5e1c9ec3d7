"""A node is believed only what it shows: an answer of the wrong shape is a missing capability."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from monitor.chains.capabilities import Capabilities, probe
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil
from monitor.errors import NodeUnreachable
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy, answer

EVERYTHING = Capabilities(**dict.fromkeys(Capabilities.__struct_fields__, True))
TRACERS = ("debug_", "trace_")


async def _probed(url: str) -> Capabilities:
    rpc = await Rpc.connect(url, provider="test", chain=CHAIN)
    try:
        return await probe(rpc, chain=CHAIN)
    finally:
        await rpc.close()


@pytest.mark.parametrize("spoken", [0, 2])
async def test_a_development_node_offers_everything(spoken: int) -> None:
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        await chain.speak(spoken)
        assert await _probed(node.ws) == EVERYTHING
        await chain.close()


async def test_tracers_that_answer_with_an_empty_success_do_not_count() -> None:
    def hollow(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods[0].startswith(("debug_", "trace_")):
            frame = answer(
                frame, lambda reply: reply.update(result={"gas": 0, "failed": False, "returnValue": "", "structLogs": []})
            )
        return (frame,)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        await chain.speak()
        await chain.close()
        proxy.replies = hollow
        found = await _probed(proxy.ws)
        assert set(found.missing) >= {"trace_call", "trace_block", "rows", "js_call", "js_transaction"}
        assert not found.judges
        assert REGISTRY.get_sample_value("seawall_chain_capability", {"chain": CHAIN, "capability": "trace_call"}) == 0
        assert REGISTRY.get_sample_value("seawall_chain_capability", {"chain": CHAIN, "capability": "pinned"}) == 1


@pytest.mark.parametrize(
    ("asked", "spoilt"),
    [
        ("trace_block", lambda rows: rows[:0]),
        ("trace_block", lambda rows: [row | {"blockHash": "0x" + "77" * 32} for row in rows]),
        ("trace_block", lambda rows: [row | {"transactionHash": "0x" + "77" * 32} for row in rows]),
        ("eth_getBlockReceipts", lambda receipts: receipts[:0]),
        ("eth_getBlockReceipts", lambda _: None),
    ],
    ids=["no rows", "another block's rows", "other transactions' rows", "no receipts", "nothing for receipts"],
)
async def test_rows_count_only_with_the_receipts_of_the_same_block(asked: str, spoilt: Callable[[Any], Any]) -> None:
    def spoil(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == (asked,):
            frame = answer(frame, lambda reply: reply.update(result=spoilt(reply["result"])))
        return (frame,)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        await chain.speak()
        await chain.close()
        proxy.replies = spoil
        assert (await _probed(proxy.ws)).missing == ("rows",)


async def test_a_node_that_ignores_the_block_hash_is_not_pinned() -> None:
    def newest(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_getBalance",):
            frame = json.dumps({"jsonrpc": "2.0", "id": json.loads(frame)["id"], "result": "0x1"}).encode()
        return (frame,)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        proxy.replies = newest
        assert (await _probed(proxy.ws)).missing == ("pinned",)


async def test_a_node_that_takes_no_block_hash_at_all_is_not_pinned() -> None:
    def by_height_only(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_getBalance",):
            error = {"code": -32602, "message": "invalid argument 1: json: cannot unmarshal object into Go value of type string"}
            frame = json.dumps({"jsonrpc": "2.0", "id": json.loads(frame)["id"], "error": error}).encode()
        return (frame,)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        proxy.replies = by_height_only
        assert (await _probed(proxy.ws)).missing == ("pinned",)


async def test_methods_a_node_does_not_have_are_told_from_a_node_that_is_gone() -> None:
    def bare(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods[0].startswith(("debug_", "trace_")) or methods[0] == "eth_subscribe":
            code = {"code": -32601, "message": "the method does not exist/is not available"}
            frame = json.dumps({"jsonrpc": "2.0", "id": json.loads(frame)["id"], "error": code}).encode()
        return (frame,)

    def cut(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods[0] == "debug_traceCall":
            proxy.reset()
        return (frame,)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        proxy.replies = bare
        found = await _probed(proxy.ws)
        assert (found.pinned, found.tags, found.full_pending, found.judges) == (True, True, False, False)
        assert "call traces of blocks" in found.described
        proxy.replies = cut
        with pytest.raises(NodeUnreachable):
            await _probed(proxy.ws)


@pytest.mark.parametrize("how", ["throttled", "lost", "garbled"])
async def test_a_bad_moment_while_it_is_probed_does_not_make_a_node_unable(how: str) -> None:
    seen: set[str] = set()

    def once(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods[0] in seen or not methods[0].startswith(TRACERS):
            return (frame,)
        seen.add(methods[0])
        if how == "lost":
            return () if len(seen) == 1 else (frame,)
        if how == "garbled":
            return (answer(frame, lambda reply: reply.update(result=None)),)
        said = {"jsonrpc": "2.0", "id": json.loads(frame)["id"], "error": {"code": -32005, "message": "limit exceeded"}}
        return (json.dumps(said).encode(),)

    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        await chain.speak()
        await chain.close()
        proxy.replies = once
        assert await _probed(proxy.ws) == EVERYTHING
    assert len(seen) > 1
