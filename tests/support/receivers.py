"""A real HTTP receiver on loopback whose manners a test chooses: prompt, failing, throttling, hanging, cutting the line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

import msgspec
from aiohttp import web

Manner = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Received(msgspec.Struct, frozen=True):
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        """The body, decoded."""
        return cast("object", msgspec.json.decode(self.body))


class Receiver:
    """`url` to post to; `received` holds every request in order, those it then failed among them."""

    def __init__(self, manners: Iterable[Manner]) -> None:
        self._manners = iter(manners)
        self._came = asyncio.Event()
        self.received: list[Received] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Record the request, then behave as the next manner says; prompt once they are used up."""
        self.received.append(Received(request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read()))
        self._came.set()
        return await next(self._manners, prompt)(request)

    async def wait_for(self, count: int, within: float = 20.0) -> list[Received]:
        """Until so many requests have come."""
        async with asyncio.timeout(within):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()
        return self.received


@asynccontextmanager
async def receiver(*manners: Manner, port: int = 0) -> AsyncIterator[Receiver]:
    """Run a receiver; each request meets the next of `manners`. Port 0 takes a free one."""
    made = Receiver(manners)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield made
    finally:
        await runner.cleanup()


async def prompt(_: web.Request) -> web.StreamResponse:
    """Takes it."""
    return web.Response()


def answers(status: int, **headers: str) -> Manner:
    """Refuses with this status; header names are written with underscores."""

    async def manner(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="no", headers={name.replace("_", "-"): value for name, value in headers.items()})

    return manner


async def hangs(_: web.Request) -> web.StreamResponse:
    """Takes the body and never answers."""
    await asyncio.Event().wait()
    raise AssertionError


async def cuts(request: web.Request) -> web.StreamResponse:
    """Takes the body and resets the connection: whether it was understood, the sender cannot know."""
    transport = request.transport
    assert transport is not None
    cast("asyncio.WriteTransport", transport).abort()
    return web.Response()


async def until(true: Callable[[], Awaitable[bool] | bool], within: float = 20.0) -> None:
    """Look until it is so; the state looked at belongs to another process, or tells nobody when it changes."""
    async with asyncio.timeout(within):
        while True:
            seen = true()
            if await seen if isinstance(seen, Awaitable) else seen:
                return
            await asyncio.sleep(0.02)
