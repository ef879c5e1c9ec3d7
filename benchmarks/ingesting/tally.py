"""What a lane found, and what it cost: the proof that all lanes did the same work."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec

MASK = (1 << 64) - 1
SETTLE = 0.3
"""Seconds a lane waits after its last subscription before it starts to count; the pusher waits twice as long to start."""


class Tally(msgspec.Struct, gc=False):
    """Messages by kind, `hits` on watched addresses, pairs of token and watched holder `moved`, and a sum modulo 2**64.

    The sum is over the values of transactions, the heights of heads, and the first word of every log that a watched address made.
    """

    logs: int = 0
    transactions: int = 0
    heads: int = 0
    hits: int = 0
    moved: int = 0
    checksum: int = 0

    @property
    def messages(self) -> int:
        """All of them."""
        return self.logs + self.transactions + self.heads


class Lap(msgspec.Struct, frozen=True):
    """A lane's run: `cpu` seconds its process spent on the messages, user and system; `ended` by the monotonic clock."""

    tally: Tally
    cpu: float
    ended: float
    extra: dict[str, int | str] = {}


class Meter:
    """CPU from when everything is set up to when the last message was handled."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.cpu = 0.0

    async def start(self) -> None:
        """Wait till set-up is over; fails if a message came before."""
        await asyncio.sleep(SETTLE)
        if self.tally.messages:
            raise RuntimeError("the pusher started before the lane could count")
        self.cpu = time.process_time()

    def stop(self, **extra: int | str) -> Lap:
        """The lap; everything was handled."""
        ended, cpu = time.monotonic(), time.process_time() - self.cpu
        self.tally.checksum &= MASK
        return Lap(self.tally, cpu, ended, extra)


def drive(lane: Callable[[str, int], Awaitable[Lap]]) -> None:
    """Run one lane as a process: `URL COUNT` on the command line, its lap as JSON on stdout."""
    url, count = sys.argv[1:]

    async def whole() -> Lap:
        return await lane(url, int(count))

    sys.stdout.write(msgspec.json.encode(asyncio.run(whole())).decode() + "\n")
