"""How often this chain took back a block that already had others on it: counted by depth, from what we followed ourselves. Pure.

A block reaches depth d when d blocks stand on it. Of all blocks that ever reached depth d, the share that was taken back later is
the measure; it is smoothed by Laplace's rule, (taken back + 1) / (reached + 2), so that a short history claims little and no
history says one half. Blocks of one reorganisation are not independent, so no interval is claimed.
"""

from typing import ClassVar

import msgspec

DEEPEST = 64
"""Depths counted: 0 to here; what lies deeper is asked of the deepest."""


class Odds(msgspec.Struct, frozen=True):
    """Of `blocks` that reached `depth`, `reverted` were taken back later; `probability` is that, smoothed."""

    depth: int
    probability: float
    blocks: int
    reverted: int


class Reorgs(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a chain by depth, as the journal keeps them; every block up to height `counted` is in them."""

    kind: ClassVar[str] = "reorgs"

    chain: str
    counted: int
    reached: tuple[int, ...]
    reverted: tuple[int, ...]


class Depths:
    """The counts while they grow. Take up an earlier life's with `known`.

    >>> depths = Depths("eip155:1")
    >>> for height in range(1, 100): depths.committed(height)
    >>> depths.taken_back(98, 99)
    >>> odds = [depths.odds(d) for d in (0, 1, 2)]
    >>> [(one.blocks, one.reverted) for one in odds], odds[2].probability < odds[1].probability < odds[0].probability
    ([(99, 2), (98, 1), (97, 0)], True)
    """

    def __init__(self, chain: str, known: Reorgs | None = None) -> None:
        self.chain = chain
        self._counted = known.counted if known else -1
        self._reached = _filled(known.reached if known else ())
        self._reverted = _filled(known.reverted if known else ())
        self._standing: dict[int, int] = {}
        """Our newest blocks by height, with the depth each has reached."""

    def committed(self, height: int) -> None:
        """A block of this height was followed; those below reach one more depth, once each."""
        self._standing[height] = min(DEEPEST, max(-1, self._counted - height))  # an earlier life saw it that deep
        self._counted = max(self._counted, height)
        for below, deep in list(self._standing.items()):
            depth = height - below
            if depth > DEEPEST:
                del self._standing[below]
            elif depth > deep:
                self._reached[depth] += 1
                self._standing[below] = depth

    def taken_back(self, first: int, last: int) -> None:
        """The blocks of these heights (inclusive) were replaced: each had reached every depth up to its own."""
        for height in range(max(first, last - DEEPEST), last + 1):
            deep = max(last - height, self._standing.pop(height, 0))  # the chain may have been longer than now
            for depth in range(min(deep, DEEPEST) + 1):
                self._reverted[depth] += 1
        self._counted = min(self._counted, first - 1)

    def odds(self, depth: int) -> Odds:
        """The odds that a block this deep will be taken back. Never more than of a block less deep."""
        depth = max(0, min(depth, DEEPEST))
        smoothed = min((self._reverted[d] + 1) / (self._reached[d] + 2) for d in range(depth + 1))
        return Odds(depth, round(smoothed, 9), self._reached[depth], self._reverted[depth])

    @property
    def kept(self) -> Reorgs:
        """What a later life takes up."""
        return Reorgs(chain=self.chain, counted=self._counted, reached=tuple(self._reached), reverted=tuple(self._reverted))


def _filled(counts: tuple[int, ...]) -> list[int]:
    return [*counts[: DEEPEST + 1], *(0 for _ in range(DEEPEST + 1 - len(counts)))]
