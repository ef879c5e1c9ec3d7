"""The event loop, a few events a turn: what is due runs between them, however many connections have something to say at once.

The standard loop takes all that has happened in one turn. Ten thousand connections that break together would hold it for a tenth
of a second, and a pause with it.
"""

import asyncio
import os
import select
import selectors

AT_ONCE = 128
"""Events handled in a turn: a few milliseconds. The kernel hands out the others first next time, so none is left behind."""


class Few(selectors.EpollSelector):
    """An epoll that gives at most AT_ONCE events at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._poll = select.epoll.fromfd(os.dup(self.fileno()))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The next events: what was registered, and whether it can be read or written."""
        ready = []
        try:
            found = self._poll.poll(-1 if timeout is None else max(0.0, timeout), AT_ONCE)
        except InterruptedError:
            return []
        known = self.get_map()
        for descriptor, event in found:
            if (key := known.get(descriptor)) is not None:
                told = (selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0) | (
                    selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                )
                ready.append((key, told & key.events))
        return ready

    def close(self) -> None:
        """Both ends of it."""
        self._poll.close()
        super().close()


def fair() -> asyncio.AbstractEventLoop:
    """A new loop; `asyncio.Runner(loop_factory=fair)` runs on one."""
    return asyncio.SelectorEventLoop(Few())
