"""Who looked at what while it was being pushed: the structural prefilter of D4, on the call tree alone."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from detectors.execution.frames import STATICCALL, Execution, Frame

BALANCE_OF = "0x70a08231"
PAYS = {"0xa9059cbb": 34, "0x23b872dd": 98}
"""`transfer` and `transferFrom`, and where their call data names who is paid."""

FEWEST = 8
"""Frames below which nobody can push a pool, have a third party look at it, and be paid."""


class Look(NamedTuple):
    """Frame `frame` asked what `pool` holds or is worth; `askers` are the contracts above that can act on it, nearest first."""

    pool: str
    frame: int
    askers: tuple[str, ...]


def looks(execution: Execution, harmless: AbstractSet[str] = frozenset()) -> list[Look]:
    """Every look at something that had been moved before in this transaction, by anybody but itself.

    A look is a static call into the thing, or a look-up of its balance; moved is what ran with effect, or was paid. Looks by
    the root's target and by the `harmless` alone are left out: they believe at their own cost, or act for whoever called them.
    """
    frames = execution.frames
    if len(frames) < FEWEST or not frames[0].alive:
        return []
    seen = _seen(frames)
    if not seen:
        return []
    root = frames[0]
    own = {root.to, root.ctx, root.sender, *harmless}
    found, known = [], dict[int, tuple[str, ...]]()
    for pool, i in seen:
        at = frames[i].parent
        askers = known.get(at)
        if askers is None:
            askers = known[at] = _askers(frames, at, own)
        if askers and askers[0] != pool and askers != (pool,):
            found.append(Look(pool, i, askers))
    return found


def _seen(frames: list[Frame]) -> list[tuple[str, int]]:
    """(thing, frame) of each look."""
    moved: set[str | None] = set()
    seen: list[tuple[str, int]] = []
    for i, frame in enumerate(frames):
        selector = frame.selector
        if frame.type == STATICCALL:
            pool = frame.ctx
            if selector == BALANCE_OF and frame.input is not None:
                pool = "0x" + frame.input[34:74]
            if pool in moved and pool is not None and frames[frame.parent].ctx != pool:
                seen.append((pool, i))
        elif selector is not None and frame.alive:
            at = PAYS.get(selector)
            if at is None:
                moved.add(frame.ctx)
            elif frame.input is not None:
                moved.add("0x" + frame.input[at : at + 40])
    return seen


def _askers(frames: list[Frame], at: int, own: AbstractSet[str | None]) -> tuple[str, ...]:
    """Who can act on what frame `at` learns, the initiator and the harmless aside.

    Whoever looks through a lens or an oracle looks itself: what stands above a static call counts, what is below it does not.
    """
    above = dict[str, None]()
    while at >= 0:
        frame = frames[at]
        if frame.type == STATICCALL:
            above.clear()
        elif frame.ctx is not None and frame.ctx not in own:
            above[frame.ctx] = None
        at = frame.parent
    return tuple(above)
