"""Seawall's own read listener over ten integrations, seeing heads. `python -m benchmarks.flagging.ours`; port on stdout.

A line on stdin flips the first integration's flag through the board; the moment it did is printed (monotonic seconds).
"""

import asyncio
import sys
import time

import structlog

from detectors.events import Position
from monitor.api.server import Listener, read_app
from monitor.api.views import Sources
from monitor.breaker.flags import FlagBoard, Spec
from monitor.loop import fair

CHAIN = "eip155:1"
FLAGS = tuple(f"pool-{number}" for number in range(10))


async def main() -> None:
    """Serve until stdin ends."""
    board = FlagBoard([Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in FLAGS], epoch=1)
    sources = Sources(breakers=dict, made=tuple, chains=dict, contracts={})
    app = read_app(board, healthy=lambda: {"ok": True}, ready=lambda: {"ok": True}, sources=sources)
    listener = Listener("read", app, "127.0.0.1:0")
    board.beat()
    await listener.start()
    sys.stdout.write(f"{listener.url.rpartition(':')[2]}\n")
    sys.stdout.flush()
    alive = asyncio.create_task(_live(board))
    while await asyncio.to_thread(sys.stdin.readline):
        began = time.monotonic()
        board.pause_now(FLAGS[0], "flip")
        sys.stdout.write(f"{began}\n")
        sys.stdout.flush()
    alive.cancel()


async def _live(board: FlagBoard) -> None:
    for height in range(1, 1 << 30):
        board.beat()
        board.saw_head(CHAIN, Position(height, f"0x{height}", f"0x{height - 1}"), time.time())
        await asyncio.sleep(0.25)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with asyncio.Runner(loop_factory=fair) as runner:
        runner.run(main())
