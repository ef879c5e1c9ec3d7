"""A real node behind a faulty proxy, its traffic, and what can befall it; whoever changes the chain holds the lock."""

import asyncio
import contextlib
import random
import signal
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from detectors.events import Position
from monitor.chains.rpc import MIB, Rpc
from monitor.demo.anvil import Anvil
from tests.chaos.plan import Fault
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy
from tests.support.frame_faults import FrameFaults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HISTORY = 12
"""Blocks before anyone follows, so that there is something to catch up with and nothing reorganises the beginning."""
SILENT, CROWDED = 0.15, 0.30
"""Shares of blocks without a log, and with several transactions."""


class World:
    """One node at a time. `heads` is every head the chain had, with our clock (monotonic seconds) when it was known."""

    def __init__(self, node: Anvil, proxy: FaultProxy, chain: TalkingChain, seed: int) -> None:
        self.node, self.proxy, self.chain = node, proxy, chain
        self.frames = FrameFaults(seed)
        self.heads: list[tuple[float, Position]] = []
        self.lock = asyncio.Lock()
        self.stopping = False
        self._dice = random.Random(f"traffic {seed}")
        self._bottom = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def begin(cls, seed: int) -> "AsyncIterator[World]":
        """Start everything, with some history."""
        node = await Anvil.start()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(node.stop)
            proxy = await stack.enter_async_context(FaultProxy(node.ws))
            world = cls(node, proxy, await TalkingChain.on(node), seed)
            stack.push_async_callback(world.end)
            await world.chain.speak(HISTORY)
            await world.look()
            yield world

    async def end(self) -> None:
        """Stop the node of the moment, frozen or not."""
        await self.chain.close()
        if self.node.process.returncode is None:
            self.node.process.send_signal(signal.SIGCONT)
        await self.node.stop()

    async def look(self) -> Position:
        """Note the head of the moment."""
        head = await self.chain.head()
        self.heads.append((time.monotonic(), head))
        return head

    async def talk(self) -> None:
        """Traffic until told to stop: about eight blocks a second."""
        while not self.stopping:
            async with self.lock:
                await self._block()
                await self.look()
            await asyncio.sleep(self._dice.uniform(0.02, 0.2))

    async def _block(self) -> None:
        roll = self._dice.random()
        if roll < SILENT:
            await self.chain.mine()
        elif roll < CROWDED:
            await self.chain.speak_at_once(self._dice.randint(2, 8))
        else:
            await self.chain.speak()

    async def befall(self, fault: Fault) -> None:
        """One fault from beginning to end, but for the consumer's own death."""
        match fault.kind:
            case "reset":
                self.proxy.reset()
            case "cut":
                self.proxy.cut()
            case "refused":
                self.proxy.refusing = lambda: HTTPStatus.TOO_MANY_REQUESTS
                self.proxy.reset()
                await asyncio.sleep(fault.seconds)
                self.proxy.refusing = lambda: None
            case "black_hole":
                self.proxy.hole()
                await asyncio.sleep(fault.seconds)
                self.proxy.clear()
            case "slow":
                self.proxy.delay = self._dice.uniform(0.02, 0.15)
                await asyncio.sleep(fault.seconds)
                self.proxy.delay = 0.0
            case "stall":
                self.frames.stalled = True
                await asyncio.sleep(fault.seconds)
                self.frames.stalled = False
            case "lying_head":
                self.frames.lying = True
                await asyncio.sleep(fault.seconds)
                self.frames.lying = False
            case _:
                async with self.lock:
                    await self._shake(fault)
                    await self.look()

    async def _shake(self, fault: Fault) -> None:
        depth = min(fault.depth, await self.chain.height() - self._bottom - 1)
        match fault.kind:
            case "reorg" | "deep_reorg" if depth > 0:
                await self.chain.reorg(depth, speaking=self._dice.random() < 0.8)
            case "rollback" if depth > 0:
                await self.chain.call("anvil_rollback", depth)
            case "node_frozen":
                self.node.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(fault.seconds)
                self.node.process.send_signal(signal.SIGCONT)
            case "node_killed":
                await self._restart(fault)

    async def _restart(self, fault: Fault) -> None:
        """SIGKILL, and back with what was saved: what the node had not saved by then never happened."""
        saved = await self.chain.call("anvil_dumpState")
        for _ in range(self._dice.randint(0, fault.depth)):
            await self.chain.speak()
        self.node.process.kill()
        await self.node.process.wait()
        await self.chain.close()
        await asyncio.sleep(fault.seconds)
        self.node = await Anvil.start()
        self.chain.rpc = await Rpc.connect(self.node.ws, provider="test", chain=CHAIN, max_size=64 * MIB)
        await self.chain.call("anvil_loadState", saved)
        self._bottom = await self.chain.height()  # it has no older states, so it can go back to here at most
        self.proxy.upstream = self.node.ws
