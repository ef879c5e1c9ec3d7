"""The newest block that was judged: what pending transactions are simulated on, and whether the next is being judged now."""

import asyncio

from detectors.events import Position
from monitor.errors import NodeError


class Newest:
    """Shared by the one who judges blocks and the one who judges pending transactions. `base_fee` is wei per gas."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.position: Position | None = None
        self.base_fee = 0
        self._idle = asyncio.Event()

    def judging(self) -> None:
        """A block is being judged."""
        self._idle.clear()

    def reverted(self) -> None:
        """There is no newest block until the next one was judged."""
        self._idle.clear()
        self.position = None

    def judged(self, position: Position, base_fee: int) -> None:
        """This is the newest one."""
        self.position, self.base_fee = position, base_fee
        self._idle.set()

    def passed(self, position: Position) -> bool:
        """Was another block judged since this one was the newest, and is none being judged?"""
        return self._idle.is_set() and position != self.position

    async def settled(self) -> Position:
        """The newest, once none is being judged."""
        await self._idle.wait()
        return self.at()

    def at(self) -> Position:
        """The newest. Raises NodeError before the first."""
        if self.position is None:
            raise NodeError(f"{self.chain}: no head yet")
        return self.position
