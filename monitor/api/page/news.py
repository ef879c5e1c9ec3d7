"""What makes the page worth fetching again: a flag that changed, at once; an acknowledgement or more evidence, soon."""

import asyncio
from collections.abc import Callable

from monitor.breaker.flags import FlagBoard

LOOK = 0.25
"""Seconds between two looks at what is no flag; nobody looks while nobody listens."""


class News:
    """As a `FlagBoard` to whoever subscribes. `state` is all that the page tells besides the flags, compared by equality."""

    def __init__(self, flags: FlagBoard, state: Callable[[], tuple[object, ...]]) -> None:
        self._flags = flags
        self._state = state
        self._watchers: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._changes = 0

    @property
    def version(self) -> str:
        """Another one with every change that a reader of the page would see."""
        return f"{self._flags.version}-{self._changes}"

    def subscribe(self) -> asyncio.Event:
        """An event that is set on every change; the subscriber clears it, and ends with `unsubscribe`."""
        changed = self._flags.subscribe()
        self._watchers.add(changed)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="api/page/news")
        return changed

    def unsubscribe(self, changed: asyncio.Event) -> None:
        """Forget a subscriber."""
        self._flags.unsubscribe(changed)
        self._watchers.discard(changed)
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        known = self._state()
        while True:
            await asyncio.sleep(LOOK)
            now = self._state()
            if now != known:
                known = now
                self._changes += 1
                for changed in self._watchers:
                    changed.set()
