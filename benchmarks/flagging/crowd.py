"""Thousands who listen to `GET /v1/events`. `python -m benchmarks.flagging.crowd PORT STAYING LEAVING`.

Says `ready` once all are connected; a line on stdin makes the LEAVING ones disconnect at once, right before the flip. Then one
JSON object: when the last of those who stayed had the news (monotonic seconds), and how many had it.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

_ASK = b"GET /v1/events HTTP/1.1\r\nHost: seawall\r\nAccept: text/event-stream\r\n\r\n"
_EVENT = b"refetchEvaluation"
AT_ONCE = 250


class Ear(asyncio.Protocol):
    """One listener: the first event is the greeting, the second the news."""

    def __init__(self) -> None:
        self.events, self.heard_at = 0, 0.0
        self.greeted = asyncio.get_running_loop().create_future()
        self.told = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be told."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(_ASK)

    def data_received(self, data: bytes) -> None:
        """Count what is told."""
        self.events += data.count(_EVENT)
        if self.events and not self.greeted.done():
            self.greeted.set_result(None)
        if self.events > 1 and not self.told.done():
            self.heard_at = time.monotonic()
            self.told.set_result(None)


async def main(port: int, staying: int, leaving: int) -> None:
    """Connect everybody, wait for the word, listen."""
    loop = asyncio.get_running_loop()
    ears = [Ear() for _ in range(staying + leaving)]
    for start in range(0, len(ears), AT_ONCE):
        part = ears[start : start + AT_ONCE]
        await asyncio.gather(*(loop.create_connection(lambda ear=ear: ear, "127.0.0.1", port) for ear in part))  # type: ignore[misc]
        await asyncio.gather(*(ear.greeted for ear in part))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    for ear in ears[staying:]:
        ear.transport.abort()
    sys.stdout.write("gone\n")
    sys.stdout.flush()
    stayed = ears[:staying]
    await asyncio.wait([ear.told for ear in stayed], timeout=20)
    heard = [ear.heard_at for ear in stayed if ear.heard_at]
    sys.stdout.write(json.dumps({"heard": len(heard), "last": max(heard, default=0.0)}) + "\n")


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:4])))
