"""Asking again: what is lost or throttled comes at the next try, what is refused or gone is told at once."""

import json
import time
from collections.abc import Iterable

import pytest

from monitor.chains.rpc import MIB, Ask, Rpc
from monitor.demo.anvil import Anvil
from monitor.errors import NodeSilent, NodeUnreachable, RpcRefused
from monitor.feeds.insistence import Insistent
from tests.support.chain import CHAIN
from tests.support.fault_proxy import FaultProxy, ReplyRule

LONG = 20.0


def only_at_try(number: int, instead: bytes | None) -> ReplyRule:
    """Replies before that one are lost, or an error of that code."""
    seen = 0

    def rule(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        nonlocal seen
        seen += 1
        if seen >= number:
            return (frame,)
        said = json.loads(frame)
        if instead is None:
            return ()
        error = json.loads(instead)
        refused = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in (said if isinstance(said, list) else [said])]
        return (json.dumps(refused if isinstance(said, list) else refused[0]).encode(),)

    return rule


THROTTLED, FOR_GOOD = b'{"code": -32005, "message": "slow down"}', b'{"code": -32601, "message": "no such method"}'


@pytest.mark.parametrize("instead", [None, THROTTLED], ids=["lost", "throttled"])
async def test_an_answer_that_did_not_come_is_asked_for_again_within_one_deadline(instead: bytes | None) -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        rpc = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN, max_size=MIB)
        asked = Insistent(rpc, 0.2)
        began = time.monotonic()
        proxy.replies = only_at_try(3, instead)
        assert await asked.call("eth_chainId", timeout=LONG) == hex(31337)
        proxy.replies = only_at_try(3, instead)
        assert await asked.batch([Ask("eth_chainId", ()), Ask("eth_blockNumber", ())], timeout=LONG) == [hex(31337), "0x0"]
        assert time.monotonic() - began < LONG
        await rpc.close()


async def test_what_cannot_get_better_is_told_at_once() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        rpc = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN, max_size=MIB)
        asked = Insistent(rpc, 0.2)
        proxy.replies = only_at_try(2, FOR_GOOD)
        with pytest.raises(RpcRefused):
            await asked.call("eth_chainId", timeout=LONG)
        (refused, number) = await asked.batch([Ask("no_such", ()), Ask("eth_blockNumber", ())], timeout=LONG)
        assert isinstance(refused, RpcRefused)
        assert number == "0x0"
        proxy.reset()
        with pytest.raises(NodeUnreachable):
            await asked.call("eth_chainId", timeout=LONG)


async def test_a_node_that_never_answers_takes_the_whole_deadline_and_no_more() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        rpc = await Rpc.connect(proxy.ws, provider="node", chain=CHAIN, max_size=MIB)
        proxy.replies = only_at_try(1000, None)
        asked_before = len(proxy.asked)
        with pytest.raises(NodeSilent):
            await Insistent(rpc, 0.1).call("eth_chainId", timeout=0.75)
        assert 2 <= len(proxy.asked) - asked_before <= 5
        await rpc.close()
