"""A consumer of the follower that dies without warning: what it has is what it last saved, cursor and effects together."""

import asyncio
import time

from detectors.events import Position
from monitor.feeds.heads import Ingested, Step
from tests.support.following import Following, Ledger

SAVED_EVERY = 7
"""Blocks between two snapshots: what came after the last one is lost with the process, and must be had again."""


class Keeping(Ledger):
    """A ledger that outlives its process as far as it was saved.

    `seen` is when each block was first processed (monotonic seconds), `logs_of` how many logs it came with the last time,
    `twice` counts blocks given out again without a revert between, and logs told twice in one block.
    """

    def __init__(self, cursor: Position) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}
        self.logs_of: dict[str, int] = {}
        self.twice = 0
        self.orphans: list[Ingested] = []
        self._saved: tuple[Position, dict[int, Ingested]] = (cursor, {})

    @property
    def logs(self) -> set[tuple[str, int]]:
        """What was processed and not undone, also of blocks that another one replaced without a word."""
        return super().logs | {(block.block.position.id, entry.index) for block in self.orphans for entry in block.logs}

    @property
    def tip(self) -> Position:
        """The newest block processed."""
        return self.blocks[max(self.blocks)].block.position if self.blocks else self._saved[0]

    @property
    def resume(self) -> tuple[Position, list[Position]]:
        """Cursor and earlier positions for the next life."""
        cursor, blocks = self._saved
        return cursor, [blocks[height].block.position for height in sorted(blocks)]

    def take(self, step: Step) -> None:
        """Process a step; a snapshot now and then."""
        if isinstance(step, Ingested):
            if (replaced := self.blocks.pop(step.block.position.height, None)) is not None:
                self.orphans.append(replaced)
                self.twice += 1
            self.twice += len(step.logs) - len({entry.index for entry in step.logs})
            self.seen.setdefault(step.block.position.id, time.monotonic())
            self.logs_of[step.block.position.id] = len(step.logs)
        super().take(step)
        if isinstance(step, Ingested) and step.block.position.height % SAVED_EVERY == 0:
            self._saved = step.block.position, dict(self.blocks)

    def die(self) -> None:
        """Forget what was not saved."""
        self.blocks = dict(self._saved[1])


class Consumer:
    """Lives after lives against a URL. The first begins after `cursor`."""

    def __init__(self, url: str, cursor: Position) -> None:
        self.url = url
        self.ledger = Keeping(cursor)
        self.life: Following | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """A new life, from what is saved."""
        cursor, known = self.ledger.resume
        self.life = life = Following(self.url, cursor=cursor, known=known)
        life.ledger = self.ledger
        self._tasks = [asyncio.create_task(life.link.run(), name="link"), asyncio.create_task(life.run(), name="follow")]

    async def kill(self) -> None:
        """End it wherever it is. Raises whatever it had died of by itself."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        self.ledger.die()

    async def reaches(self, head: Position, within: float) -> bool:
        """Wait until this is the newest block processed."""
        until = time.monotonic() + within
        while self.ledger.tip.id != head.id and time.monotonic() < until:
            if any(task.done() for task in self._tasks):
                return False
            await asyncio.sleep(0.01)
        return self.ledger.tip.id == head.id
