"""The chain as we have committed it: which block stands at which height, back to what nothing can undo. Pure."""

from collections import deque
from collections.abc import Iterable

from detectors.events import Position

KEPT = 4096
"""Positions kept at most, should finality stall: more than half a day of Ethereum, some minutes of the fastest chains."""
UNFINAL_KEPT = 1024
"""Positions kept where the chain names nothing final."""


class Lineage:
    """Our own blocks, oldest first, each the parent of the next.

    >>> lineage = Lineage([Position(1, "a"), Position(2, "b", "a")])
    >>> lineage.tip.id, lineage.at(1).id, lineage.at(3)
    ('b', 'a', None)
    """

    def __init__(self, known: Iterable[Position] = (), *, final: int = -1) -> None:
        self.final = final
        self._blocks: deque[Position] = deque()
        for position in sorted(known, key=lambda one: one.height):
            if self._blocks and not _follows(position, self._blocks[-1]):
                self._blocks.clear()  # an older stretch that does not reach the newest says nothing about it
            self._blocks.append(position)

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def tip(self) -> Position | None:
        """The newest committed block; None before the first."""
        return self._blocks[-1] if self._blocks else None

    @property
    def positions(self) -> tuple[Position, ...]:
        """All that is remembered, oldest first: what a later life needs to tell a reorganisation in our absence exactly."""
        return tuple(self._blocks)

    @property
    def bottom(self) -> Position | None:
        """The oldest block still remembered."""
        return self._blocks[0] if self._blocks else None

    def at(self, height: int) -> Position | None:
        """Our block at a height, None where we remember none."""
        offset = height - self._blocks[0].height if self._blocks else -1
        return self._blocks[offset] if 0 <= offset < len(self._blocks) else None

    def extend(self, position: Position) -> None:
        """Commit one block on the tip. Raises ValueError when it does not build on it."""
        if self._blocks and not _follows(position, self._blocks[-1]):
            raise ValueError(f"block {position.height} ({position.id}) does not build on {self._blocks[-1].id}")
        self._blocks.append(position)
        self._forget()

    def cut(self, height: int) -> None:
        """Forget every block above a height."""
        while self._blocks and self._blocks[-1].height > height:
            self._blocks.pop()

    def settle(self, final: int) -> None:
        """The chain calls this height final; it never goes back."""
        self.final = max(self.final, final)

    def _forget(self) -> None:
        # One final block stays: it is what a node of another history is recognised by.
        while len(self._blocks) > 1 and self._blocks[1].height <= self.final:
            self._blocks.popleft()
        while len(self._blocks) > (KEPT if self.final >= 0 else UNFINAL_KEPT):
            self._blocks.popleft()


def _follows(block: Position, before: Position) -> bool:
    return block.height == before.height + 1 and block.parent in {before.id, None}
