"""How far enough nodes agree with the chain that is followed. It gates what is released, never what is paused."""

import asyncio
import time
from collections.abc import Callable

from detectors.events import Position
from monitor.chains.nodes import Nodes
from monitor.feeds.heads import Heads

EVERY = 0.5
"""Seconds between two votes."""


class Quorum:
    """`patience`: seconds without agreement after which it is trouble. With a quorum of one there is nothing to ask."""

    def __init__(self, nodes: Nodes, heads: Heads, *, patience: float) -> None:
        self.trouble: str | None = None
        """Why the chain cannot be vouched for; None while enough nodes agree, or disagree not long enough to matter."""
        self._nodes = nodes
        self._heads = heads
        self._patience = patience
        self._agreed: Position | None = None
        self._agreed_at = time.monotonic()

    def certain(self, finalized: int) -> int:
        """Of a final height, what enough nodes have vouched for: -1 for nothing."""
        if self._nodes.quorum <= 1:
            return finalized
        return min(finalized, self._agreed.height) if self._agreed is not None and self._ours(self._agreed) else -1

    async def run(self, changed: Callable[[], None]) -> None:
        """Ask until cancelled; `changed` is called when trouble comes or goes."""
        asked: Position | None = None
        while self._nodes.quorum > 1:
            await asyncio.sleep(EVERY)
            if asked is None or not self._ours(asked):
                asked = self._heads.tip  # else the same again: the others come so far, however fast the head moves
            said = await self._nodes.agrees(asked) if asked is not None else None
            now, before = time.monotonic(), self.trouble
            if asked is not None and said and self._ours(asked):
                self._agreed, self._agreed_at, self.trouble, asked = asked, now, None, None
            elif now - self._agreed_at > self._patience:
                self.trouble = self._why(asked, differ=said is False)
            if (self.trouble is None) != (before is None):
                changed()

    def _ours(self, position: Position) -> bool:
        """Is it on the chain that is followed, or below all that is remembered of it?"""
        lineage = self._heads.lineage
        below = lineage.bottom is not None and position.height < lineage.bottom.height
        return below or lineage.at(position.height) == position

    def _why(self, asked: Position | None, *, differ: bool) -> str:
        of = f"quorum: {self._nodes.quorum} nodes must agree"
        if differ and asked is not None:
            return f"{of}, and they have different blocks at height {asked.height}"
        return f"{of}, and too few answer"
