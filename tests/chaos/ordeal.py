"""What befalls the nodes of a daemon and their chain, one fault at a time; whoever changes the chain holds the lock."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable
from http import HTTPStatus
from typing import Protocol, Self

from tests.chaos.plan import Fault, Mode
from tests.support.fault_proxy import FaultProxy
from tests.support.frame_faults import FrameFaults
from tests.support.lockstep import DEPOSIT, Lockstep

HISTORY = 12
"""Blocks before anyone follows."""
SILENT, CROWDED, DRAINED = 0.15, 0.30, 0.40
"""Shares of blocks without a log, with several transactions, and with one that takes a tenth of the bank."""
LOST_ORDERS = 6
"""Orders that a killed node may have forgotten when it is back, and learns again a moment later."""


class Gone(Protocol):
    """Takes nodes away, or gives them back."""

    def __call__(self, nodes: list[int], *, away: bool) -> Awaitable[None]:
        """These."""


class Ordeal:
    """Nodes in lockstep, each behind its proxy. `heads` is every head of the clean chain, with our clock (unix seconds)."""

    def __init__(self, chain: Lockstep, proxies: list[FaultProxy], mode: Mode, seed: int) -> None:
        self.chain, self.proxies, self.mode = chain, proxies, mode
        self.frames = [FrameFaults(seed * 10 + number) for number in range(mode.nodes)]
        self.heads: list[tuple[float, str]] = []
        self.back: list[float] = []
        """When a node was back after all had been gone (unix seconds)."""
        self.stopping = False
        self._lock = asyncio.Lock()
        self._dice = random.Random(f"ordeal {seed}")
        self._bad = self._dice.sample(range(mode.nodes), mode.bad)

    @classmethod
    @contextlib.asynccontextmanager
    async def begin(cls, mode: Mode, seed: int) -> AsyncIterator[Self]:
        """Start everything, with some history, and all of it well."""
        async with contextlib.AsyncExitStack() as stack:
            chain = await stack.enter_async_context(Lockstep.begin(mode.nodes, HISTORY))
            proxies = [await stack.enter_async_context(FaultProxy(twin.node.ws)) for twin in chain.nodes]
            ordeal = cls(chain, proxies, mode, seed)
            await ordeal.look()
            yield ordeal

    def start(self) -> None:
        """From now on the frames of the bad ones suffer."""
        for number in self._bad:
            self.frames[number].begin(self.proxies[number])

    async def end(self) -> None:
        """No more faults."""
        for frames, proxy in zip(self.frames, self.proxies, strict=True):
            frames.end(proxy)
        async with self._lock:
            await self.chain.catch_up()

    async def look(self) -> str:
        """Note the head of the moment."""
        head = await self.chain.head()
        self.heads.append((time.time(), head.id))
        return head.id

    async def talk(self) -> None:
        """Traffic until told to stop: about two blocks a second."""
        while not self.stopping:
            await self.block()
            await asyncio.sleep(self._dice.uniform(0.2, 0.6))

    async def block(self) -> str:
        """One more. The head then."""
        async with self._lock:
            await self._block()
            return await self.look()

    async def _block(self) -> None:
        roll = self._dice.random()
        if roll < SILENT:
            await self.chain.block(0)
        elif roll < CROWDED:
            await self.chain.block(self._dice.randint(2, 8))
        elif roll < DRAINED:
            await self.chain.block(1, drained=self._dice.randint(DEPOSIT // 40, DEPOSIT // 20))
        else:
            await self.chain.block(1)

    async def befall(self, fault: Fault) -> int | None:
        """One fault from beginning to end. Which node it befell, if any single one."""
        node = self._bad[fault.node % len(self._bad)]
        match fault.kind:
            case "reorg" | "deep_reorg" | "rollback":
                await self._shake(fault)
                return None
            case "all_down":
                await self._all(self._holes, fault)
                return None
            case "all_dead":
                await self._all(self._deaths, fault)
                return None
            case "node_frozen" | "node_killed":
                await self._strike(fault, node)
            case _:
                await self._disturb(fault, self.proxies[node], self.frames[node])
        return node

    async def _disturb(self, fault: Fault, proxy: FaultProxy, frames: FrameFaults) -> None:
        match fault.kind:
            case "reset":
                proxy.reset()
            case "cut":
                proxy.cut()
            case "refused":
                proxy.refusing = lambda: HTTPStatus.TOO_MANY_REQUESTS
                proxy.reset()
                await asyncio.sleep(fault.seconds)
                proxy.refusing = lambda: None
            case "black_hole":
                proxy.hole()
                await asyncio.sleep(fault.seconds)
                proxy.clear()
            case "slow":
                proxy.delay = self._dice.uniform(0.02, 0.15)
                await asyncio.sleep(fault.seconds)
                proxy.delay = 0.0
            case "stall":
                frames.stalled = True
                await asyncio.sleep(fault.seconds)
                frames.stalled = False
            case "lying_head":
                frames.lying = True
                await asyncio.sleep(fault.seconds)
                frames.lying = False

    async def _shake(self, fault: Fault) -> None:
        async with self._lock:
            if fault.kind == "rollback":
                await self.chain.rollback(fault.depth)
                await self.look()
                await asyncio.sleep(self._dice.uniform(0.0, 0.5))
                await self.chain.block(1)
            else:
                await self.chain.reorg(fault.depth, speaking=self._dice.random() < 0.8)
            await self.look()

    async def _strike(self, fault: Fault, node: int) -> None:
        twin = self.chain.nodes[node]
        async with self._lock:
            if fault.kind == "node_frozen":
                twin.freeze()
            else:
                await twin.kill()
        await asyncio.sleep(fault.seconds)
        async with self._lock:
            if fault.kind == "node_frozen":
                twin.thaw()
            else:
                await self._revive(node, behind=self._dice.randint(0, LOST_ORDERS))
        await asyncio.sleep(self._dice.uniform(0.0, 0.3))
        async with self._lock:
            await self.chain.catch_up()

    async def _all(self, gone: Gone, fault: Fault) -> None:
        """Every node is gone for a while; then one is back, and the others a moment later."""
        first, *others = self._dice.sample(range(self.mode.nodes), self.mode.nodes)
        await gone([first, *others], away=True)
        await asyncio.sleep(fault.seconds)
        await gone([first], away=False)
        self.back.append(time.time())
        await asyncio.sleep(self._dice.uniform(1.0, 2.0))
        await gone(others, away=False)

    async def _holes(self, nodes: list[int], *, away: bool) -> None:
        for number in nodes:
            (self.proxies[number].hole if away else self.proxies[number].clear)()

    async def _deaths(self, nodes: list[int], *, away: bool) -> None:
        async with self._lock:
            for number in nodes:
                await (self.chain.nodes[number].kill() if away else self._revive(number, behind=0))
            await self.chain.catch_up()

    async def _revive(self, node: int, *, behind: int) -> None:
        self.proxies[node].upstream = await self.chain.revive(node, behind=behind)
