"""A node is asked no faster than its plan allows, heads come first, and a refusal is answered with a breath."""

import asyncio
import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.chains.link import Link
from monitor.chains.pace import FIRST_PAUSE, HALF_LIFE, LONGEST_PAUSE, RESERVED, Bucket
from monitor.demo.anvil import Anvil
from monitor.errors import RpcRefused
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN
from tests.support.fault_proxy import FaultProxy


@given(
    st.floats(1, 200),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 12), st.booleans()), min_size=1, max_size=60),
)
def test_no_stretch_of_time_sees_more_calls_than_the_plan_and_one_bucket(
    rate: float, life: list[tuple[float, int, bool]]
) -> None:
    bucket, now, taken = Bucket(rate), 0.0, 0
    for wait, calls, urgent in life:
        now += wait
        if bucket.wait(calls, urgent=urgent, now=now) == 0.0:
            taken += calls
        assert taken <= max(1.0, rate) + now * rate + 12  # a batch longer than the bucket goes when it is full


@given(st.floats(3, 200))
def test_what_is_urgent_finds_the_reserve_that_the_rest_left(rate: float) -> None:
    bucket = Bucket(rate)
    while bucket.wait(1, urgent=False, now=0.0) == 0.0:
        pass
    urgent = 0
    while bucket.wait(1, urgent=True, now=0.0) == 0.0:
        urgent += 1
    assert urgent >= int(rate * RESERVED)


def test_refusals_make_everyone_wait_ever_longer_and_are_forgotten() -> None:
    bucket, waits, now = Bucket(None), [], 0.0
    for _ in range(12):
        assert bucket.refused(now, 1.0)
        assert not bucket.refused(now, 1.0), "told to everyone who waited: one refusal"
        waits.append(bucket.wait(1, urgent=False, now=now))
        assert bucket.wait(1, urgent=True, now=now) == 0.0
        now += 0.1
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_PAUSE, LONGEST_PAUSE)
    now += 20 * HALF_LIFE
    bucket.refused(now, 1.0)
    assert bucket.wait(1, urgent=False, now=now) == pytest.approx(FIRST_PAUSE, rel=0.01)


async def test_a_node_is_asked_as_fast_as_its_plan_allows_and_heads_do_not_wait_behind_the_rest() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        link = Link(proxy.ws, chain=CHAIN, provider="node", rate=30.0)
        running = asyncio.create_task(link.run())
        for lane in link.lanes:
            await lane.ready()
        before, began = len(proxy.asked), time.monotonic()
        rest = [asyncio.create_task(link.requests.call("eth_blockNumber", timeout=20)) for _ in range(90)]
        await asyncio.sleep(0.2)
        await link.heads.call("eth_blockNumber", timeout=20)
        assert not all(task.done() for task in rest)
        await asyncio.gather(*rest)
        assert len(proxy.asked) - before <= 30 + 30 * (time.monotonic() - began) + 1
        with pytest.raises(RpcRefused, match="its limit is used up") as refused:
            await asyncio.gather(*(link.requests.call("eth_blockNumber", timeout=0.2) for _ in range(60)))
        assert refused.value.throttled
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_refusal_that_names_no_call_makes_the_others_pause() -> None:
    async with await Anvil.start() as node, FaultProxy(node.ws) as proxy:
        link = Link(proxy.ws, chain=CHAIN, provider="throttled", checkpoint=None)
        running = asyncio.create_task(link.run())
        for lane in link.lanes:
            await lane.ready()
        limit = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32016, "message": "over rate limit"}}).encode()
        refusing = True

        def refuse(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
            return (limit,) if refusing else (frame,)

        proxy.replies = refuse
        before = len(proxy.asked)
        for _ in range(4):
            with pytest.raises(RpcRefused):
                await link.requests.call("eth_blockNumber", timeout=20)
        began = time.monotonic()
        refusing = False
        await link.simulations.call("eth_blockNumber", timeout=20)
        assert time.monotonic() - began > FIRST_PAUSE / 2, "another lane of the same node waits as well"
        assert len(proxy.asked) - before == 5
        counted = {"chain": CHAIN, "provider": "throttled"}
        assert REGISTRY.get_sample_value("seawall_node_throttled_total", counted) == 4
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
