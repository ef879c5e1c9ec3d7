"""A node that only pushes, as fast as the socket takes it: frames are made before anyone connects, and sent by hand.

One run of one lane is a session, `ws://127.0.0.1:PORT/SESSION/COUNT`, over as many connections as it likes; once all three
subscriptions are taken, each connection is sent what it subscribed to. The moment of the first byte goes to stdout.
"""

import base64
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from typing import Any, BinaryIO

from benchmarks.ingesting.feed import SUBSCRIPTIONS, Message, messages
from benchmarks.ingesting.tally import SETTLE

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_BURST = 64
"""Frames written at once."""
_ANSWERS = {"eth_chainId": "0x1", "net_version": "1", "web3_clientVersion": "pusher/1", "eth_unsubscribe": True}


def framed(payload: bytes, opcode: int = _TEXT) -> bytes:
    """One unmasked WebSocket frame (RFC 6455 §5.2)."""
    head = bytes((0x80 | opcode,))
    if len(payload) < 126:
        return head + bytes((len(payload),)) + payload
    return head + b"\x7e" + struct.pack("!H", len(payload)) + payload


class Connection:
    """One client's socket: answers its calls, and is told to send."""

    def __init__(self, pusher: "Pusher", client: socket.socket) -> None:
        self.pusher = pusher
        self.client = client
        self.kinds: set[str] = set()
        self.writing = threading.Lock()

    def serve(self) -> None:
        """Until the client goes."""
        with self.client, self.client.makefile("rb") as reader:
            session, count = self._greet(reader)
            while (frame := self._frame(reader)) is not None:
                opcode, payload = frame
                if opcode == _CLOSE:
                    self._send(framed(payload, _CLOSE))
                    return
                if opcode == _PING:
                    self._send(framed(payload, _PONG))
                elif opcode != _PONG:
                    self._answer(json.loads(payload), session, count)

    def push(self, frames: list[Message]) -> None:
        """Send what was subscribed to."""
        mine = [text for kind, text in frames if kind in self.kinds]
        try:
            for start in range(0, len(mine), _BURST):
                self._send(b"".join(mine[start : start + _BURST]))
        except OSError:
            return  # gone before the end: its lane tells

    def _answer(self, call: dict[str, Any], session: str, count: int) -> None:
        method, result = call["method"], _ANSWERS.get(call["method"])
        kind = call["params"][0] if method == "eth_subscribe" else None
        if kind is not None:
            result = SUBSCRIPTIONS[kind]
        self._send(framed(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode()))
        if kind is not None:
            self.pusher.subscribed(session, count, self, kind)

    def _greet(self, reader: BinaryIO) -> tuple[str, int]:
        path, key = reader.readline().split()[1].decode(), b""
        while line := reader.readline().strip():
            name, _, value = line.partition(b":")
            key = value.strip() if name.lower() == b"sec-websocket-key" else key
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        self._send(head + accept + b"\r\n\r\n")
        _, session, count = path.split("/")
        return session, int(count)

    def _frame(self, reader: BinaryIO) -> tuple[int, bytes] | None:
        head = reader.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(reader.read(2 if size == 126 else 8), "big")
        mask, payload = reader.read(4), reader.read(size)
        return head[0] & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    def _send(self, data: bytes) -> None:
        with self.writing:
            self.client.sendall(data)


class Pusher:
    """Holds the frames and the sessions."""

    def __init__(self, count: int) -> None:
        self.frames = [Message(kind, framed(text)) for kind, text in messages(count)]
        self.sessions: defaultdict[str, list[Connection]] = defaultdict(list)
        self.gate = threading.Lock()

    def subscribed(self, session: str, count: int, connection: Connection, kind: str) -> None:
        """Note who is in; start once, when all that there is has been asked for (two connections may ask at the same moment)."""
        with self.gate:
            inside = self.sessions[session]
            if connection not in inside:
                inside.append(connection)
            connection.kinds.add(kind)
            whole = set().union(*(one.kinds for one in inside)) == set(SUBSCRIPTIONS)
        if whole:
            threading.Thread(target=self._start, args=(inside, count), daemon=True).start()

    def _start(self, inside: list[Connection], count: int) -> None:
        time.sleep(2 * SETTLE)
        sys.stdout.write(f"{time.monotonic()}\n")
        sys.stdout.flush()
        for connection in inside:
            threading.Thread(target=connection.push, args=(self.frames[:count],), daemon=True).start()


def main() -> None:
    """`COUNT` messages ready; the port on stdout; serve until killed."""
    pusher = Pusher(int(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(pusher, client).serve, daemon=True).start()


if __name__ == "__main__":
    main()
