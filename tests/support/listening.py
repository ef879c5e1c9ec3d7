"""A pending feed at work on a node that mines only when told to, and what the feed gave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from detectors.events import Event
from monitor.chains.link import Link
from monitor.demo.anvil import Anvil
from monitor.feeds.pending import Pending
from tests.support.chain import CHAIN, TalkingChain


class Listening:
    """A pending feed at work, and what it gave."""

    def __init__(self, url: str, **options: Any) -> None:  # noqa: ANN401 - handed on to Pending
        self.link = Link(url, chain=CHAIN, provider="node")
        self.pending = Pending(self.link.pending, chain=CHAIN, **options)
        self.events: list[Event] = []
        self.slow = 0.0

    async def run(self) -> None:
        async for event in self.pending.follow():
            self.events.append(event)
            if self.slow:
                await asyncio.sleep(self.slow)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, true: Callable[[], bool], *, within: float = 20.0) -> None:
        async with asyncio.timeout(within):
            while not true():  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.005)

    async def subscribed(self) -> None:
        await self.until(lambda: self.pending._queue is not None)


@contextlib.asynccontextmanager
async def listening(url: str, **options: Any) -> AsyncIterator[Listening]:  # noqa: ANN401 - as above
    made = Listening(url, **options)
    tasks = [asyncio.create_task(made.link.run()), asyncio.create_task(made.run())]
    try:
        await made.subscribed()
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def pooling(*options: str) -> AsyncIterator[tuple[Anvil, TalkingChain]]:
    """A node that mines only when told to."""
    async with await Anvil.start(*options) as node:
        chain = await TalkingChain.on(node)
        await chain.call("evm_setAutomine", *[False])
        try:
            yield node, chain
        finally:
            await chain.close()


async def send(chain: TalkingChain, **changed: str) -> str:
    """A pending transaction's id."""
    return str(await chain.call("eth_sendTransaction", chain.words() | changed))
