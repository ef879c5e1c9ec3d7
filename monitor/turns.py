"""Whose turn it is: pending transactions wait by sender, so that nobody's flood keeps another's transaction from being judged.

One of a sender's is in flight at a time, and senders take turns. A sender whose simulation was costly (too late, too long) comes
after everyone else, and only one such is in flight at all: traces made to be slow can then hold one place, not all.
"""

import asyncio
from collections import deque

from detectors.events import Transaction

REMEMBERED = 10_000
"""Costly senders remembered; beyond, the oldest is forgiven."""


class Turns:
    """Holds `capacity` transactions; beyond, the oldest of whoever has most waiting is given up and counted as lost."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._lost = 0
        self._waiting: dict[str, deque[Transaction]] = {}
        self._flying: set[str] = set()
        self._costly: dict[str, None] = {}
        self._changed = asyncio.Event()

    def offer(self, tx: Transaction) -> None:
        """Let it wait for its turn."""
        self._waiting.setdefault(tx.sender, deque()).append(tx)
        self.size += 1
        if self.size > self.capacity:
            most = max(self._waiting.values(), key=len)
            self._remove(most[0].sender)
            self._lost += 1
        self._changed.set()

    async def take(self) -> Transaction:
        """The next in turn; its sender has no other until `done`."""
        while (tx := self.take_now()) is None:
            self._changed.clear()
            await self._changed.wait()
        return tx

    def take_now(self) -> Transaction | None:
        """As `take`; None when nobody may go."""
        sender = self._next()
        if sender is None:
            return None
        self._flying.add(sender)
        return self._remove(sender)

    def done(self, sender: str, *, costly: bool) -> None:
        """The sender's transaction was simulated; `costly` if that took more than anyone should."""
        self._flying.discard(sender)
        if costly:
            self._costly[sender] = None
            if len(self._costly) > REMEMBERED:
                del self._costly[next(iter(self._costly))]
        else:
            self._costly.pop(sender, None)
        self._changed.set()

    def take_lost(self) -> int:
        """How many were given up since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    def _next(self) -> str | None:
        last = None
        for sender in self._waiting:
            if sender in self._flying:
                continue
            if sender not in self._costly:
                return sender
            last = last or sender
        return None if last is None or not self._flying.isdisjoint(self._costly) else last

    def _remove(self, sender: str) -> Transaction:
        """The sender's oldest; the sender goes to the end of the row."""
        row = self._waiting.pop(sender)
        tx = row.popleft()
        self.size -= 1
        if row:
            self._waiting[sender] = row
        return tx
