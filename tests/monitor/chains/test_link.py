"""Three connections to one node that come back by themselves, and never to the wrong one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from http import HTTPStatus

import pytest

from monitor.chains.link import LANES, LONGEST_OF_HEADS, LONGEST_WAIT, Link
from monitor.demo.anvil import Anvil, free_port
from monitor.errors import NodeGarbled, NodeUnreachable
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy


@contextlib.asynccontextmanager
async def linked(url: str, checkpoint: tuple[int, str] | None = None) -> AsyncIterator[Link]:
    link = Link(url, chain=CHAIN, provider="node", checkpoint=checkpoint)
    running = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _until(true: Callable[[], bool], within: float = 15.0) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)


def _up() -> float | None:
    return REGISTRY.get_sample_value("seawall_node_up", {"chain": CHAIN, "provider": "node"})


async def test_each_lane_is_a_connection_of_its_own() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy, linked(proxy.ws) as link:
        assert not link.state.up
        with pytest.raises(NodeUnreachable, match="not connected yet"):
            await link.requests.call("eth_chainId", timeout=1)
        rpcs = [await lane.ready() for lane in link.lanes]
        assert len({id(rpc) for rpc in rpcs}) == proxy.connections == len(LANES)
        assert await link.requests.call("eth_blockNumber", timeout=5) == "0x0"
        assert link.state.up
        assert _up() == 1


async def test_a_lane_that_is_dropped_comes_back_and_leaves_its_siblings_alone() -> None:
    async with await Anvil.start() as node, linked(node.ws) as link:
        first, other = await link.heads.ready(), await link.requests.ready()
        link.heads.drop(NodeGarbled("nonsense"))
        await _until(lambda: link.heads.state.connects == 2)
        assert await link.heads.ready() is not first
        assert link.requests.rpc is other


async def test_a_node_that_is_not_up_yet_is_met_when_it_comes() -> None:
    port = free_port()
    async with linked(f"ws://127.0.0.1:{port}") as link:
        await _until(lambda: link.state.error is not None)
        assert "is the node up" in (link.state.error or "")
        assert _up() == 0
        async with await Anvil.start("--timestamp", "1700000000", port=port) as node:
            await _until(lambda: link.state.up)
            assert link.state.error is None
            node.process.kill()
            await _until(lambda: not link.state.up)
            assert _up() == 0
        async with await Anvil.start("--timestamp", "1700000000", port=port):
            await _until(lambda: link.state.up)


async def test_the_wrong_chain_is_refused_with_both_names_and_accepted_once_right() -> None:
    async with (
        await Anvil.start("--chain-id", "5") as wrong,
        await Anvil.start() as right,
        FaultProxy(wrong.ws) as proxy,
        linked(proxy.ws) as link,
    ):
        await _until(lambda: all(lane.error for lane in link.state.lanes.values()))
        assert "eip155:5" in (link.state.error or "")
        assert CHAIN in (link.state.error or "")
        with pytest.raises(NodeUnreachable, match="serves chain"):
            await link.requests.call("eth_blockNumber", timeout=1)
        proxy.upstream = right.ws
        await _until(lambda: link.state.up)


async def test_a_node_that_refuses_is_not_hammered() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        tries = 0

        def refused() -> HTTPStatus:
            nonlocal tries
            tries += 1
            return HTTPStatus.TOO_MANY_REQUESTS

        proxy.refusing = refused
        async with linked(proxy.ws) as link:
            await _until(lambda: tries >= 3)
            await asyncio.sleep(3.0)
            assert tries < 6 * len(LANES)
            assert "429" in (link.state.error or "")
            proxy.refusing = lambda: None
            await _until(lambda: link.state.up)


@pytest.mark.parametrize("after", [0.0, 0.02])
async def test_a_node_that_hangs_up_after_every_greeting_is_not_hammered_either(after: float) -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:

        def hang_up(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
            asyncio.get_running_loop().call_later(after, proxy.reset)
            return (frame,)

        proxy.replies = hang_up
        async with linked(proxy.ws) as link:
            await asyncio.sleep(3.0)
            assert 3 <= proxy.connections < 6 * len(LANES)
            proxy.replies = lambda _, frame: (frame,)
            await _until(lambda: link.state.up)


async def test_a_node_whose_first_answer_is_always_lost_is_asked_again_on_the_same_connection() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        proxy.replies = lambda _, frame: () if json.loads(frame)["id"] == 1 else (frame,)
        async with linked(proxy.ws) as link:
            await _until(lambda: link.state.up)


def test_the_heads_of_a_node_that_is_gone_are_looked_for_more_often_than_the_rest() -> None:
    link = Link("ws://127.0.0.1:1", chain=CHAIN, provider="node")
    longest = {lane.name: max(lane._wait(NodeUnreachable("gone")) for _ in range(60)) for lane in link.lanes}
    assert longest.pop("heads") <= LONGEST_OF_HEADS < min(longest.values()) <= max(longest.values()) <= LONGEST_WAIT


async def test_what_people_read_of_a_link_holds_no_key() -> None:
    async with linked(f"ws://user:s3cr3t@127.0.0.1:{free_port()}/v3/s3cr3t?k=s3cr3t") as link:
        await _until(lambda: link.state.error is not None)
        assert "s3cr3t" not in repr(link.state)


async def test_another_chain_with_the_same_id_behind_the_same_url_is_refused_on_reconnect() -> None:
    async with (
        await Anvil.start("--timestamp", "1700000000") as old,
        await Anvil.start("--timestamp", "1700000999") as new,
        FaultProxy(old.ws) as proxy,
        linked(proxy.ws) as link,
    ):
        await _until(lambda: link.state.up)
        proxy.upstream = new.ws
        proxy.reset()
        await _until(lambda: all(lane.state.foreign for lane in link.lanes))
        assert "its first block is" in (link.state.error or "")
        proxy.upstream = old.ws
        await _until(lambda: link.state.up)


async def test_a_node_without_the_pinned_block_is_refused_until_it_has_it() -> None:
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        await chain.mine(3)
        pinned = (await chain.at(2)).id
        async with linked(node.ws, checkpoint=(2, pinned)) as right, linked(node.ws, checkpoint=(2, "0x" + "5e" * 32)) as wrong:
            await _until(lambda: right.state.up and all(lane.state.foreign for lane in wrong.lanes))
            assert f"has {pinned} at height 2, pinned is 0x5e" in (wrong.state.error or "")
        async with linked(node.ws, checkpoint=(9, "0x" + "5e" * 32)) as ahead:
            await _until(lambda: ahead.state.error is not None)
            assert "has no block at height 9" in (ahead.state.error or "")
        await chain.close()
