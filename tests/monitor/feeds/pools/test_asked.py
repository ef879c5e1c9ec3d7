"""Answers too long for a connection, of contracts the operator listed: who is at fault alone is left out, nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from monitor.chains.link import LANES, Link
from monitor.errors import NodeOversize
from monitor.feeds.insistence import Insistent
from monitor.feeds.pools.asked import ask
from monitor.feeds.pools.base import Read, balance_of
from tests.support.bytecode import CHAIN, HASHES, Chain, chain
from tests.support.executions import address
from tests.support.fault_proxy import FaultProxy

HOLDER = address("holder")
LIMIT = 1 << 20
LONG, TOO_LONG = 300_000, 700_000
"""Bytes of answers of which one fits and two do not, and of one that alone does not; a byte is two characters."""
ASKED = [address(f"token {n}") for n in range(12)]


def answering(size: int) -> str:
    return f"0x62{size:06x}5ff3"


@asynccontextmanager
async def linked(ws: str) -> AsyncIterator[Link]:
    link = Link(ws, chain=CHAIN, provider="node")
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(20):
            await link.requests.ready()
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _tokens(node: Chain, sizes: dict[int, int]) -> str:
    """Tokens that answer at such length, the others with a word; the newest block."""
    for place, token in enumerate(ASKED):
        await node.ask("anvil_setCode", token, answering(sizes.get(place, 32)))
    return str((await node.ask("eth_getBlockByNumber", "latest", HASHES))["hash"])


READS = [Read(HOLDER), *(balance_of(token, HOLDER) for token in ASKED)]


async def test_answers_too_long_together_are_asked_for_in_halves_and_one_too_long_alone_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LANES, "requests", LIMIT)
    async with chain() as node:
        block = await _tokens(node, {1: LONG, 2: LONG, 4: TOO_LONG, 11: LONG})
        async with linked(node.node.ws) as link:
            answers = await ask(Insistent(link.requests, 1.0), READS, block, 5.0)
            assert [place for place, answer in enumerate(answers) if answer is None] == [5]
            assert len(answers) == len(READS)
            assert {len(answer) for answer in answers if answer is not None} == {3, 66, 4098}, "more than that nobody reads"


async def test_an_answer_that_ended_the_connection_takes_no_one_along_who_was_asked_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LANES, "requests", LIMIT)
    async with chain() as node, FaultProxy(node.node.ws) as proxy:
        block = await _tokens(node, {0: TOO_LONG})
        async with linked(proxy.ws) as link:
            proxy.delay = 0.2  # both are on their way when the connection ends
            beside, alone = await asyncio.gather(
                ask(link.requests, READS[2:3], block, 5.0), ask(link.requests, READS[:2], block, 5.0)
            )
            assert beside == ["0x" + "00" * 32]
            assert alone == ["0x0", None]


async def test_a_connection_on_which_nothing_is_short_enough_raises_and_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANES, "requests", LIMIT)
    async with chain() as node:
        block = await _tokens(node, {0: TOO_LONG, 1: TOO_LONG})
        async with linked(node.node.ws) as link:
            with pytest.raises(NodeOversize):
                await ask(link.requests, READS[1:3], block, 5.0)
            async with asyncio.timeout(20):
                await link.requests.ready()
            assert await ask(link.requests, READS[:1], block, 5.0) == ["0x0"]


async def test_what_a_node_leaves_unanswered_behind_too_much_is_asked_for_in_halves_too() -> None:
    def as_go_ethereum(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        """`rpc/handler.go`: once the answers of a batch are too long together, the rest of it is refused."""
        said, length = json.loads(frame), 0
        for one in said if isinstance(said, list) else ():
            if length > LIMIT:
                del one["result"]
                one["error"] = {"code": -32003, "message": "response too large"}
            length += len(one.get("result", ""))
        return (json.dumps(said).encode(),)

    async with chain() as node, FaultProxy(node.node.ws) as proxy:
        block = await _tokens(node, {2: TOO_LONG, 3: TOO_LONG})
        proxy.replies = as_go_ethereum
        async with linked(proxy.ws) as link:
            answers = await ask(Insistent(link.requests, 1.0), READS, block, 5.0)
            assert None not in answers
