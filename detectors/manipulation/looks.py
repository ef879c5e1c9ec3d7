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
    root = frames[0]
    own = (root.to, root.ctx, root.sender)
    asked = [
        i
        for i, frame in enumerate(frames)
        if frame.type == STATICCALL
        and ((above := frames[frame.parent]).type == STATICCALL or (above.ctx not in harmless and above.ctx not in own))
    ]
    found, known = [], dict[int, tuple[str, ...]]()
    for pool, i in _moved(frames, [(pool, i) for i in asked if (pool := _asked(frames, i)) is not None]):
        at = frames[i].parent
        askers = known.get(at)
        if askers is None:
            askers = known[at] = tuple(a for a in _askers(frames, at) if a not in harmless and a not in own)
        if askers and askers[0] != pool:
            found.append(Look(pool, i, askers))
    return found


def _asked(frames: list[Frame], i: int) -> str | None:
    """What a static call is about: the holder of a balance, or the contract itself. None where something asks about itself."""
    frame = frames[i]
    pool = frame.ctx
    if frame.selector == BALANCE_OF and frame.input is not None:
        pool = "0x" + frame.input[34:74]
    return None if pool == frames[frame.parent].ctx else pool


def _moved(frames: list[Frame], seen: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those looks at something that had run with effect, or had been paid, before."""
    if not seen:
        return []
    wanted, first = {pool for pool, _ in seen}, dict[str, int]()
    for i, frame in enumerate(frames[: seen[-1][1]]):
        if frame.type == STATICCALL or frame.selector is None or not frame.alive:
            continue
        at = PAYS.get(frame.selector)
        mover = frame.ctx if at is None else "0x" + frame.input[at : at + 40] if frame.input is not None else None
        if mover in wanted and mover is not None:
            first.setdefault(mover, i)
    return [(pool, i) for pool, i in seen if first.get(pool, i) < i]


def _askers(frames: list[Frame], at: int) -> tuple[str, ...]:
    """Who can act on what frame `at` learns.

    Whoever looks through a lens or an oracle looks itself: what stands above a static call counts, what is below it does not.
    """
    above = dict[str, None]()
    while at >= 0:
        frame = frames[at]
        if frame.type == STATICCALL:
            above.clear()
        elif frame.ctx is not None:
            above[frame.ctx] = None
        at = frame.parent
    return tuple(above)
