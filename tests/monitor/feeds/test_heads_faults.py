"""The follower behind a proxy that drops, doubles, spoils and swallows: what was processed still equals the chain."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from monitor.chains.link import LANES
from monitor.demo.anvil import Anvil
from monitor.feeds.heads import Ingested
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy, answer, unchanged, unchanged_reply
from tests.support.following import Following, following
from tests.support.providers import refusing


@contextlib.asynccontextmanager
async def behind_a_proxy(**options: Any) -> AsyncIterator[tuple[TalkingChain, FaultProxy, Following]]:  # noqa: ANN401 - as following
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        async with following(proxy.ws, await chain.head(), **options) as followed:
            await followed.until(lambda: followed.link.state.up and "eth_subscribe" in proxy.asked)
            yield chain, proxy, followed
        await chain.close()


async def test_heads_that_never_come_are_made_up_for_by_the_timer() -> None:
    async with behind_a_proxy(every=0.2) as (chain, proxy, followed):
        proxy.pushes = lambda _: ()
        await chain.speak(5)
        await followed.settled(chain)
        assert proxy.connections == len(LANES)


async def test_doubled_reordered_and_spoiled_heads_are_only_rings() -> None:
    late: list[bytes] = []

    def odd(frame: bytes) -> Iterable[bytes]:
        late.append(frame)
        return (frame, b"\x00garbage", frame) if len(late) % 2 else (late[-2], frame, b"[1,")

    async with behind_a_proxy() as (chain, proxy, followed):
        proxy.pushes = odd
        await chain.speak(20)
        await followed.settled(chain)
        heights = [step.block.position.height for step in followed.ledger.steps if isinstance(step, Ingested)]
        assert heights == list(range(2, 22))
        assert proxy.connections == len(LANES)


async def test_logs_left_out_are_not_believed() -> None:
    lies: Iterator[list[Any] | None] = iter([[], None, [], []])

    def lying(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_getLogs",) and json.loads(frame)["result"]:
            kept = next(lies, None)
            frame = answer(frame, lambda reply: reply.update(result=reply["result"] if kept is None else kept))
        return (frame,)

    async with behind_a_proxy() as (chain, proxy, followed):
        proxy.replies = lying
        await chain.speak(3)
        await followed.settled(chain)
        assert proxy.asked.count("eth_getLogs") == 6


async def test_a_node_that_always_leaves_logs_out_never_moves_the_cursor_until_it_stops() -> None:
    def one_short(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_getLogs",):
            frame = answer(frame, lambda reply: reply.update(result=reply["result"][:1] and [_altered(reply["result"][0])]))
        return (frame,)

    def _altered(entry: dict[str, Any]) -> dict[str, Any]:
        return entry | {"address": "0x" + "77" * 20}

    async with behind_a_proxy() as (chain, proxy, followed):
        start = followed.heads.tip
        proxy.replies = one_short
        await chain.speak()
        await followed.until(lambda: "header promises" in (followed.heads.trouble or ""))
        assert followed.heads.tip == start
        proxy.replies = lambda _, frame: (frame,)
        await followed.settled(chain)
        assert followed.heads.trouble is None


async def test_a_block_of_another_height_or_shape_is_not_taken() -> None:
    spoils: Iterator[dict[str, Any]] = iter(
        [
            {"number": "0x1"},
            {"hash": "0x12"},
            {"number": "-0x5"},
            {"timestamp": "soon"},
            {"transactions": [7]},
            {"parentHash": None},
            {"parentHash": "0x" + "5e" * 32},
        ]
    )

    def spoil(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods[0] == "eth_getBlockByNumber" and (changed := next(spoils, None)):
            reply = json.loads(frame)
            first = reply[0] if isinstance(reply, list) else reply
            first["result"].update(changed)
            frame = json.dumps(reply).encode()
        return (frame,)

    async with behind_a_proxy() as (chain, proxy, followed):
        proxy.replies = spoil
        await chain.speak(2)
        await chain.speak(4)
        await followed.settled(chain)


async def test_lost_and_throttled_replies_are_asked_again_on_the_same_connection() -> None:
    turns = iter(["lost", "limit", "", "limit", "lost", ""])
    limit = {"code": -32005, "message": "limit exceeded"}

    def failing(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        turn = next(turns, "")
        if turn == "lost":
            return ()
        if turn == "limit":
            ids = json.loads(frame)
            ids = [one["id"] for one in ids] if isinstance(ids, list) else [ids["id"]]
            refused = [{"jsonrpc": "2.0", "id": one, "error": limit} for one in ids]
            return (json.dumps(refused if len(methods) > 1 else refused[0]).encode(),)
        return (frame,)

    async with behind_a_proxy(within=0.2) as (chain, proxy, followed):
        proxy.replies = failing
        await chain.speak(6)
        await followed.settled(chain)
        assert proxy.connections == len(LANES)


@pytest.mark.parametrize(
    ("method", "part", "why"),
    [
        ("eth_getLogs", b"", "refused the logs of block 2, which it has"),
        ("eth_getBlockByNumber", b"maxFeePerGas", "10000 results"),
    ],
)
async def test_what_is_refused_for_good_is_told_as_trouble_until_it_comes(method: str, part: bytes, why: str) -> None:
    async with behind_a_proxy(bodies=True) as (chain, proxy, followed):
        proxy.replies = refusing(method, part)
        await chain.speak()
        await followed.until(lambda: why in (followed.heads.trouble or ""))
        proxy.replies = unchanged_reply
        await followed.settled(chain)
        assert followed.heads.trouble is None


async def test_a_cut_or_swallowed_connection_is_replaced_and_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chains.rpc.PING", 0.3)
    async with behind_a_proxy(within=0.1) as (chain, proxy, followed):
        await chain.speak(2)
        proxy.reset()
        await chain.speak(2)
        await followed.settled(chain)
        proxy.hole()
        await chain.speak(2)
        await followed.until(lambda: not followed.link.state.up)
        assert "node" in (followed.link.state.error or "")
        await chain.speak(2)
        proxy.clear()
        await followed.settled(chain)


async def test_a_node_that_turns_into_another_chain_is_refused_until_it_turns_back() -> None:
    async with await Anvil.start("--chain-id", "5") as foreign, behind_a_proxy() as (chain, proxy, followed):
        await chain.speak(3)
        await followed.settled(chain)
        processed, right = followed.ledger.logs, proxy.upstream
        proxy.upstream = foreign.ws
        proxy.reset()
        await followed.until(lambda: "eip155:5" in (followed.link.state.error or ""))
        await asyncio.sleep(0.3)
        assert followed.ledger.logs == processed
        proxy.upstream = right
        await chain.speak(2)
        await followed.settled(chain)
        assert followed.ledger.reverts == []


async def test_a_node_behind_its_siblings_is_not_taken_for_a_reorganisation() -> None:
    frozen: list[bytes] = []

    def lagging(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if len(methods) > 1 and methods[0] == "eth_getBlockByNumber":
            frozen.append(json.dumps([part | {"id": None} for part in json.loads(frame)]).encode())
            if behind:
                old = json.loads(frozen[0])
                frame = json.dumps([part | {"id": now["id"]} for part, now in zip(old, json.loads(frame), strict=True)]).encode()
        return (frame,)

    behind = False
    async with behind_a_proxy(every=0.1) as (chain, proxy, followed):
        await chain.speak()
        await followed.settled(chain)
        proxy.replies = lagging
        await followed.until(lambda: len(frozen) > 0)
        await chain.speak(3)
        await followed.settled(chain)
        behind = True
        asked = len(frozen)
        await followed.until(lambda: len(frozen) > asked + 4)
        behind = False
        await chain.speak()
        await followed.settled(chain)
        assert followed.ledger.reverts == []


async def test_a_node_that_calls_final_what_is_not_even_there_is_not_believed_in_that() -> None:
    def boasting(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if len(methods) == 3:
            latest, safe, finalized = json.loads(frame)
            finalized["result"]["number"] = hex(2**60)
            frame = json.dumps([latest, safe, finalized]).encode()
        return (frame,)

    async with behind_a_proxy() as (chain, proxy, followed):
        proxy.replies = boasting
        await chain.speak(5)
        await followed.settled(chain)
        assert followed.ledger.blocks[6].finalized < 6
        await chain.reorg(3)
        await chain.speak()
        await followed.settled(chain)
        assert len(followed.ledger.reverts) == 1


async def test_a_slow_connection_is_given_the_time_it_takes() -> None:
    async with behind_a_proxy(within=0.1) as (chain, proxy, followed):
        proxy.delay = 0.25
        await chain.speak()
        await followed.settled(chain)
        proxy.asked.clear()
        await chain.speak()
        await followed.settled(chain)
        assert proxy.asked.count("eth_getLogs") == 1
        assert proxy.connections == len(LANES)


async def test_a_frozen_node_is_noticed_and_its_late_replies_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chains.rpc.PING", 0.3)
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        async with following(node.ws, await chain.head(), within=0.05) as followed:
            await chain.speak(3)
            await followed.settled(chain)
            node.process.send_signal(signal.SIGSTOP)
            await followed.until(lambda: followed.heads.trouble is not None)
            await followed.until(lambda: not followed.link.state.up)
            node.process.send_signal(signal.SIGCONT)
            again = await TalkingChain.on(node)
            await again.speak(3)
            await followed.settled(again)
            assert followed.ledger.reverts == []
            await again.close()
        await chain.close()


async def test_a_burst_of_blocks_and_a_clock_of_another_age_are_followed() -> None:
    async with behind_a_proxy() as (chain, _, followed):
        await chain.call("anvil_setNextBlockTimestamp", 2**40)
        await chain.speak()
        await chain.mine(120)
        await chain.speak()
        await followed.settled(chain)
        assert followed.ledger.blocks[2].opening.timestamp == float(2**40)
        assert len(followed.ledger.blocks) == 122


async def test_a_block_with_hundreds_of_logs_is_checked_to_the_last_one() -> None:
    async with behind_a_proxy() as (chain, _, followed):
        await chain.call("evm_setAutomine", *[False])
        for _ in range(200):
            await chain.call("eth_sendTransaction", chain.words())
        await chain.call("evm_mine")
        await followed.settled(chain)
        assert len(followed.ledger.blocks[2].logs) == 400


def _gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"chain": CHAIN} | labels)


async def test_heads_that_come_and_are_never_pushed_are_noticed_and_asked_for_on_another_connection() -> None:
    async with behind_a_proxy(every=0.2) as (chain, proxy, followed):
        await chain.speak(2)
        await followed.until(lambda: _gauge("seawall_subscription_live", topic="newHeads") == 1)
        proxy.pushes = lambda _: ()
        dialled = proxy.connections
        for _ in range(8):
            await chain.speak()
            await followed.settled(chain)
        assert proxy.connections == dialled + 1, "once, and not at every head"
        assert _gauge("seawall_subscription_live", topic="newHeads") == 0
        proxy.pushes = unchanged
        await chain.speak(2)
        await followed.until(lambda: _gauge("seawall_subscription_live", topic="newHeads") == 1)


async def test_an_outage_is_caught_up_without_a_gap_and_the_way_there_is_shown() -> None:
    async with behind_a_proxy(ahead=4) as (chain, proxy, followed):
        await chain.speak(2)
        await followed.settled(chain)
        proxy.hole()
        await chain.speak(60)
        proxy.delay = 0.005
        proxy.clear()
        proxy.reset()
        behind: set[float | None] = set()
        top = await chain.height()

        def there() -> bool:
            behind.add(_gauge("seawall_chain_blocks_behind"))
            return followed.heads.tip is not None and followed.heads.tip.height >= top

        await followed.until(there)
        await followed.settled(chain)
        heights = [step.block.position.height for step in followed.ledger.steps if isinstance(step, Ingested)]
        assert heights == list(range(heights[0], top + 1))
        assert len(behind) > 10
        assert _gauge("seawall_chain_blocks_behind") == 0
        assert _gauge("seawall_coverage_ratio") == 1.0


async def test_three_dropped_sockets_while_blocks_come_and_every_block_is_handled_once_in_order() -> None:
    async with behind_a_proxy() as (chain, proxy, followed):
        first = await chain.height() + 1
        for number in range(8):
            await chain.speak()
            if number in {1, 3, 5}:
                proxy.reset()
        await followed.settled(chain)
        heights = [step.block.position.height for step in followed.ledger.steps if isinstance(step, Ingested)]
        assert heights == list(range(first, first + 8))
        assert followed.ledger.reverts == []
