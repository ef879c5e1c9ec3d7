"""Sixteen connections that ask, wait for the answer and ask again. `python -m benchmarks.flagging.asker PORT SECONDS KIND`.

KIND is `http` (a flag with the tag it answered first, so that a 304 is due) or `redis` (GET). Prints one JSON object.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

CONNECTIONS = 16
_FIRST = b"GET /v1/flags/pool-0 HTTP/1.1\r\nHost: seawall\r\nAccept: application/json\r\n\r\n"
_REDIS = b"*2\r\n$3\r\nGET\r\n$4\r\nflag\r\n"


class Asker(asyncio.Protocol):
    """One connection. `latencies` in seconds, of answered questions."""

    def __init__(self, kind: str, until: float, done: asyncio.Future[None]) -> None:
        self.kind, self.until, self.done = kind, until, done
        self.latencies: list[float] = []
        self.statuses: dict[bytes, int] = {}
        self.question = _REDIS if kind == "redis" else _FIRST
        self.kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.ask()

    def ask(self) -> None:
        """Ask once."""
        self.began = time.perf_counter()
        self.transport.write(self.question)

    def data_received(self, data: bytes) -> None:
        """Part of an answer, or all of it."""
        self.kept += data
        if not self._whole():
            return
        self.latencies.append(time.perf_counter() - self.began)
        status = self.kept[9:12] if self.kind == "http" else self.kept[:1]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.question is _FIRST:
            tag = self.kept.split(b"ETag: ")[1].split(b"\r\n")[0]
            self.question = _FIRST[:-2] + b"If-None-Match: " + tag + b"\r\n\r\n"
        self.kept = b""
        if time.perf_counter() > self.until:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.ask()

    def _whole(self) -> bool:
        if self.kind == "redis":
            return self.kept.count(b"\r\n") >= 2
        head, mark, body = self.kept.partition(b"\r\n\r\n")
        if not mark:
            return False
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        return head[9:12] == b"304" or len(body) >= int(length or 0)


async def main(port: int, seconds: float, kind: str) -> None:
    """Ask for so long; report questions a second and how long answers took."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    askers = [Asker(kind, began + seconds, loop.create_future()) for _ in range(CONNECTIONS)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]  # bound now
    await asyncio.gather(*(asker.done for asker in askers))
    spent = time.perf_counter() - began
    latencies = sorted(latency for asker in askers for latency in asker.latencies[1:])
    statuses: dict[str, int] = {}
    for asker in askers:
        for status, count in asker.statuses.items():
            statuses[status.decode()] = statuses.get(status.decode(), 0) + count
    report = {
        "per_second": len(latencies) / spent, "p50_us": latencies[len(latencies) // 2] * 1e6,
        "p99_us": latencies[int(len(latencies) * 0.99)] * 1e6, "answers": statuses,
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
