"""One connection to a real node, and everything that can go wrong on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

import pytest

from monitor.chains.rpc import STRIKES, Ask, Pushed, Rpc
from monitor.demo.anvil import Anvil, free_port
from monitor.errors import NodeGarbled, NodeSilent, NodeUnreachable, RpcRefused
from monitor.metrics import REGISTRY
from monitor.stream import Queue, Rule
from tests.support.chain import CHAIN
from tests.support.fault_proxy import FaultProxy, answer

KEY = "s3cr3tk3y"


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with await Anvil.start() as started:
        yield started


@pytest.fixture
async def proxy(node: Anvil) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(node.ws) as made:
        yield made


@pytest.fixture
async def rpc(proxy: FaultProxy) -> AsyncIterator[Rpc]:
    connected = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN)
    yield connected
    await connected.close()


def _bad(outcome: str) -> float:
    return REGISTRY.get_sample_value("seawall_node_frames_bad_total", {"chain": CHAIN, "outcome": outcome}) or 0.0


async def test_many_calls_in_flight_each_get_their_own_reply(rpc: Rpc) -> None:
    asked = [rpc.call("eth_getBlockByNumber", (hex(0), bool(n % 2)), timeout=5) for n in range(50)]
    chain_id, *blocks = await asyncio.gather(rpc.call("eth_chainId", timeout=5, type=str), *asked)
    assert chain_id == "0x7a69"
    assert {block["number"] for block in blocks} == {"0x0"}


async def test_a_batch_gives_results_in_order_and_refusals_in_place(rpc: Rpc) -> None:
    first, refused, last = await rpc.batch([Ask("eth_chainId", (), str), Ask("no_such"), Ask("eth_blockNumber")], timeout=5)
    assert (first, last) == ("0x7a69", "0x0")
    assert isinstance(refused, RpcRefused)
    assert refused.unsupported
    assert await rpc.batch([], timeout=5) == []


async def test_an_answer_of_another_shape_is_garbled_and_names_the_call(rpc: Rpc) -> None:
    with pytest.raises(NodeGarbled, match=r"eth_chainId on node: .*promised shape"):
        await rpc.call("eth_chainId", timeout=5, type=list[int])


async def test_a_late_reply_to_a_call_that_gave_up_is_dropped(rpc: Rpc, proxy: FaultProxy) -> None:
    proxy.hole()
    with pytest.raises(NodeSilent, match=r"eth_chainId .*no answer within 0\.2 s"):
        await rpc.call("eth_chainId", timeout=0.2)
    before = _bad("unclaimed")
    proxy.clear()
    assert await rpc.call("eth_blockNumber", timeout=5) == "0x0"
    assert _bad("unclaimed") == before + 1
    assert not rpc.closed.done()


@pytest.mark.parametrize(
    "spoiled",
    [
        b"", b"not json", b"{", b"\xff\xfe\x00", b"[1,2", b'{"id":NaN}', b'"\\ud800"', b"null", b"7", b"[[]]",
        b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":{},"result":1}}',
        b'{"id":' + b"9" * 5000 + b',"result":1}', b'{"id":1.5,"result":1}', b"[" * 3000,
        b'{"id":"\xff","result":1}', b'{"params":{"subscription":"\xed\xa0\x80","result":1}}',
    ],
)  # fmt: skip
async def test_one_unusable_frame_is_counted_and_the_stream_goes_on(rpc: Rpc, proxy: FaultProxy, spoiled: bytes) -> None:
    def odd_first(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        return (spoiled, frame)

    proxy.replies = odd_first
    before = _bad("undecodable")
    for _ in range(STRIKES + 1):
        assert await rpc.call("eth_blockNumber", timeout=5) == "0x0"
    assert _bad("undecodable") == before + STRIKES + 1


@pytest.mark.parametrize(
    "odd", [b"[]", b'{"jsonrpc":"2.0","id":null,"result":1}', b'{"jsonrpc":"2.0","id":"x","result":1}', b"{}"]
)
async def test_frames_that_belong_to_nobody_do_no_harm(rpc: Rpc, proxy: FaultProxy, odd: bytes) -> None:
    proxy.replies = lambda _, frame: (odd,) * (STRIKES + 1) + (frame,)
    assert await rpc.call("eth_blockNumber", timeout=5) == "0x0"
    assert not rpc.closed.done()


async def test_three_unusable_frames_on_end_close_the_connection(rpc: Rpc, proxy: FaultProxy) -> None:
    proxy.replies = lambda _, __: (b"garbage",) * STRIKES
    with pytest.raises(NodeGarbled, match="not JSON-RPC"):
        await rpc.call("eth_blockNumber", timeout=5)
    assert isinstance(await rpc.closed, NodeGarbled)
    with pytest.raises(NodeGarbled):
        await rpc.call("eth_blockNumber", timeout=5)


async def test_a_reply_with_neither_result_nor_error_is_garbled(rpc: Rpc, proxy: FaultProxy) -> None:
    proxy.replies = lambda _, frame: (answer(frame, lambda reply: reply.pop("result")),)
    with pytest.raises(NodeGarbled, match="neither result nor error"):
        await rpc.call("eth_blockNumber", timeout=5)


@pytest.mark.parametrize(
    ("error", "unsupported", "throttled"),
    [
        ({"code": -32601, "message": "the method x does not exist"}, True, False),
        ({"code": -32602, "message": "data did not match any variant of untagged enum EthRpcCall"}, True, False),
        ({"code": -32602, "message": "invalid argument 0: hex string too short"}, False, False),
        ({"code": -32603, "message": "Not implemented"}, True, False),
        ({"code": -32005, "message": "limit exceeded"}, False, True),
        ({"code": 429, "message": "Too Many Requests"}, False, True),
        ({"code": -32000, "message": "unknown\nblock\x1b[31m" + "!" * 9000}, False, False),
        ("just words", False, False),
    ],
)
async def test_a_refusal_keeps_the_nodes_words_in_bounds_and_its_meaning(
    rpc: Rpc, proxy: FaultProxy, error: object, *, unsupported: bool, throttled: bool
) -> None:
    proxy.replies = lambda _, frame: (json.dumps({"jsonrpc": "2.0", "id": json.loads(frame)["id"], "error": error}).encode(),)
    with pytest.raises(RpcRefused) as raised:
        await rpc.call("eth_blockNumber", timeout=5)
    assert (raised.value.unsupported, raised.value.throttled) == (unsupported, throttled)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


async def test_a_reply_that_comes_twice_is_one_reply(rpc: Rpc, proxy: FaultProxy) -> None:
    proxy.replies = lambda _, frame: (b"[" + frame + b"," + frame + b"]", frame)
    for _ in range(5):
        assert await rpc.call("eth_blockNumber", timeout=5) == "0x0"


async def test_a_rate_limit_that_names_no_call_makes_every_caller_back_off(rpc: Rpc, proxy: FaultProxy) -> None:
    limited = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"daily request count exceeded"}}'
    proxy.replies = lambda _, __: (limited,)
    found = await asyncio.gather(*(rpc.call("eth_blockNumber", timeout=5) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, RpcRefused) and error.throttled for error in found)


async def test_a_subscription_starts_with_its_very_first_push(rpc: Rpc, proxy: FaultProxy) -> None:
    def push_at_once(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_subscribe",):
            params = {"subscription": json.loads(frame)["result"], "result": {"first": True}}
            return (frame, json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).encode())
        return (frame,)

    proxy.replies = push_at_once
    queue: Queue[Pushed] = Queue(10, Rule.DROP_OLDEST)
    subscription = await rpc.subscribe(("newHeads",), queue=queue)
    assert json.loads(bytes((await queue.get()).raw)) == {"first": True}
    await rpc.call("evm_mine", timeout=5)
    assert json.loads(bytes((await queue.get()).raw))["number"] == "0x1"
    await rpc.unsubscribe(subscription)
    await rpc.call("evm_mine", timeout=5)
    assert queue.closed
    assert len(queue) == 0


async def test_a_slow_reader_loses_by_the_rule_and_never_holds_up_a_reply(rpc: Rpc) -> None:
    queue: Queue[Pushed] = Queue(3, Rule.DROP_OLDEST)
    await rpc.subscribe(("newHeads",), queue=queue)
    await rpc.call("anvil_mine", (hex(20),), timeout=5)
    assert await rpc.call("eth_blockNumber", timeout=5) == hex(20)
    async with asyncio.timeout(5):
        while queue._lost < 17:  # noqa: ASYNC110 - the pushes come when they come
            await asyncio.sleep(0.01)
    assert [json.loads(bytes(one.raw))["number"] for one in await queue.drain()] == [hex(18), hex(19), hex(20)]
    assert queue.take_lost() == 17


async def test_a_killed_node_is_heard_of_by_everyone_at_once(node: Anvil) -> None:
    rpc = await Rpc.connect(node.ws, provider="node", chain=CHAIN)
    queue: Queue[Pushed] = Queue(3, Rule.DROP_OLDEST)
    await rpc.subscribe(("newHeads",), queue=queue)
    node.process.kill()
    with pytest.raises(NodeUnreachable, match="is the node up"):
        await queue.get()
    assert isinstance(await rpc.closed, NodeUnreachable)
    with pytest.raises(NodeUnreachable):
        await rpc.call("eth_blockNumber", timeout=5)
    await rpc.close()


async def test_a_black_hole_is_found_by_the_ping(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chains.rpc.PING", 0.2)
    rpc = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN)
    proxy.hole()
    async with asyncio.timeout(5):
        assert isinstance(await rpc.closed, NodeSilent)
    await rpc.close()


async def test_a_message_over_our_limit_ends_the_connection_with_a_reason(node: Anvil) -> None:
    rpc = await Rpc.connect(node.ws, provider="node", chain=CHAIN, max_size=500)
    with pytest.raises(NodeGarbled, match="size limit"):
        await rpc.call("eth_getBlockByNumber", ("latest", False), timeout=5)
    await rpc.close()


async def test_a_reply_nested_a_thousand_deep_is_handed_over_raw(rpc: Rpc, proxy: FaultProxy) -> None:
    deep, deeper = (b'{"calls":[' * levels + b"]}" * levels for levels in (1500, 6000))
    replies = iter([deep, deeper])

    def nested(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        return (b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (json.loads(frame)["id"], next(replies)),)

    proxy.replies = nested
    assert await rpc.call("debug_traceTransaction", timeout=5, raw=True) == deep
    with pytest.raises(NodeGarbled, match="too deep"):
        await rpc.call("debug_traceTransaction", timeout=5)


@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY])
async def test_a_refused_handshake_says_so_without_the_key(proxy: FaultProxy, status: HTTPStatus) -> None:
    proxy.refusing = lambda: status
    with pytest.raises(NodeUnreachable, match=f"HTTP {status}") as raised:
        await Rpc.connect(f"{proxy.ws}/v3/{KEY}?token={KEY}", provider="node", chain=CHAIN)
    assert KEY not in str(raised.value)


async def test_a_throttled_handshake_is_told_apart(proxy: FaultProxy) -> None:
    proxy.refusing = lambda: HTTPStatus.TOO_MANY_REQUESTS
    with pytest.raises(RpcRefused) as raised:
        await Rpc.connect(proxy.ws, provider="node", chain=CHAIN)
    assert raised.value.throttled


@pytest.mark.parametrize(
    "url", [f"ws://user:{KEY}@127.0.0.1:PORT", f"ws://nowhere.invalid/{KEY}", f"http://x/{KEY}", f"ws://[bad/{KEY}"]
)
async def test_a_node_that_cannot_be_reached_is_named_without_its_key(url: str) -> None:
    with pytest.raises(NodeUnreachable) as raised:
        await Rpc.connect(url.replace("PORT", str(free_port())), provider="node", chain=CHAIN)
    assert KEY not in repr(raised.value)
    assert raised.value.__suppress_context__


async def test_a_handshake_that_never_ends_is_silent_not_hanging(proxy: FaultProxy) -> None:
    proxy.hole()
    with pytest.raises(NodeSilent):
        await Rpc.connect(proxy.ws, provider="node", chain=CHAIN, within=0.3)
