"""What is read before its turn: begun all at once, taken one by one in order, forgotten when the chain moved under it."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from monitor.chains.patience import let_go

T = TypeVar("T")


class Ahead(Generic[T]):
    """Readings in their order; each gives None when there is nothing where it looked (any more)."""

    def __init__(self) -> None:
        self._tasks: deque[asyncio.Task[T | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def begin(self, reading: Coroutine[Any, Any, T | None], name: str) -> None:
        """One more, the last in order."""
        self._tasks.append(asyncio.create_task(reading, name=name))

    async def take(self) -> T | None:
        """The first. Raises what its reading did; it stays the first then."""
        found = await self._tasks[0]
        self._tasks.popleft()
        return found

    def ready(self) -> list[T]:
        """The next ones, as far as they are there already."""
        found: list[T] = []
        for task in self._tasks:
            if not task.done() or task.cancelled() or task.exception() is not None or (one := task.result()) is None:
                break
            found.append(one)
        return found

    def clear(self) -> None:
        """Read no more of it."""
        for task in self._tasks:
            let_go(task)
        self._tasks.clear()
