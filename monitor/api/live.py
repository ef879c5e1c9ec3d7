"""The change stream: `GET /v1/events`, server-sent events that say "fetch again". A slow reader coalesces and blocks no flip."""

import asyncio
import itertools
import time

import msgspec
from aiohttp import web

from monitor import metrics
from monitor.api.flags import BOARD

KEEPALIVE_SECONDS = 10.0
MOST_CLIENTS = 10_000
_ids = itertools.count(1)


def announcement(version: str) -> bytes:
    """One event in OFREP's shape: notification only, the reader fetches the flags itself."""
    data = msgspec.json.encode({"type": "refetchEvaluation", "etag": f'"{version}"', "lastModified": int(time.time())})
    return b"id: %d\nevent: message\ndata: %s\n\n" % (next(_ids), data)


async def stream(request: web.Request) -> web.StreamResponse:
    """Send the state's version at once and on every change; a comment every KEEPALIVE_SECONDS."""
    board = request.app[BOARD]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    changed = board.subscribe()
    metrics.STREAM_CLIENTS.labels("sse").inc()
    try:
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n" + announcement(board.version))
        while True:
            try:
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    await changed.wait()
            except TimeoutError:
                await response.write(b": here\n\n")
                continue
            changed.clear()
            await response.write(announcement(board.version))
    except (ConnectionResetError, ConnectionError):
        return response
    finally:
        board.unsubscribe(changed)
        metrics.STREAM_CLIENTS.labels("sse").dec()
