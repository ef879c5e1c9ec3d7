"""Tokens that nobody listed, sent to a watched contract by whoever likes: honest ones are read, hostile ones blind nobody."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from detectors.events import Position
from monitor.chains.rpc import Ask
from monitor.feeds.contexts import Contexts
from monitor.feeds.pools import Pools
from monitor.feeds.pools.base import NATIVE
from monitor.feeds.pools.holdings import Holdings
from monitor.feeds.pools.strangers import DISCOVERED, Strangers
from tests.support.bytecode import CHAIN, HASHES, Chain, chain, code, push
from tests.support.executions import address, call, execution, move

WATCHED, ALSO = address("watched"), address("also watched")
THIEF = address("thief")
HOSTILE = [address(f"hostile {n}") for n in range(DISCOVERED - 1)]
"""With one honest token, all that are followed."""
HONEST = address("honest")
GIANT = 2_250_000
"""Bytes of an answer for which 10,000,000 gas are enough: 15 of them are more than a connection takes."""
CHEAP = 270_000
"""Bytes for which 200,000 gas are enough."""
GO_ETHEREUM_STOPS_AT = 25_000_000
"""`--rpc.batch-response-max-size`: bytes of one batch's answers."""


def answering(size: int) -> str:
    """Code that returns so many bytes of zeros."""
    return "0x" + code(push(size), "5ff3").hex()


def costly(gas: int, told: int = 7) -> str:
    """Code that reads that much gas worth of storage never read before, then returns a number."""
    loads = b"".join(code(push(slot), "5450") for slot in range(1, gas // 2105))
    return "0x" + code(loads, push(told), "5f5260205ff3").hex()


class Counted:
    """The node's connection, and the longest answer of a batch that came over it."""

    def __init__(self, node: Chain) -> None:
        self.node = node
        self.longest = 0

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as a Batcher
        found = await self.node.rpc.batch(asks, timeout=timeout)
        self.longest = max(self.longest, len(json.dumps(found, default=str)))
        return found


async def _set(node: Chain, token: str, runtime: str) -> None:
    await node.ask("anvil_setCode", token, runtime)


async def _head(node: Chain) -> Position:
    block = await node.ask("eth_getBlockByNumber", "latest", HASHES)
    return Position(int(block["number"], 16), block["hash"], block["parentHash"])


@pytest.mark.parametrize("size", [GIANT, CHEAP])
async def test_tokens_that_answer_with_megabytes_blind_no_chain_and_are_followed_no_more(size: int) -> None:
    async with chain() as node:
        for token in HOSTILE:
            await _set(node, token, answering(size))
        await _set(node, HONEST, costly(5_000))
        head, rpc = await _head(node), Counted(node)
        pools = Pools(rpc, CHAIN, [Holdings(WATCHED), Holdings(ALSO)])
        for token in (HONEST, *HOSTILE):
            pools.saw(token, WATCHED)
            pools.saw(token, ALSO)
        for _ in range(2):
            for state in await pools.read(head, 1.0):
                assert (state.reserves[NATIVE], state.reserves[HONEST]) == (0, 7)
                assert size == GIANT or set(state.reserves) == {NATIVE, HONEST}, "no balance is that long"
            assert not pools.unread
            assert rpc.longest < GO_ETHEREUM_STOPS_AT
        if size == CHEAP:
            pools.saw(HOSTILE[0], WATCHED)
            rpc.longest = 0
            assert len(await pools.read(head, 1.0)) == 2
            assert rpc.longest < 1000, "its megabytes are fetched once"


async def test_what_is_only_simulated_cannot_take_the_balances_from_every_verdict_either() -> None:
    async with chain() as node:
        for token in HOSTILE:
            await _set(node, token, answering(GIANT))
        await _set(node, HONEST, costly(5_000))
        head = await _head(node)
        contexts = Contexts(node.rpc, {WATCHED: ()})
        await contexts.refresh(head)
        free = execution(call(THIEF, "f()", *(move(token, THIEF, WATCHED, 1) for token in (HONEST, *HOSTILE))))
        context = await contexts.of(free, head)
        assert context.balances == {NATIVE: {WATCHED: 0}, HONEST: {WATCHED: 7}}
        later = Position(head.height + 1, "0x" + "99" * 32, head.id)
        await contexts.advance(later, ())
        assert (await contexts.of(free, head)).balances == context.balances


async def test_a_token_dear_to_read_is_read_and_one_dearer_than_any_where_the_operator_lists_it() -> None:
    dear, dearest = address("dear"), address("dearest")
    async with chain() as node:
        await _set(node, dear, costly(120_000))
        await _set(node, dearest, costly(400_000))
        head = await _head(node)
        found, listed = Pools(node.rpc, CHAIN, [Holdings(WATCHED)]), Pools(node.rpc, CHAIN, [Holdings(WATCHED, (dear, dearest))])
        for token in (dear, dearest):
            found.saw(token, WATCHED)
            listed.saw(token, WATCHED)
        (state,) = await found.read(head, 1.0)
        assert state.reserves == {NATIVE: 0, dear: 7}, "unknown is not zero"
        (state,) = await listed.read(head, 1.0)
        assert state.reserves == {NATIVE: 0, dear: 7, dearest: 7}
        for tokens, known in (((), {NATIVE, dear}), ((dear, dearest), {NATIVE, dear, dearest})):
            contexts = Contexts(node.rpc, {WATCHED: tokens})
            seen = execution(call(THIEF, "f()", *(move(token, THIEF, WATCHED, 1) for token in (dear, dearest))))
            assert set((await contexts.of(seen, head)).balances) == known


def test_the_token_that_did_not_move_for_longest_gives_way() -> None:
    strangers = Strangers(("0xlisted",))
    for n in range(DISCOVERED):
        strangers.saw(f"0x{n}")
    strangers.saw("0x0")
    strangers.saw("0xlisted")
    strangers.saw("0xnew")
    assert list(strangers)[-2:] == ["0x0", "0xnew"]
    assert len(list(strangers)) == DISCOVERED
    assert "0x1" not in set(strangers)


def test_an_answer_at_length_costs_a_stranger_its_place_and_a_listed_token_nothing() -> None:
    strangers, padded = Strangers(("0xlisted",)), "0x" + f"{5:064x}" * 32
    strangers.saw("0xa")
    assert [strangers.balance("0xa", answer) for answer in (None, "0x", padded)] == [None, None, 5]
    assert strangers.balance("0xlisted", padded + "00") == 5
    assert strangers.balance("0xa", padded + "00") is None
    strangers.saw("0xa")
    assert list(strangers) == []
