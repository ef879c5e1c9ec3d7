"""What befalls a chain and its follower, and when: drawn from the seed alone, so that a bad seed can be had again."""

import random
from typing import NamedTuple

GAP = (0.4, 1.6)
"""Seconds of peace between two faults, but for the frames."""
KINDS: dict[str, tuple[float, float]] = {
    "reset": (0.0, 0.0),
    "black_hole": (0.5, 4.0),
    "stall": (1.5, 3.5),
    "slow": (0.5, 2.0),
    "lying_head": (0.5, 2.0),
    "reorg": (0.0, 0.0),
    "deep_reorg": (0.0, 0.0),
    "rollback": (0.0, 0.0),
    "node_frozen": (0.5, 2.5),
    "node_killed": (0.2, 1.5),
    "consumer_killed": (0.0, 0.5),
}
"""Each kind and how long it lasts, seconds."""


class Fault(NamedTuple):
    """`after` seconds from the end of the one before; `depth` blocks, 1-5."""

    after: float
    kind: str
    seconds: float
    depth: int


def plan(seed: int, seconds: float) -> list[Fault]:
    """Faults for so many seconds; every kind comes once before any comes twice.

    >>> plan(7, 20) == plan(7, 20) != plan(8, 20)
    True
    >>> len({fault.kind for fault in plan(7, 60)}) == len(KINDS)
    True
    """
    dice, faults, deck, left = random.Random(f"plan {seed}"), list[Fault](), list[str](), seconds
    while True:
        deck = deck or dice.sample(sorted(KINDS), len(KINDS))
        kind, after = deck.pop(), dice.uniform(*GAP)
        depth = dice.randint(3, 5) if kind == "deep_reorg" else dice.randint(1, 3)
        lasts = min(dice.uniform(*KINDS[kind]), max(0.0, left - after))
        left -= after + lasts
        if left < 0:
            return faults
        faults.append(Fault(after, kind, lasts, depth))
