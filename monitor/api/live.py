"""The change stream: `GET /v1/events`, server-sent events that say "fetch again". One writer tells everybody; nobody holds it up.

The bytes of an event are made once and written straight to every connection, many in a turn of the loop. Who does not read is
skipped: one pending "fetch again" is as good as many, and who has not read for a while is let go. Who asks in the plain way is
shown from the door to a seat: there is no task behind it, so that thousands who leave at once hold up nobody who stays.
"""

import asyncio
import contextlib
import itertools
import time
from typing import Protocol, cast

import msgspec
from aiohttp import HttpVersion11, web

from monitor import metrics
from monitor.api.hot import odd

KEEPALIVE_SECONDS = 10.0
A_TURN = 1000
"""Connections written to before others get a turn: ten milliseconds; every turn is one for a crowd that leaves, too."""

BEHIND = 4096
"""Bytes a connection may leave unread before it is skipped."""

MISSES = 6
"""Times on end that a connection is skipped before it is let go."""

_ASKED = b"GET /v1/events HTTP/1.1\r\n"
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_ids = itertools.count(1)


def announcement(version: str) -> bytes:
    """One event in OFREP's shape: notification only, the reader fetches the flags itself."""
    data = msgspec.json.encode({"type": "refetchEvaluation", "etag": f'"{version}"', "lastModified": int(time.time())})
    return b"id: %d\nevent: message\ndata: %s\n\n" % (next(_ids), data)


def wants_news(data: bytes) -> bool:
    """Is this one whole request for the stream, and nothing but that?"""
    return data.startswith(_ASKED) and data.find(b"\r\n\r\n") == len(data) - 4 and not odd(data.lower())


def chunk(data: bytes) -> bytes:
    """As HTTP/1.1 sends what has no length."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Source(Protocol):
    """What is listened to: a `FlagBoard`, or whatever else changes. `version` is another one with every change."""

    @property
    def version(self) -> str: ...  # noqa: D102 - the class says it

    def subscribe(self) -> asyncio.Event: ...  # noqa: D102 - as FlagBoard's

    def unsubscribe(self, changed: asyncio.Event) -> None: ...  # noqa: D102 - as FlagBoard's


class Audience:
    """Everybody who listens, and the one task that tells them. It runs while anybody is there. `name` is the metric's."""

    def __init__(self, source: Source, name: str = "sse") -> None:
        self._source = source
        self._seats: dict[asyncio.Transport, list[int]] = {}
        """Connection -> whether it takes chunks, and how often on end it was skipped."""
        self._teller: asyncio.Task[None] | None = None
        self._size = metrics.STREAM_CLIENTS.labels(name)

    def greeting(self) -> bytes:
        """What everybody is told first."""
        return b"retry: 1000\n\n" + announcement(self._source.version)

    def join(self, transport: asyncio.Transport, *, chunked: bool) -> None:
        """From now on this connection is told."""
        self._seats[transport] = [chunked, 0]
        self._size.set(len(self._seats))
        if self._teller is None or self._teller.done():
            changed = self._source.subscribe()  # not only when the task begins: what changes until then is news, too
            self._teller = asyncio.create_task(self._tell(changed), name="api/events")
            self._teller.add_done_callback(lambda _: self._source.unsubscribe(changed))

    def leave(self, transport: asyncio.Transport) -> None:
        """It is gone."""
        self._seats.pop(transport, None)
        self._size.set(len(self._seats))
        if not self._seats and self._teller is not None:
            self._teller.cancel()
            self._teller = None

    async def _tell(self, changed: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    await changed.wait()
            event = b": here\n\n"
            if changed.is_set():  # looked at after the wait: a change may come in the very turn in which the time is up
                changed.clear()
                event = announcement(self._source.version)
            await self._write(event)

    async def _write(self, event: bytes) -> None:
        frames = (event, chunk(event))
        for number, (transport, seat) in enumerate(list(self._seats.items()), 1):
            if transport.is_closing():
                continue
            if transport.get_write_buffer_size() <= BEHIND:
                seat[1] = 0
                transport.write(frames[seat[0]])
            else:
                seat[1] += 1
                if seat[1] >= MISSES:
                    transport.abort()
            if number % A_TURN == 0:
                await asyncio.sleep(0)


class Seat(asyncio.Protocol):
    """A connection that only listens, among the `guests` of a listener. What it sends from here on is passed over."""

    def __init__(self, audience: Audience, guests: set["Seat"]) -> None:
        self._audience = audience
        self._guests = guests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell it how things stand, and from now on whatever changes."""
        self._transport = cast("asyncio.Transport", transport)
        self._guests.add(self)
        self._transport.write(_HEAD + chunk(self._audience.greeting()))
        self._audience.join(self._transport, chunked=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It is gone."""
        self._guests.discard(self)
        self._audience.leave(self._transport)

    def leave(self) -> None:
        """Close the connection."""
        self._transport.close()


AUDIENCE: web.AppKey[Audience] = web.AppKey("audience", Audience)


async def stream(request: web.Request) -> web.StreamResponse:
    """Send the state's version at once and on every change; a comment every KEEPALIVE_SECONDS."""
    return await listening(request, request.app[AUDIENCE])


async def listening(request: web.Request, audience: Audience) -> web.StreamResponse:
    """Keep a connection told until it ends."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(audience.greeting())
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        return response  # gone already
    audience.join(transport, chunked=request.version >= HttpVersion11)
    try:
        await asyncio.get_running_loop().create_future()  # cancelled when the connection ends
    finally:
        audience.leave(transport)
    return response
