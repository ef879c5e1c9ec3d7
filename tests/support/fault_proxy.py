"""A node's bad day: a WebSocket proxy before a real anvil that drops, doubles, spoils or swallows single JSON-RPC frames.

Behind it is a real chain, so no fault is a hand-made transcript. Rules are plain functions: a push rule is given a notification
and returns the frames to send in its place; a reply rule is given the methods that were asked and the frame.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PushRule = Callable[[bytes], Iterable[bytes]]
ReplyRule = Callable[[tuple[str, ...], bytes], Iterable[bytes]]

HALF_A_FRAME = b'\x81\x7e\x10\x00{"jsonrpc":"2.0","id":1,"result":{"number":"0x'
"""A WebSocket text frame of 4,096 bytes, of which a few come."""


def unchanged(frame: bytes) -> Iterable[bytes]:
    """The push as it is."""
    return (frame,)


def unchanged_reply(_: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
    """The reply as it is."""
    return (frame,)


def answer(frame: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The reply with something about it changed."""
    reply = json.loads(frame)
    change(reply)
    return json.dumps(reply).encode()


class FaultProxy:
    """Use as `async with FaultProxy(node.ws) as proxy`; clients connect to `proxy.ws`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.pushes: PushRule = unchanged
        self.replies: ReplyRule = unchanged_reply
        self.refusing: Callable[[], HTTPStatus | None] = lambda: None
        self.asked: list[str] = []
        self.delay = 0.0
        self.connections = 0
        self.allows: int | None = None
        self._taken = 0
        self.port = 0
        self._server: Server | None = None
        self._open: set[ServerConnection] = set()
        self._through = asyncio.Event()
        self._through.set()

    @property
    def ws(self) -> str:
        """WebSocket URL of the proxy."""
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._greet, compression=None, max_size=None, ping_interval=None,
            close_timeout=0.2, open_timeout=None,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.clear()
        self.reset()
        self._server.close()
        await self._server.wait_closed()

    def hole(self) -> None:
        """Swallow everything in both directions, pings and handshakes too, while TCP stays up."""
        self._through.clear()
        for connection in self._open:
            connection.transport.pause_reading()

    def clear(self) -> None:
        """Let everything through again."""
        self._through.set()
        for connection in self._open:
            connection.transport.resume_reading()

    def reset(self) -> None:
        """Cut every connection without a farewell."""
        for connection in list(self._open):
            connection.transport.abort()

    def cut(self) -> None:
        """Cut every connection in the middle of a frame that promised more."""
        for connection in list(self._open):
            if not connection.transport.is_closing():
                with contextlib.suppress(RuntimeError):  # it has said goodbye already
                    connection.transport.write(HALF_A_FRAME)
            connection.transport.close()

    async def _greet(self, connection: ServerConnection, _: Request) -> Response | None:
        await self._through.wait()
        status = self.refusing()
        if self.allows is not None and self._taken >= self.allows:
            status = HTTPStatus.TOO_MANY_REQUESTS
        self._taken += status is None
        return None if status is None else connection.respond(status, "no\n")

    async def _serve(self, client: ServerConnection) -> None:
        self.connections += 1
        self._open.add(client)
        try:
            async with connect(self.upstream, compression=None, max_size=None, ping_interval=None, close_timeout=0.2) as node:
                methods: dict[int, str] = {}
                tasks = [
                    asyncio.create_task(self._up(client, node, methods)),
                    asyncio.create_task(self._down(client, node, methods)),
                ]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            client.transport.abort()  # the node is gone: so are we
        finally:
            self._open.discard(client)
            self._taken -= 1

    async def _up(self, client: ServerConnection, node: ClientConnection, methods: dict[int, str]) -> None:
        await _until_closed(self._ask, client, node, methods)

    async def _ask(self, client: ServerConnection, node: ClientConnection, methods: dict[int, str]) -> None:
        frame = await client.recv(decode=False)
        await self._through.wait()
        asked = json.loads(frame)
        for one in asked if isinstance(asked, list) else [asked]:
            methods[one["id"]] = one["method"]
            self.asked.append(one["method"])
        await node.send(frame, text=True)

    async def _down(self, client: ServerConnection, node: ClientConnection, methods: dict[int, str]) -> None:
        await _until_closed(self._tell, client, node, methods)

    async def _tell(self, client: ServerConnection, node: ClientConnection, methods: dict[int, str]) -> None:
        frame = await node.recv(decode=False)
        await asyncio.sleep(self.delay)
        await self._through.wait()
        said = json.loads(frame)
        if isinstance(said, dict) and said.get("method") == "eth_subscription":
            changed = self.pushes(frame)
        else:
            ids = [one["id"] for one in said] if isinstance(said, list) else [said["id"]]
            changed = self.replies(tuple(methods.pop(one, "") for one in ids), frame)
        for one in changed:
            await client.send(one, text=True)


async def _until_closed(
    move: Callable[[ServerConnection, ClientConnection, dict[int, str]], Awaitable[None]],
    client: ServerConnection,
    node: ClientConnection,
    methods: dict[int, str],
) -> None:
    try:
        while True:
            await move(client, node, methods)
    except ConnectionClosed:
        return
