"""Who works on a block stands aside while a verdict on something pending is being made.

A block is read and judged in slices, and between two of them every other task had one turn. A verdict takes eight turns, so an
attack that was announced while a block was judged waited for eight slices. Now the block waits instead, in all no longer than
`MOST`: a flood of pending transactions can hold a block up by that much and no more.
"""

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE = 0.002
"""Seconds of work on end before others get a turn."""
MOST = 0.05
"""Seconds that one block waits for verdicts."""
LOOKS_EVERY = 0.0005
"""Seconds between looks whether they have been made."""


class Courtesy:
    """One chain's. `urgent`: is a verdict being made that others should wait for?"""

    def __init__(self) -> None:
        self.urgent: Callable[[], bool] = lambda: False
        self._left = MOST
        self._since = perf_counter()

    def begin(self) -> None:
        """The work on a block begins."""
        self._left, self._since = MOST, perf_counter()

    async def pause(self) -> None:
        """Let others go on, if it is time."""
        if perf_counter() - self._since >= SLICE:
            await self.stand_aside()

    async def stand_aside(self) -> None:
        """Let others go on now: one turn, and as many as the verdicts take that are being made."""
        await asyncio.sleep(0)
        while self._left > 0 and self.urgent():
            began = perf_counter()
            await asyncio.sleep(LOOKS_EVERY)
            self._left -= perf_counter() - began
        self._since = perf_counter()
