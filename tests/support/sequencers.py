"""What layer 2 nodes speak, before a real anvil: flashblock rings, no mempool, a sequencer's numbered feed.

No node of those chains runs here. The protocol is replayed as their documentation has it; blocks, transactions and traces are
anvil's own, and the block being built is anvil's pending block.
"""

import asyncio
import json
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

RING = "0xf1a5b10c"
SENDER = "0xa4b000000000000000000073657175656e636572"


class Sequenced:
    """A node that refuses or ignores pending subscriptions, and rings `newFlashblocks` when told to (if `rings`)."""

    def __init__(self, upstream: str, *, refuses: bool = True, rings: bool = True) -> None:
        self.upstream = upstream
        self.refuses = refuses
        self.rings = rings
        self.ws = ""
        self._server: Server | None = None
        self._listening: set[ServerConnection] = set()

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None, max_size=None)
        self.ws = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def ring(self) -> None:
        """Another flashblock was built."""
        push = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": RING, "result": {}}}
        for client in list(self._listening):
            await client.send(json.dumps(push))

    async def _serve(self, client: ServerConnection) -> None:
        try:
            async with connect(self.upstream, compression=None, max_size=None) as node, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._up(client, node))
                tasks.create_task(self._down(client, node))
        except* (ConnectionClosed, OSError):
            pass
        finally:
            self._listening.discard(client)
            await client.close()

    async def _up(self, client: ServerConnection, node: ClientConnection) -> None:
        async for frame in client:
            asked = json.loads(frame)
            answer = self._own(asked, client) if isinstance(asked, dict) else None
            await (
                node.send(frame) if answer is None else client.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | answer))
            )
        await node.close()

    async def _down(self, client: ServerConnection, node: ClientConnection) -> None:
        async for frame in node:
            await client.send(frame)
        await client.close()

    def _own(self, asked: dict[str, Any], client: ServerConnection) -> dict[str, Any] | None:
        """What this node answers itself; None for what the chain behind it does."""
        topic = asked["params"][0] if asked.get("method") == "eth_subscribe" else None
        if topic == "newFlashblocks" and self.rings:
            self._listening.add(client)
            return {"result": RING}
        if topic in {"newFlashblocks", "newPendingTransactions"} and (self.refuses or topic == "newFlashblocks"):
            return {"error": {"code": -32601, "message": f"the subscription {topic} is not available"}}
        return {"result": "0x5e1f"} if topic == "newPendingTransactions" else None


class Feed:
    """A sequencer's feed. `send` broadcasts messages of these numbers; `asked` is from which number each client wanted them."""

    def __init__(self) -> None:
        self.ws = ""
        self.asked: list[str | None] = []
        self._server: Server | None = None
        self._clients: set[ServerConnection] = set()

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None)
        self.ws = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def send(self, *numbers: int, at: float) -> None:
        """Messages ordered at this chain time, unix seconds."""
        for client in list(self._clients):
            await client.send(broadcast(*numbers, at=at))

    async def cut(self) -> None:
        """End every connection."""
        for client in list(self._clients):
            await client.close()

    async def connected(self, times: int = 1) -> None:
        """Wait until clients have come so many times."""
        async with asyncio.timeout(20):
            while len(self.asked) < times or not self._clients:  # noqa: ASYNC110 - the client is another process
                await asyncio.sleep(0.02)

    async def _serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        self.asked.append(client.request.headers.get("Arbitrum-Requested-Sequence-Number"))
        self._clients.add(client)
        await client.wait_closed()
        self._clients.discard(client)


def broadcast(*numbers: int, at: float) -> str:
    """One frame of the feed."""
    return json.dumps({
        "version": 1,
        "messages": [
            {
                "sequenceNumber": number,
                "message": {
                    "message": {
                        "header": {
                            "kind": 3, "sender": SENDER, "blockNumber": 1, "timestamp": int(at), "requestId": None,
                        },
                        "l2Msg": "BA==",
                    },
                    "delayedMessagesRead": 1,
                },
                "signature": None,
            }
            for number in numbers
        ],
    })  # fmt: skip
