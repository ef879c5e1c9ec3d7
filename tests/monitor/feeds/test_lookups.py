"""Nodes that push hashes only, and a bad moment while the transactions behind them are asked for."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from detectors.events import Gap, Transaction
from monitor.chains.link import LANES
from monitor.errors import NodeSilent, NodeUnreachable
from monitor.feeds.lookups import A_FRAME, Lookups
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy, unchanged_reply
from tests.support.listening import Listening, listening, pooling, send

LOOK_UP = "eth_getTransactionByHash"


def _changed(change: Callable[[dict[str, Any]], None]) -> Callable[[tuple[str, ...], bytes], Iterable[bytes]]:
    """A rule that changes each answer of a look-up."""

    def rule(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        said = json.loads(frame)
        if methods[0] == LOOK_UP:
            for one in said:
                change(one)
        return (json.dumps(said).encode(),)

    return rule


def _lost(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
    return () if methods[0] == LOOK_UP else (frame,)


async def _behind_one_another(heard: Listening, chain: TalkingChain, count: int) -> list[str]:
    """So many pending transactions, of which all but the first are read in one turn."""
    heard.slow = 0.3
    ids = [await send(chain)]
    await heard.until(lambda: bool(heard.events))
    ids += [await send(chain) for _ in range(count - 1)]
    heard.slow = 0.0
    return ids


def _told(heard: Listening) -> list[str]:
    return [tx.id for tx in heard.of(Transaction)]


def _dropped(topic: str) -> float:
    return REGISTRY.get_sample_value("seawall_subscription_dropped_total", {"chain": CHAIN, "topic": topic}) or 0.0


async def test_a_look_up_that_is_lost_on_the_way_is_asked_again_and_nothing_else_happens() -> None:
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy:
        lost = 0

        def once(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
            nonlocal lost
            lost += len(methods) if (gone := methods[0] == LOOK_UP and lost == 0 and len(methods) > 1) else 0
            return () if gone else (frame,)

        proxy.replies = once
        async with listening(proxy.ws, full=False) as heard:
            ids = await _behind_one_another(heard, chain, 30)
            await heard.until(lambda: len(_told(heard)) >= 30)
            assert lost > 1
            assert sorted(_told(heard)) == sorted(ids)
            assert heard.of(Gap) == []
            assert proxy.connections == len(LANES)


@pytest.mark.parametrize("how", ["refused", "nonsense"])
async def test_one_answer_that_is_none_costs_its_own_transaction_which_is_said(how: str) -> None:
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy, listening(proxy.ws, full=False) as heard:
        spoilt = []

        def spoil(one: dict[str, Any]) -> None:
            if one["result"]["nonce"] != "0x5":
                return
            spoilt.append(one["result"]["hash"])
            if how == "refused":
                del one["result"]
                one["error"] = {"code": -32000, "message": "the index is being rebuilt"}
            else:
                one["result"]["from"] = 7

        proxy.replies, before = _changed(spoil), _dropped("pending")
        ids = await _behind_one_another(heard, chain, 20)
        await heard.until(lambda: len(_told(heard)) >= 19 and bool(heard.of(Gap)))
        assert sorted([*_told(heard), *spoilt]) == sorted(ids)
        assert [gap.lost for gap in heard.of(Gap)] == [1]
        assert _dropped("pending") == before + 1
        assert proxy.connections == len(LANES)


@pytest.mark.parametrize("mined", [False, True])
async def test_what_one_connection_left_unanswered_is_asked_for_on_the_next(
    *, mined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.feeds.lookups.LATE", 0.0)
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy, listening(proxy.ws, full=False) as heard:
        first = await _behind_one_another(heard, chain, 5)
        await heard.until(lambda: len(_told(heard)) == 5)
        proxy.replies, before = _lost, _dropped("pending_gone")
        second = [await send(chain) for _ in range(5)]
        queue = heard.pending._queue
        assert queue is not None
        await heard.until(lambda: len(heard.pending._lookups) > 0 and len(heard.pending._lookups) + len(queue) == 5)
        if mined:
            await chain.mine()
        proxy.replies = unchanged_reply
        proxy.reset()
        if mined:
            await heard.until(lambda: _dropped("pending_gone") >= before + 5)
            assert sorted(_told(heard)) == sorted(first), "its block tells"
        else:
            await heard.until(lambda: len(_told(heard)) >= 10)
            assert sorted(_told(heard)) == sorted([*first, *second])
        assert all(gap.lost == 0 for gap in heard.of(Gap))


async def test_transactions_too_long_together_are_asked_for_in_smaller_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANES, "pending", 1 << 16)
    async with pooling() as (node, chain), listening(node.ws, full=False) as heard:
        heard.slow = 0.3
        ids = [await send(chain)]
        await heard.until(lambda: bool(heard.events))
        ids += [await send(chain, data=f"0x{n:06x}" + "ab" * 10_000, gas=hex(2_000_000)) for n in range(14)]
        heard.slow = 0.0
        await heard.until(lambda: len(_told(heard)) >= 15)
        assert sorted(_told(heard)) == sorted(ids)
        assert all(gap.lost == 0 for gap in heard.of(Gap))


class Failing:
    """A connection on which every batch fails so."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.frames: list[int] = []

    async def batch(self, asks: list[Any], *, timeout: float) -> list[Any]:  # noqa: ARG002, ASYNC109 - as an Rpc
        self.frames.append(len(asks))
        raise self.error


def told(lane: Any, count: int) -> Lookups:  # noqa: ANN401 - Failing
    """Look-ups over this lane, at most 150 waiting, after so many hashes."""
    lookups = Lookups(lane, CHAIN, 150)
    for n in range(count):
        lookups.add(f"0x{n:064x}", 0.0)
    return lookups


async def test_hashes_that_nobody_answers_are_bounded_and_what_is_given_up_is_counted() -> None:
    silent: Any = Failing(NodeUnreachable("gone"))
    lookups = told(silent, 200)
    for _ in range(3):
        with pytest.raises(NodeUnreachable):
            await lookups.next()
    assert (silent.frames, len(lookups), lookups.take_lost()) == ([A_FRAME] * 3, 150, 50)


async def test_a_hash_that_alone_brings_nothing_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.feeds.lookups.ALTOGETHER", 0.01)
    mute: Any = Failing(NodeSilent("no answer"))
    lookups = told(mute, 8)
    for _ in range(4):
        with pytest.raises(NodeSilent):
            await lookups.next()
    assert (sorted(set(mute.frames), reverse=True), len(lookups), lookups.take_lost()) == ([8, 4, 2, 1], 7, 1)
