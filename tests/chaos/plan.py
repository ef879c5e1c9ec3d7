"""What befalls a chain and its follower, and when: drawn from the seed alone, so that a bad seed can be had again."""

import random
from collections.abc import Mapping
from typing import NamedTuple

GAP = (0.4, 1.6)
"""Seconds of peace between two faults, but for the frames."""
DEEPEST = 8
"""Blocks that a reorganisation replaces at most."""

Kinds = Mapping[str, tuple[float, float]]
"""Each kind of fault and how long it lasts, seconds."""

CONNECTION: Kinds = {
    "reset": (0.0, 0.0),
    "cut": (0.0, 0.0),
    "refused": (0.5, 2.0),
    "black_hole": (0.5, 4.0),
    "stall": (1.5, 3.5),
    "slow": (0.5, 2.0),
    "lying_head": (0.5, 2.0),
}
NODE: Kinds = {"node_frozen": (0.5, 2.5), "node_killed": (0.2, 1.5)}
CHAIN: Kinds = {"reorg": (0.0, 0.0), "deep_reorg": (0.0, 0.0), "rollback": (0.0, 0.0)}
DAEMON: Kinds = {"daemon_killed": (0.0, 0.5), "daemon_frozen": (0.3, 1.5)}

FOLLOWER: Kinds = {**CONNECTION, **NODE, **CHAIN, "consumer_killed": (0.0, 0.5)}
"""What the follower by itself is put through."""


class Mode(NamedTuple):
    """How many nodes the daemon has, how many of them are bad, and what may happen."""

    name: str
    nodes: int
    bad: int
    kinds: Kinds


MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("one-bad", 3, 1, {**CONNECTION, **NODE, **CHAIN}),
        Mode("single", 1, 1, {**CONNECTION, **NODE, **CHAIN, **DAEMON}),
        Mode("blackout", 3, 3, {**CONNECTION, **NODE, **CHAIN, **DAEMON, "all_down": (6.5, 8.0), "all_dead": (6.5, 8.0)}),
    )
}
"""`one-bad`: two of three are well all along. `blackout`: all may fail, and for a while do together."""


class Fault(NamedTuple):
    """`after` seconds from the end of the one before; `depth` blocks, 1-8; `node` for those that befall one."""

    after: float
    kind: str
    seconds: float
    depth: int
    node: int = 0


def mode_of(seed: int, name: str | None = None) -> Mode:
    """The mode of that name, else the seed's own: one after the other, so that a row of seeds has them all."""
    return MODES[name] if name is not None else list(MODES.values())[seed % len(MODES)]


def plan(seed: int, seconds: float, kinds: Kinds = FOLLOWER, nodes: int = 1) -> list[Fault]:
    """Faults for so many seconds; every kind comes once before any comes twice.

    >>> plan(7, 20) == plan(7, 20) != plan(8, 20)
    True
    >>> len({fault.kind for fault in plan(7, 60)}) == len(FOLLOWER)
    True
    """
    dice, faults, deck, left = random.Random(f"plan {seed}"), list[Fault](), list[str](), seconds
    while True:
        deck = deck or dice.sample(sorted(kinds), len(kinds))
        kind, after = deck.pop(), dice.uniform(*GAP)
        depth = dice.randint(4, DEEPEST) if kind == "deep_reorg" else dice.randint(1, 3)
        lasts = min(dice.uniform(*kinds[kind]), max(0.0, left - after))
        left -= after + lasts
        if left < 0:
            return faults
        faults.append(Fault(after, kind, lasts, depth, dice.randrange(nodes)))
