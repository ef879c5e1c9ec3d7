"""The observer: stands outside the daemon and notes, by its own clock, what the chain and the flags show and when.

Nothing here asks the daemon how it did. Pending transactions and blocks come from the observer's own subscription; flags are
read over HTTP like any payment service would, when the change stream says that something changed.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

_BLIND_EVERY = 0.25
_NOTED = 20_000


class Observer:
    """Notes `pending_at[tx]`, `mined_at[tx]`, `head_at[height]`, `paused_at[integration]`: unix seconds, by its own clock."""

    def __init__(self, chain_ws: str, url: str) -> None:
        self.chain_ws = chain_ws
        self.url = url
        self.pending_at: dict[str, float] = {}
        self.mined_at: dict[str, float] = {}
        self.mined_in: dict[str, int] = {}
        self.head_at: dict[int, float] = {}
        self.flags: dict[str, dict[str, Any]] = {}
        self.paused_at: dict[str, float] = {}
        self.blind_seconds = 0.0
        self.changed = asyncio.Condition()
        self._awaited: list[str] = []
        self._http: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session to the daemon's read listener."""
        if self._http is None:
            raise RuntimeError("watch() first")
        return self._http

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["Observer"]:
        """Watch until the block ends."""
        async with aiohttp.ClientSession() as self._http, asyncio.TaskGroup() as tasks:
            await self.read_flags()
            running = [
                tasks.create_task(self._chain(), name="observer-chain"),
                tasks.create_task(self._changes(), name="observer-flags"),
                tasks.create_task(self._blindness(), name="observer-blindness"),
            ]
            try:
                yield self
            finally:
                for task in running:
                    task.cancel()

    async def read_flags(self) -> dict[str, dict[str, Any]]:
        """Read every flag; note each integration's first pause."""
        async with self.http.get(f"{self.url}/v1/flags") as answer:
            flags = (await answer.json())["flags"]
        now = time.time()
        for flag in flags:
            self._note(flag, now)
        async with self.changed:
            self.changed.notify_all()
        return self.flags

    async def read_flag(self, integration: str) -> float:
        """Read one flag; returns how long the read took, milliseconds."""
        started = time.perf_counter()
        async with self.http.get(f"{self.url}/v1/flags/{integration}") as answer:
            flag = json.loads(await answer.read())
        took = (time.perf_counter() - started) * 1e3
        self._note(flag, time.time())
        async with self.changed:
            self.changed.notify_all()
        return took

    async def until_paused(self, integration: str, within: float) -> float | None:
        """When this integration's flag was first read as `pause`, or None if it was not `within` seconds.

        Meanwhile a change is answered by reading this flag alone, as a payment service reads the one it needs.
        """
        self._awaited.append(integration)
        try:
            return await self._until(lambda: self.paused_at.get(integration), within)
        finally:
            self._awaited.remove(integration)

    async def until_mined(self, tx: str, within: float) -> float | None:
        """When the block with this transaction was announced, or None."""
        return await self._until(lambda: self.mined_at.get(tx), within)

    async def _until(self, fact: Any, within: float) -> float | None:  # noqa: ANN401 - any look-up
        try:
            async with asyncio.timeout(within), self.changed:
                await self.changed.wait_for(lambda: fact() is not None)
        except TimeoutError:
            return None
        return float(fact())

    def _note(self, flag: dict[str, Any], now: float) -> None:
        integration = flag["integration"]
        self.flags[integration] = flag
        if flag["state"] == "pause":
            self.paused_at.setdefault(integration, now)

    async def _changes(self) -> None:
        """Follow the change stream; on each announcement read again: the flag that is waited for, or all of them."""
        async with self.http.get(f"{self.url}/v1/events", timeout=aiohttp.ClientTimeout(total=None, sock_read=60)) as stream:
            async for line in stream.content:
                if not line.startswith(b"data:"):
                    continue
                if self._awaited:
                    for integration in self._awaited:
                        await self.read_flag(integration)
                else:
                    await self.read_flags()

    async def _blindness(self) -> None:
        """Add up the time during which any flag says unknown."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(_BLIND_EVERY)
            flags, now = await self.read_flags(), time.monotonic()
            if any(flag["state"] == "unknown" for flag in flags.values()):
                self.blind_seconds += now - before
            before = now

    async def _chain(self) -> None:
        """The observer's own eyes on the chain: pending hashes and heads as they are pushed."""
        async with self.http.ws_connect(self.chain_ws, max_msg_size=2**24) as socket:
            for number, topic in ((1, "newPendingTransactions"), (2, "newHeads")):
                await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": [topic]}))
            async for message in socket:
                now = time.time()
                result = json.loads(message.data).get("params", {}).get("result")
                if isinstance(result, str):
                    self.pending_at.setdefault(result, now)
                    _forget(self.pending_at)
                elif isinstance(result, dict):
                    await self._head(result, now)

    async def _head(self, head: dict[str, Any], now: float) -> None:
        """A block was announced at `now`. The node of the show names its transactions in the announcement."""
        height = int(head["number"], 16)
        self.head_at[height] = now
        for tx in head.get("transactions", ()):
            self.mined_at.setdefault(tx, now)
            self.mined_in.setdefault(tx, height)
        _forget(self.mined_at)
        async with self.changed:
            self.changed.notify_all()


def _forget(noted: dict[str, float]) -> None:
    """Keep the newest; the show may run for days."""
    while len(noted) > _NOTED:
        del noted[next(iter(noted))]
