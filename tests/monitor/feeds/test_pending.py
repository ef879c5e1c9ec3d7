"""Pending transactions from a real pool: each one once, in time, and its fate when somebody asked for it."""

import asyncio
import json
import time
from collections.abc import Iterable

import pytest

from detectors.events import Dropped, Gap, Position, Transaction
from monitor.chains.link import LANES, Link
from monitor.feeds.mempool import Mempool
from monitor.feeds.pending import Pending
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, SENDER
from tests.support.fault_proxy import FaultProxy, unchanged
from tests.support.listening import listening, pooling, send


@pytest.mark.parametrize("full", [True, False])
async def test_every_pending_transaction_comes_once_with_its_body(*, full: bool) -> None:
    async with pooling() as (node, chain), listening(node.ws, full=full) as heard:
        before = time.time()
        ids = [await send(chain) for _ in range(30)]
        await heard.until(lambda: len(heard.events) >= 30)
        found: list[Transaction] = heard.of(Transaction)
        assert [tx.id for tx in found] == ids
        assert found[3].sender == SENDER
        assert found[3].input == f"0x{4:064x}"
        assert [tx.nonce for tx in found] == list(range(found[0].nonce, found[0].nonce + 30))
        assert all(before <= tx.at <= time.time() for tx in found)
        assert heard.pending.before(found[3]) == tuple(found[:3])


