"""The change stream: `GET /v1/events`, server-sent events that say "fetch again". One writer tells everybody; nobody holds it up.

The bytes of an event are made once and written straight to every connection, a few hundred in a turn of the loop. Who does not
read is skipped: one pending "fetch again" is as good as many, and who has not read for a while is let go.
"""

import asyncio
import contextlib
import itertools
import time

import msgspec
from aiohttp import HttpVersion11, web

from monitor import metrics
from monitor.api.flags import BOARD
from monitor.breaker.flags import FlagBoard

KEEPALIVE_SECONDS = 10.0
A_TURN = 250
"""Connections written to before other tasks get a turn: a millisecond or two."""

BEHIND = 4096
"""Bytes a connection may leave unread before it is skipped."""

MISSES = 6
"""Times on end that a connection is skipped before it is let go."""

_ids = itertools.count(1)


def announcement(version: str) -> bytes:
    """One event in OFREP's shape: notification only, the reader fetches the flags itself."""
    data = msgspec.json.encode({"type": "refetchEvaluation", "etag": f'"{version}"', "lastModified": int(time.time())})
    return b"id: %d\nevent: message\ndata: %s\n\n" % (next(_ids), data)


class Audience:
    """Everybody who listens, and the one task that tells them. It runs while anybody is there."""

    def __init__(self, board: FlagBoard) -> None:
        self._board = board
        self._seats: dict[asyncio.Transport, list[int]] = {}
        """Connection -> whether it takes chunks, and how often on end it was skipped."""
        self._teller: asyncio.Task[None] | None = None

    def join(self, transport: asyncio.Transport, *, chunked: bool) -> None:
        """From now on this connection is told."""
        self._seats[transport] = [chunked, 0]
        metrics.STREAM_CLIENTS.labels("sse").set(len(self._seats))
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell(), name="api/events")

    def leave(self, transport: asyncio.Transport) -> None:
        """It is gone."""
        self._seats.pop(transport, None)
        metrics.STREAM_CLIENTS.labels("sse").set(len(self._seats))
        if not self._seats and self._teller is not None:
            self._teller.cancel()
            self._teller = None

    async def _tell(self) -> None:
        changed = self._board.subscribe()
        try:
            while True:
                event = b": here\n\n"
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEEPALIVE_SECONDS):
                        await changed.wait()
                        event = announcement(self._board.version)
                changed.clear()
                await self._write(event)
        finally:
            self._board.unsubscribe(changed)

    async def _write(self, event: bytes) -> None:
        frames = (event, b"%x\r\n%s\r\n" % (len(event), event))
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


AUDIENCE: web.AppKey[Audience] = web.AppKey("audience", Audience)


async def stream(request: web.Request) -> web.StreamResponse:
    """Send the state's version at once and on every change; a comment every KEEPALIVE_SECONDS."""
    board, audience = request.app[BOARD], request.app[AUDIENCE]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(b"retry: 1000\n\n" + announcement(board.version))
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        return response  # gone already
    audience.join(transport, chunked=request.version >= HttpVersion11)
    try:
        await asyncio.get_running_loop().create_future()  # cancelled when the connection ends
    finally:
        audience.leave(transport)
    return response
