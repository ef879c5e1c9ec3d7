"""A node that lacks tracers: a proxy before the real one that refuses what such nodes refuse."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

NO_ORDER, NO_TRACER = "no storage order", "no tracer"
"""What is missing: JavaScript tracers, as at most providers; or every tracer."""

_TRACES = ("debug_trace", "trace_")


def refused(lack: str, frame: bytes) -> bytes | None:
    """The answer to a question that such a node refuses, None for any other."""
    asked = json.loads(frame)
    if isinstance(asked, list) or not asked["method"].startswith(_TRACES):
        return None
    if lack == NO_ORDER and b"step:" not in frame and b"step :" not in frame:
        return None
    error = {"code": -32601, "message": f"the method {asked['method']} does not exist/is not available"}
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()


@asynccontextmanager
async def blindfold(ws: str, lack: str) -> AsyncIterator[str]:
    """The URL of the node as seen without its tracers."""

    async def through(client: ServerConnection) -> None:
        async with connect(ws, compression=None, max_size=None, ping_interval=None) as node:

            async def down() -> None:
                try:
                    async for frame in node:
                        await client.send(frame, text=True)
                except ConnectionClosed:
                    return

            back = asyncio.create_task(down())
            try:
                async for frame in client:
                    raw = frame if isinstance(frame, bytes) else frame.encode()
                    no = refused(lack, raw)
                    await (node.send(raw, text=True) if no is None else client.send(no, text=True))
            except ConnectionClosed:
                pass
            finally:
                back.cancel()

    async with serve(through, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