async def test_a_node_that_refuses_full_objects_is_asked_for_hashes_and_bodies() -> None:
    def refusing(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods == ("eth_subscribe",) and proxy.asked.count("eth_subscribe") == 1:
            error = {"code": -32602, "message": "invalid argument 1: expected bool to be false"}
            frame = json.dumps({"jsonrpc": "2.0", "id": json.loads(frame)["id"], "error": error}).encode()
        return (frame,)

    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy:
        proxy.replies = refusing
        async with listening(proxy.ws) as heard:
            sent = await send(chain)
            await heard.until(lambda: bool(heard.events))
            assert [tx.id for tx in heard.of(Transaction)] == [sent]
            assert not heard.pending.full


async def test_doubled_and_spoiled_pushes_change_nothing() -> None:
    def spoiling(frame: bytes) -> Iterable[bytes]:
        odd = (
            frame.replace(b'"hash":"0x', b'"hash":"0y'),
            frame.replace(b'"gas":"0x', b'"gas":"-0x'),
            b'{"jsonrpc":"2.0","method":',
            frame.replace(b'"input":"', b'"input":"\xff'),
        )
        return (odd[0], frame, odd[1], frame, odd[2], odd[3])

    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy:
        proxy.pushes = spoiling
        async with listening(proxy.ws) as heard:
            ids = [await send(chain) for _ in range(20)]
            await heard.until(lambda: len(heard.events) >= 20)
            await asyncio.sleep(0.1)
            assert [tx.id for tx in heard.of(Transaction)] == ids
            assert proxy.connections == len(LANES)


async def test_what_a_slow_reader_loses_is_said() -> None:
    async with pooling() as (node, chain), listening(node.ws, capacity=5) as heard:
        heard.slow = 0.05
        sent = [await send(chain) for _ in range(60)]
        heard.slow = 0.0
        await heard.until(lambda: any(tx.id == sent[-1] for tx in heard.of(Transaction)))
        lost = sum(gap.lost for gap in heard.of(Gap))
        assert lost > 0
        assert len(heard.of(Transaction)) + lost == 60


async def test_a_cut_connection_is_renewed_and_the_silence_between_is_said() -> None:
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy, listening(proxy.ws) as heard:
        first = await send(chain)
        await heard.until(lambda: bool(heard.events))
        proxy.reset()
        await heard.until(lambda: bool(heard.of(Gap)))
        second = await send(chain)
        await heard.until(lambda: len(heard.of(Transaction)) >= 2)
        assert [tx.id for tx in heard.of(Transaction)] == [first, second]
        assert [gap.feed for gap in heard.of(Gap)] == ["pending"]
        assert "not connected" in heard.of(Gap)[0].reason


async def test_a_tracked_transaction_that_is_outbid_is_told_as_replaced() -> None:
    async with pooling() as (node, chain), listening(node.ws) as heard:
        first = await send(chain, gasPrice=hex(10**11))
        await heard.until(lambda: bool(heard.events))
        heard.pending.track(first)
        nonce = hex(heard.of(Transaction)[0].nonce)
        second = await send(chain, gasPrice=hex(2 * 10**11), nonce=nonce)
        await heard.until(lambda: bool(heard.of(Dropped)))
        assert [(one.id, one.reason) for one in heard.of(Dropped)] == [(first, "replaced")]
        assert heard.of(Transaction)[1].id == second


async def test_a_tracked_transaction_whose_nonce_was_mined_by_another_is_told_as_replaced() -> None:
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy, listening(proxy.ws) as heard:
        first = await send(chain, gasPrice=hex(10**11))
        await heard.until(lambda: bool(heard.events))
        heard.pending.track(first)
        proxy.pushes = lambda _: ()  # the other one goes straight to a block builder: nobody hears of it before its block
        await send(chain, gasPrice=hex(2 * 10**11), nonce=hex(heard.of(Transaction)[0].nonce))
        await chain.mine()
        head = await chain.rpc.call("eth_getBlockByNumber", ("latest", False), timeout=5)
        await heard.pending.mined(head["transactions"], await chain.head())
        await heard.until(lambda: bool(heard.of(Dropped)))
        assert [(one.id, one.reason) for one in heard.of(Dropped)] == [(first, "replaced")]


async def test_a_tracked_transaction_that_the_node_forgets_is_dropped_after_two_blocks() -> None:
    async with pooling() as (node, chain), listening(node.ws) as heard:
        first, kept = await send(chain), await send(chain, to=SENDER)
        await heard.until(lambda: len(heard.events) == 2)
        heard.pending.track(first)
        heard.pending.track(kept)
        await chain.call("anvil_dropTransaction", first)
        await heard.pending.mined((), await chain.head())
        await asyncio.sleep(0.2)
        assert heard.of(Dropped) == []
        await heard.pending.mined((), await chain.head())
        await heard.until(lambda: bool(heard.of(Dropped)))
        assert [(one.id, one.reason) for one in heard.of(Dropped)] == [(first, "dropped")]
        assert heard.pending.tracked == {kept}


async def test_only_those_are_tracked_whose_fate_somebody_waits_for() -> None:
    async with pooling() as (node, chain), listening(node.ws) as heard:
        settled, feared, back = [await send(chain) for _ in range(3)]
        await heard.until(lambda: len(heard.events) == 3)
        heard.pending.track(settled)
        heard.pending.track(feared)
        heard.pending.track_only(frozenset((feared, back)))
        assert heard.pending.tracked == {feared, back}
        heard.pending.forget(settled)
        assert [tx.id for tx in heard.pending.before(heard.of(Transaction)[2])] == [feared]


async def test_a_mined_transaction_is_no_longer_tracked_nor_remembered() -> None:
    async with pooling() as (node, chain), listening(node.ws) as heard:
        sent = [await send(chain) for _ in range(3)]
        await heard.until(lambda: len(heard.events) == 3)
        heard.pending.track(sent[0])
        await heard.pending.mined(sent[:2], await chain.head())
        assert heard.pending.tracked == frozenset()
        assert heard.pending.before(heard.of(Transaction)[2]) == ()


def _tx(sender: str, nonce: int, size: int = 0) -> Transaction:
    return Transaction(
        chain=CHAIN, at=0.0, id=f"{sender}{nonce}", sender=sender, to=None, value=0, input="0x" + "00" * size,
        nonce=nonce, gas=21000, max_fee=1,
    )  # fmt: skip


def test_a_flood_of_large_transactions_stays_within_its_room() -> None:
    pool = Mempool(room=1 << 20)
    for nonce in range(2000):
        pool.add(_tx("0xa", nonce, size=5000))
    assert 50 < len(pool) < 110
    assert len(pool.before(_tx("0xa", 2000))) == len(pool)
    for nonce in range(2000):
        pool.remove(f"0xa{nonce}")
    assert len(pool) == 0
    assert pool._weight == 0
    assert pool._by_sender == {}


def test_only_an_unbroken_row_of_nonces_comes_before() -> None:
    pool = Mempool(room=1 << 20)
    for nonce in (1, 2, 4, 5):
        pool.add(_tx("0xa", nonce))
    assert [tx.nonce for tx in pool.before(_tx("0xa", 6))] == [4, 5]
    assert pool.before(_tx("0xb", 6)) == ()


async def test_a_subscription_that_was_granted_and_delivers_nothing_is_found_out_and_asked_instead_until_it_speaks() -> None:
    async with pooling() as (node, chain), FaultProxy(node.ws) as proxy:
        proxy.pushes = lambda _: ()
        live = {"chain": CHAIN, "topic": "newPendingTransactions"}

        async def block() -> None:
            await chain.mine()
            found = await chain.call("eth_getBlockByNumber", "latest", *[False])
            await heard.pending.mined([str(tx) for tx in found["transactions"]], await chain.head())

        async with listening(proxy.ws, full=False) as heard:
            for _ in range(3):
                heard.pending._missed_at -= 1.0  # as if a second had gone by
                await send(chain)
                await block()
            assert REGISTRY.get_sample_value("seawall_subscription_live", live) == 0
            await heard.until(lambda: "eth_getFilterChanges" in proxy.asked)
            sent = [await send(chain) for _ in range(3)]
            await heard.until(lambda: {tx.id for tx in heard.of(Transaction)} >= set(sent))
            proxy.pushes = unchanged
            await send(chain)
            await heard.until(lambda: len(heard.of(Transaction)) == 4)
            await heard.until(lambda: heard.pending._pushed)
            await block()
            assert REGISTRY.get_sample_value("seawall_subscription_live", live) == 1
            asked = proxy.asked.count("eth_getFilterChanges")
            await asyncio.sleep(1.2)
            assert proxy.asked.count("eth_getFilterChanges") <= asked + 1
            assert len({tx.id for tx in heard.of(Transaction)}) == len(heard.of(Transaction)), "told twice by both ways"


async def test_a_feed_that_never_told_what_was_mined_reads_unsupported_until_it_tells_something() -> None:
    pending = Pending(Link("ws://127.0.0.1:1", chain=CHAIN, provider="node").pending, chain=CHAIN)
    for height in range(20):
        assert pending.unsupported is None
        await pending.mined([f"0x{height:x}{n:063x}" for n in range(10)], Position(height, f"0x{height}"))
    assert "none of the last 200" in (pending.unsupported or "")
    told = Transaction(chain=CHAIN, at=0.0, id="0xtold", sender="0xa", to=None, value=0, input="0x", nonce=0, gas=1, max_fee=1)
    pending.learn(told)
    await pending.mined(["0xtold"], Position(21, "0x21"))
    assert pending.unsupported is None
