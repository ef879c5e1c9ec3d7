"""Places on one connection to a node: how many may be asked at once, and who was asked alone.

Nodes answer a connection's questions one after another, and a trace too long for it ends it for everyone. So whoever fails beside
others is only a suspect, and after any such failure there is one place for a while: then who fails is who did it.
"""

import asyncio

CAREFUL = 10.0
"""Seconds with a single place after somebody was too late or too long."""

LONG, LONGER = 0.3, 8.0
"""What is long: so many seconds, or so many times what the quickest answers take, whichever is more."""

INSTANT = 0.005
"""Seconds within which all who were in flight hear that a connection ended."""

SLOWER = 1.05
"""A quick answer counts that much less with each slower one: nodes do become slow, but waiting for others is no sign of it."""


class Places:
    """`most` in flight at once; one while careful."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._beside: dict[str, bool] = {}
        """In flight, and whether somebody else was at any moment of it."""
        self._careful_until = 0.0
        self._quickest: float | None = None
        self._first_since = 0.0
        self._left = asyncio.Event()

    @property
    def long(self) -> float | None:
        """Seconds after which an answer is long in coming here; None before the first came."""
        return None if self._quickest is None else max(LONG, LONGER * self._quickest)

    @property
    def shared(self) -> bool:
        """Does anyone wait behind another?"""
        return len(self._beside) > 1

    @property
    def first(self) -> str | None:
        """Who was asked first of those in flight: a node that answers one after another is at work on it."""
        return next(iter(self._beside), None)

    @property
    def works(self) -> float:
        """Seconds that the node can have been at work on the first."""
        return asyncio.get_running_loop().time() - self._first_since if self._beside else 0.0

    def busy_with(self, who: str) -> bool:
        """Is the node at work on this one, and not only since the one before it ended, perhaps with the connection?"""
        return who == self.first and self.works >= INSTANT

    def again(self) -> None:
        """All in flight are asked anew, on a new connection."""
        self._first_since = asyncio.get_running_loop().time()

    def answered(self, seconds: float) -> None:
        """So long one took, the wait for those before it included."""
        self._quickest = seconds if self._quickest is None else min(seconds, self._quickest * SLOWER)

    async def room(self) -> None:
        """Wait for a place."""
        while len(self._beside) >= (1 if asyncio.get_running_loop().time() < self._careful_until else self.most):
            self._left.clear()
            await self._left.wait()

    def enter(self, who: str) -> None:
        """Take it."""
        shared = bool(self._beside)
        if not shared:
            self.again()
        for other in self._beside:
            self._beside[other] = True
        self._beside[who] = shared

    def leave(self, who: str) -> None:
        """Give it back."""
        if who == self.first:
            self.again()
        self._beside.pop(who, None)
        self._left.set()

    def failed(self, who: str) -> bool:
        """This one was too late or too long. May it have been another's doing?"""
        self._careful_until = asyncio.get_running_loop().time() + CAREFUL
        return self._beside.get(who, False)
