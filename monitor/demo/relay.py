"""The public mempool's edge: a relay before the node that hides the announcement of transactions sent privately.

On a public network a transaction handed to a block builder never reaches other nodes' pools: the first anyone sees of it is
the block. A lone anvil announces whatever enters its pool, so the show puts this relay between the node and its observers. It
passes every byte on as it is, except that a `newPendingTransactions` push naming a hidden hash is left out. Blocks, logs,
receipts and traces are untouched. (Answers to calls are not filtered: nobody can ask for a hash they have not seen, and the
pool listings `txpool_*` and the `pending` block are not part of what an outside observer may rely on.)
"""

import asyncio
import socket
from typing import Self

_HEADER = 2
_EXTENDED = {126: 2, 127: 8}
_MASKED = 0x80
_PUSH = b'"eth_subscription"'
_IN_A_BLOCK = (b'"blockNumber":"0x', b'"number":"0x')
"""A log or a head says which block it belongs to; a pending transaction does not."""
_LARGEST_PUSH = 1 << 20
_CHUNK = 1 << 16


def push_end(buffer: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Where the WebSocket frame at `start` has its payload and its end, or None while it is incomplete.

    Server frames are unmasked (RFC 6455 §5.1); a masked one is measured too, so that a wrong peer cannot shift us.

    >>> push_end(bytes([0x81, 3]) + b"abc", 0), push_end(bytes([0x81, 3]) + b"ab", 0)
    ((2, 5), None)
    """
    if len(buffer) < start + _HEADER:
        return None
    size = buffer[start + 1] & 0x7F
    extra = _EXTENDED.get(size, 0)
    payload = start + _HEADER + extra
    if len(buffer) < payload:
        return None
    if extra:
        size = int.from_bytes(buffer[start + _HEADER : payload], "big")
    payload += 4 if buffer[start + 1] & _MASKED else 0
    return (payload, payload + size) if len(buffer) >= payload + size else None


class Relay:
    """Listens on a loopback port and forwards to a node; `hide(tx)` keeps one transaction's announcement back."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = 0
        self.kept_back = 0
        self._hidden: set[bytes] = set()
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    @property
    def ws(self) -> str:
        """WebSocket URL of the public side."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        """HTTP URL of the public side."""
        return f"http://127.0.0.1:{self.port}"

    def hide(self, tx: str) -> None:
        """Keep this transaction (by hash) private; call it before the node hears of the transaction."""
        self._hidden.add(tx.lower().encode())

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.create_task(self._serve(reader, writer), name="relay-connection")
        self._pairs.add(pair)
        pair.add_done_callback(self._pairs.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One observer's connection, until either side ends it."""
        try:
            node_reader, node_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        except OSError:
            writer.close()
            return
        prompt = node_writer.get_extra_info("socket")
        ways = {asyncio.create_task(_copy(reader, node_writer)), asyncio.create_task(self._filter(node_reader, writer, prompt))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            node_writer.close()
            writer.close()

    async def _filter(self, node: asyncio.StreamReader, observer: asyncio.StreamWriter, prompt: socket.socket) -> None:
        """Node to observer: the HTTP answer as it is, then, if it switched protocols, frame by frame.

        Every segment is acknowledged at once, or the node would hold the rest of a push back for 40 ms now and then.
        """
        held = bytearray()
        framed = False
        while chunk := await node.read(_CHUNK):
            prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            held += chunk
            if not framed and held.startswith(b"HTTP/1.1 101"):
                if (head := held.find(b"\r\n\r\n")) < 0:
                    continue
                framed = True
                observer.write(held[: head + 4])
                del held[: head + 4]
            observer.write(self._passed(held) if framed else bytes(held))
            if not framed:
                held.clear()
            await observer.drain()

    def _passed(self, held: bytearray) -> bytes:
        """The whole frames in `held` (removed from it), without those that announce a hidden transaction."""
        passed, start = bytearray(), 0
        while (frame := push_end(held, start)) is not None:
            payload, end = frame
            if self._hidden and end - payload <= _LARGEST_PUSH and self._announces(held[payload:end]):
                self.kept_back += 1
            else:
                passed += held[start:end]
            start = end
        del held[:start]
        return bytes(passed)

    def _announces(self, message: bytearray) -> bool:
        """Is this a push of a pending transaction (hash or object) that is hidden? Pushes of blocks and logs name a block."""
        if _PUSH not in message or any(mark in message for mark in _IN_A_BLOCK):
            return False
        return any(tx in message for tx in self._hidden)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
