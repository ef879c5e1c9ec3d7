"""A second node for a slow or a lying one: what it says must prove itself, and it is not asked more than a little."""

import asyncio
import statistics
import time
from collections.abc import Iterable
from typing import Self

import pytest

from monitor.chains.base import LogsMissing
from monitor.chains.evm import Evm
from monitor.chains.hedge import BRIDGED, IN_HAND, SHARE, Hedged
from monitor.chains.link import Link
from monitor.errors import NodeError
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy, answer
from tests.support.providers import be_honest, lie_about_hashes, providers, refusing


def hedges(outcome: str) -> float:
    return REGISTRY.get_sample_value("seawall_hedges_total", {"chain": CHAIN, "outcome": outcome}) or 0.0


class Both:
    """Hedged reads over two proxies."""

    def __init__(self, a: FaultProxy, b: FaultProxy) -> None:
        self.links = [Link(proxy.ws, chain=CHAIN, provider=name) for name, proxy in (("a", a), ("b", b))]
        self.blamed: list[NodeError] = []
        self.evm = Evm(self.links[0].heads, chain=CHAIN)
        self.hedged = Hedged(self.evm, lambda: self.links[1].heads, self.blamed.append)

    async def __aenter__(self) -> Self:
        self._running = [asyncio.create_task(link.run()) for link in self.links]
        for link in self.links:
            await link.heads.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _talk(chain: TalkingChain, both: Both, times: int = 20) -> None:
    await chain.speak(2)
    for _ in range(times):
        assert await both.hedged.block(2, within=5) is not None


async def test_a_slow_first_node_is_overtaken_and_the_extra_load_is_bounded() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)
        sent, won = hedges("sent"), hedges("won")
        a.delay = 0.3
        took = []
        for _ in range(8):
            began = time.monotonic()
            block = await both.hedged.block(2, within=30)  # the proxy delays one frame after the other
            took.append(time.monotonic() - began)
            assert block is not None
            assert len(await both.hedged.logs(block, within=30)) == 2
        assert hedges("won") - won >= 6
        assert hedges("sent") - sent <= IN_HAND + SHARE * 16
        assert statistics.quantiles(took, n=4)[0] < a.delay / 2
        assert hedges("spared") > 0


async def test_a_quick_first_node_is_asked_alone() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)
        b.asked.clear()
        sent = hedges("sent")
        for _ in range(40):
            await both.hedged.extent(within=5)
        assert hedges("sent") - sent <= 4  # one in twenty is slower than nineteen


async def test_logs_that_the_first_node_leaves_out_come_from_the_second_at_once_and_the_first_is_blamed() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)

        def empty(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
            return (answer(frame, lambda said: said.update(result=[])) if methods == ("eth_getLogs",) else frame,)

        a.replies = empty
        block = await both.hedged.block(2, within=5)
        assert block is not None
        assert len(await both.hedged.logs(block, within=5)) == 2
        assert ["those its header promises" in str(error) for error in both.blamed] == [True]


async def test_logs_that_the_first_node_refuses_come_from_the_second_for_a_few_blocks_and_no_longer() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)
        block = await both.hedged.block(2, within=5)
        assert block is not None
        a.replies = refusing("eth_getLogs")
        for _ in range(BRIDGED):
            assert len(await both.hedged.logs(block, within=5)) == 2
        with pytest.raises(LogsMissing, match="refused the logs of block 2, which it has"):
            await both.hedged.logs(block, within=5)
        await both.hedged.doorbell(within=5)
        assert len(await both.hedged.logs(block, within=5)) == 2, "a new connection begins anew"
        be_honest(a)
        await both.hedged.logs(block, within=5)
        a.replies = refusing("eth_getLogs")
        for _ in range(BRIDGED):
            assert len(await both.hedged.logs(block, within=5)) == 2, "and so does one that gave its own"


async def test_a_second_node_that_lies_is_not_believed() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)
        lie_about_hashes(b)
        a.delay = 0.4
        honest = await both.evm.block(2, within=5)
        for _ in range(3):
            assert await both.hedged.block(2, within=5) == honest


async def test_where_neither_helps_the_first_ones_error_is_told() -> None:
    async with providers() as (chain, (a, b)), Both(a, b) as both:
        await _talk(chain, both)
        a.hole()
        b.hole()
        with pytest.raises(NodeError, match="on a"):
            await both.hedged.block(2, within=0.5)
