"""Blindness of a whole daemon over three providers: none while one of them is bad, and over soon after any one is back.

Each test prints what it measured (`pytest -s`); what it asserts are orderings and generous bounds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from monitor.demo.anvil import Anvil
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import FaultProxy
from tests.support.providers import be_honest, lie_about_hashes

BLOCK = 1.0
BLIND_AFTER = 5.0


class Watched:
    """A daemon, and how long its flag was in which state."""

    def __init__(self, daemon: Daemon, proxies: list[FaultProxy]) -> None:
        self.daemon, self.proxies = daemon, proxies
        self.seconds: dict[str, float] = {}

    async def poll(self) -> None:
        """Look every few milliseconds until cancelled."""
        before = time.monotonic()
        while True:
            state = (await self.daemon.flag() or {})["state"]
            now = time.monotonic()
            self.seconds[state] = self.seconds.get(state, 0.0) + now - before
            before = now
            await asyncio.sleep(0.02)

    async def node(self, name: str) -> str:
        async with self.daemon.http.get(f"{self.daemon.read}/-/healthy") as answer:
            nodes = (await answer.json())["chains"]["test"]["nodes"]
        return str(next(node["state"] for node in nodes if node["name"] == name))

    async def until_node(self, name: str, *states: str, within: float = 30.0) -> float:
        """Seconds until a node is in one of these states."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            while await self.node(name) not in states:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.02)
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    async with await Anvil.start("--block-time", "1") as node, contextlib.AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(node.ws)) for _ in range(3)]
        config = settings(folder, proxies[0].ws, blind_after=f"{BLIND_AFTER:g}s")
        nodes = [{"name": name, "ws": proxy.ws} for name, proxy in zip("abc", proxies, strict=True)]
        config["chains"]["test"] |= {"nodes": nodes, "quorum": 2}
        async with Daemon(folder, config) as daemon:
            await daemon.until("run")
            it = Watched(daemon, proxies)
            for name in "abc":
                await it.until_node(name, "alive")
            yield it


async def test_with_one_of_three_nodes_bad_nobody_is_told_unknown(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        a, b, c = it.proxies
        polling = asyncio.create_task(it.poll())
        a.hole()
        noticed = await it.until_node("a", "unreachable")
        await asyncio.sleep(BLIND_AFTER)
        a.clear()
        await it.until_node("a", "alive")
        lie_about_hashes(b)
        await asyncio.sleep(BLIND_AFTER)
        be_honest(b)
        for _ in range(3):
            c.reset()
            await asyncio.sleep(BLOCK)
        polling.cancel()
        unknown = it.seconds.get("unknown", 0.0)
        print(f"a hole in the lead noticed after {noticed:.2f} s; {unknown:.2f} of {sum(it.seconds.values()):.0f} s unknown")  # noqa: T201 - the measure
        assert it.seconds.keys() == {"run"}
        assert noticed < 10.0


async def test_when_all_were_down_one_that_is_back_ends_the_blindness_at_once(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        for proxy in it.proxies:
            proxy.hole()
        await it.daemon.until("unknown")
        gone = time.monotonic()
        await asyncio.sleep(2.0)
        for proxy in it.proxies[1:]:
            proxy.clear()  # two, since two must agree
        back = time.monotonic()
        await it.daemon.until("run")
        took = time.monotonic() - back
        print(f"all down for {back - gone:.1f} s after unknown began; two back: run after {took:.2f} s")  # noqa: T201 - the measure
        assert took < BLIND_AFTER
