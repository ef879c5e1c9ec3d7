"""A bounded queue between two tasks of one loop, with a written rule for what happens when it is full.

Nothing is lost in silence: what the rule gives up is counted, and the reader takes the count and says so (as a `Gap`).
"""

import asyncio
from collections import deque
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Rule(StrEnum):
    """What a full queue does with one item more."""

    NEVER = "never"
    """Nothing is lost: `put` waits for room."""
    DROP_OLDEST = "drop_oldest"
    """The newest counts most: the oldest item waiting goes."""
    DROP_NEWEST = "drop_newest"
    """What waits is kept: the item that comes is refused."""


class QueueClosed(Exception):
    """The queue was closed and everything in it has been read."""


class Queue(Generic[T]):
    """`capacity` items at most, any number of writers, one reader."""

    def __init__(self, capacity: int, rule: Rule) -> None:
        if capacity < 1:
            raise ValueError(f"a queue holds at least one item, not {capacity}")
        self.capacity = capacity
        self.rule = rule
        self._items: deque[T] = deque()
        self._lost = 0
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()
        self._end: BaseException | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        """No more items will be taken; those waiting can still be read."""
        return self._end is not None

    def offer(self, item: T) -> bool:
        """Add without waiting; False when the item was not taken. Under NEVER a refused item is the caller's to keep."""
        if self._end is not None:
            return False
        if len(self._items) >= self.capacity and not self._make_room():
            return False
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        return True

    async def put(self, item: T) -> bool:
        """Add, waiting for room under NEVER; False when a loss rule refused it. Raises what the queue was closed with."""
        while self.rule is Rule.NEVER and len(self._items) >= self.capacity and self._end is None:
            turn = asyncio.get_running_loop().create_future()
            self._writers.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_writer()  # the room we were given goes to the next
                raise
        if self._end is not None:
            raise self._end
        return self.offer(item)

    async def get(self) -> T:
        """The next item, waiting for one. Raises what the queue was closed with once it is empty."""
        while not self._items:
            await self._something()
        item = self._items.popleft()
        if self._writers:
            self._wake_writer()
        return item

    async def drain(self, most: int | None = None) -> list[T]:
        """What waits, oldest first: at least one item, at most `most`. One wake-up for a whole burst. Raises as `get`."""
        while not self._items:
            await self._something()
        if most is None or most >= len(self._items):
            items = list(self._items)
            self._items.clear()
        else:
            items = [self._items.popleft() for _ in range(most)]
        for _ in range(min(len(items), len(self._writers))):
            self._wake_writer()
        return items

    def take_lost(self) -> int:
        """How many items the rule gave up since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self, error: BaseException | None = None) -> None:
        """Take no more; the reader gets what is left and then `error` (QueueClosed when None). The first close counts."""
        if self._end is not None:
            return
        self._end = error or QueueClosed("the queue is closed")
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        while self._writers:
            self._wake_writer()

    def _make_room(self) -> bool:
        if self.rule is Rule.NEVER:
            return False
        self._lost += 1
        if self.rule is Rule.DROP_NEWEST:
            return False
        self._items.popleft()
        return True

    async def _something(self) -> None:
        if self._end is not None:
            raise self._end
        if self._reader is not None:
            raise RuntimeError("a queue has one reader")
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake_writer(self) -> None:
        while self._writers:
            turn = self._writers.popleft()
            if not turn.done():
                turn.set_result(None)
                return
