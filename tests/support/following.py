"""A follower under test: everything it hands out, kept as a ledger that a reorganisation really undoes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from detectors.events import Gap, Position, Reverted
from monitor.chains.evm import Evm
from monitor.chains.link import Link
from monitor.feeds.heads import Heads, Ingested, Step
from tests.support.chain import CHAIN, TalkingChain


class Ledger:
    """What a consumer has processed: logs by (block hash, index), the blocks by height, and every step in order."""

    def __init__(self) -> None:
        self.blocks: dict[int, Ingested] = {}
        self.steps: list[Step] = []
        self.gaps: list[Gap] = []

    @property
    def logs(self) -> set[tuple[str, int]]:
        """The processed set, to be compared with the chain's."""
        return {(block.block.position.id, entry.index) for block in self.blocks.values() for entry in block.logs}

    @property
    def reverts(self) -> list[tuple[int, int]]:
        """(first, last) heights of every reorganisation told."""
        return [(step.first.height, step.last.height) for step in self.steps if isinstance(step, Reverted)]

    def take(self, step: Step) -> None:
        """Process one step as a careful consumer would: nothing twice, nothing undone that was not done."""
        self.steps.append(step)
        if isinstance(step, Ingested):
            assert step.block.position.height not in self.blocks, "a height processed twice without a revert between"
            self.blocks[step.block.position.height] = step
        elif isinstance(step, Reverted):
            for height in range(step.first.height, step.last.height + 1):
                self.blocks.pop(height, None)
        else:
            self.gaps.append(step)


class Following:
    """A link and a follower running against a URL, and their ledger."""

    def __init__(self, url: str, **options: Any) -> None:  # noqa: ANN401 - handed on to Heads
        self.link = Link(url, chain=CHAIN, provider="node")
        self.heads = Heads(self.link.heads, Evm(self.link.heads, chain=CHAIN), **options)
        self.ledger = Ledger()

    async def run(self) -> None:
        """Follow until cancelled."""
        async for step in self.heads.follow():
            self.ledger.take(step)
            self.heads.acknowledge(step)

    async def until(self, true: Callable[[], bool], *, within: float = 30.0) -> None:
        """Wait until something holds; a test that waits in vain says where the follower stood."""
        try:
            async with asyncio.timeout(within):
                while not true():  # noqa: ASYNC110 - what holds is seen from outside, as an operator would
                    await asyncio.sleep(0.01)
        except TimeoutError:
            tip, trouble = self.heads.tip, self.heads.trouble
            raise AssertionError(f"waited in vain: tip {tip}, trouble {trouble}, link {self.link.state}") from None

    async def settled(self, chain: TalkingChain) -> None:
        """Wait until the tip is the node's head; then exactly the canonical blocks' logs are the processed ones."""
        head = await chain.head()
        await self.until(lambda: self.heads.tip is not None and self.heads.tip.id == head.id)
        assert self.ledger.logs == await chain.canonical(min(self.ledger.blocks, default=head.height + 1))


@contextlib.asynccontextmanager
async def at_work(*running: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Keep these running for the length of a block; one that failed meanwhile fails the block."""
    tasks = [asyncio.create_task(one) for one in running]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def following(url: str, cursor: Position | None = None, **options: Any) -> AsyncIterator[Following]:  # noqa: ANN401
    """A follower at work."""
    made = Following(url, cursor=cursor, **options)
    async with at_work(made.link.run(), made.run()):
        yield made
