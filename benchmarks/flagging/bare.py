"""The ceiling: uvloop, httptools, and one answer ready. `python -m benchmarks.flagging.bare`; its port on stdout."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

BODY = b'{"integration":"bank","state":"run"}' + b" " * 400
TAG = b'"tag"'
HIT = b"HTTP/1.1 304 Not Modified\r\nETag: " + TAG + b"\r\n\r\n"
MISS = b"HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (TAG, len(BODY), BODY)


class Bare(asyncio.Protocol):
    """One connection: parse, compare the tag, answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.parser = httptools.HttpRequestParser(self)
        self.known = b""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that counts."""
        if name.lower() == b"if-none-match":
            self.known = value

    def on_message_complete(self) -> None:
        """Answer."""
        self.transport.write(HIT if self.known == TAG else MISS)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
