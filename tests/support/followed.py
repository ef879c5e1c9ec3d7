"""A follower over several nodes at work, as the daemon has it, with what it handed out; and two processes with one chain."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from monitor.chains.evm import Evm
from monitor.chains.health import State
from monitor.chains.link import Link
from monitor.chains.nodes import Nodes
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil
from monitor.feeds.heads import Heads
from monitor.feeds.quorum import Quorum
from tests.support.chain import CHAIN, TalkingChain
from tests.support.following import Ledger, at_work


class Followed:
    """Nodes and a follower over them, with what it handed out."""

    def __init__(self, *urls: str, quorum: int = 1) -> None:
        links = [Link(url, chain=CHAIN, provider=name) for name, url in zip("abcd", urls, strict=False)]
        self.nodes = Nodes(links, block_time=1.0, quorum=quorum)
        self.heads = Heads(self.nodes.heads, Evm(self.nodes.heads, chain=CHAIN), shorter_for=60.0)
        self.quorum = Quorum(self.nodes, self.heads, patience=1.0)
        self.ledger = Ledger()
        self.told: list[str | None] = []

    @property
    def lead(self) -> str:
        return self.nodes.leader.provider

    def state(self, name: str) -> State:
        return self.nodes.health[name].state

    async def follow(self) -> None:
        await self.nodes.capable()
        async for step in self.heads.follow():
            self.ledger.take(step)
            self.heads.acknowledge(step)

    async def until(self, true: Callable[[], bool], within: float = 20.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not true():  # noqa: ASYNC110 - seen from outside, as an operator would
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain: tip {self.heads.tip}, nodes {self.nodes.facts()}") from None

    async def caught_up(self, chain: TalkingChain) -> None:
        head = await chain.head()
        await self.until(lambda: self.heads.tip is not None and self.heads.tip.id == head.id)
        assert self.ledger.logs == await chain.canonical(min(self.ledger.blocks))


@contextlib.asynccontextmanager
async def followed(*urls: str, quorum: int = 1) -> AsyncIterator[Followed]:
    made = Followed(*urls, quorum=quorum)
    quorum_at_work = made.quorum.run(lambda: made.told.append(made.quorum.trouble))
    async with at_work(made.nodes.run(), made.follow(), quorum_at_work):
        yield made


@contextlib.asynccontextmanager
async def twins() -> AsyncIterator[tuple[tuple[Anvil, TalkingChain], ...]]:
    """Two processes with one chain: the same first block, the same clock, and, where both are told the same, the same blocks."""
    now = str(int(time.time()))
    async with await Anvil.start("--timestamp", now) as first, await Anvil.start("--timestamp", now) as second:
        made = []
        for node in (first, second):
            rpc = await Rpc.connect(node.ws, provider="test", chain=CHAIN)
            await rpc.call("anvil_setBlockTimestampInterval", (1,), timeout=5)
            await rpc.close()
            made.append((node, await TalkingChain.on(node)))
        yield tuple(made)
        for _, chain in made:
            await chain.close()


async def _speaking(chain: TalkingChain, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await chain.speak()
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def speaking(chain: TalkingChain) -> AsyncIterator[None]:
    """Blocks with logs keep coming meanwhile."""
    stop = asyncio.Event()
    task = asyncio.create_task(_speaking(chain, stop))
    try:
        yield
    finally:
        stop.set()
        await task
