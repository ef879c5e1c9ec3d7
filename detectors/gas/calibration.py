"""Quantile tracking: every interval's edge moves a little after every answer that has come true, so that coverage holds.

Angelopoulos, Candes and Tibshirani, "Conformal PID control" (2023), the quantile tracker: after n answers the share of misses
is off by at most the distance the edge moved over n times the step. Steps are in units of the answer's own width.
"""

from functools import lru_cache

import numpy as np

from detectors.gas.features import HORIZONS, Vector

LEVELS = (0.025, 0.1, 0.9, 0.975)
"""Of the intervals at each horizon."""

CAP_BLOCKS = (2, 5, 10, 25, 50)
CAP_LEVELS = (0.8, 0.95, 0.99)
"""Of the fee that is enough for all of the next K blocks."""

AHEAD_EDGES = len(HORIZONS) * len(LEVELS)
EDGES = AHEAD_EDGES + len(CAP_BLOCKS) * len(CAP_LEVELS)

TAUS = np.array(LEVELS * len(HORIZONS) + CAP_LEVELS * len(CAP_BLOCKS))
"""The level of each edge: horizons first, then caps."""

WIDTH_OF = np.array([i for i in range(len(HORIZONS)) for _ in LEVELS] + [i for i in range(len(CAP_BLOCKS)) for _ in CAP_LEVELS])
"""The horizon (an index) whose width an edge is measured in; caps of K blocks use that of K blocks ahead."""

STEP, SLOWER_BY = 0.016, 60.0
"""Widths an edge moves by at the nearest horizon, and the blocks ahead at which it moves half as fast: what comes true late
comes true many times over before it can be answered."""

_AWAY = np.array([HORIZONS[i] for i in range(len(HORIZONS)) for _ in LEVELS] + [k for k in CAP_BLOCKS for _ in CAP_LEVELS])
_BEHIND = _AWAY - 1
_IS_AHEAD = np.arange(EDGES) < AHEAD_EDGES
COARSE = 1_000
"""Wei below which a step of one wei is more than a block's eighth could be rounded to: intervals are then mostly rounding."""

STEPS = STEP / (1.0 + _AWAY / SLOWER_BY)
EAGER = 0.05
EAGER_FOR = 60.0
"""A fresh model's edges move faster, by up to `EAGER`, fading over so many answers."""


def track(shift: Vector, answers: float, realised: Vector, edges: Vector) -> Vector:
    """The shifts after one more round of answers has come true; `realised` is NaN where nothing has yet.

    `shift` is in widths; `realised` and `edges` in log increments. `answers` counts rounds since the model was new.
    """
    step = STEPS + EAGER / (1.0 + answers / EAGER_FOR)
    moved = step * (TAUS - (realised <= edges))
    return np.where(np.isnan(realised) | np.isnan(edges), shift, shift + moved)


def bounds(fee_wei: int, step: tuple[float, float]) -> tuple[Vector, Vector]:
    """Log increments no chain can leave, per edge; `step` is what one block can do. Below 1,000 wei one wei is more than that."""
    down, up = _usual_bounds(step)
    if fee_wei >= COARSE:
        return down, up
    rise, fall = _BEHIND / max(fee_wei, 1), np.log(np.maximum(1.0 - _BEHIND / max(fee_wei, 1), 1e-9))
    return np.where(_IS_AHEAD, np.minimum(down, fall), 0.0), np.maximum(up, np.log1p(rise))


@lru_cache(maxsize=64)
def _usual_bounds(step: tuple[float, float]) -> tuple[Vector, Vector]:
    down, up = np.where(_IS_AHEAD, _BEHIND * step[0], 0.0), _BEHIND * step[1]
    down.flags.writeable = up.flags.writeable = False
    return down, up


def ordered(points: Vector, edges: Vector) -> Vector:
    """Edges on their right sides: the wider interval outside the narrower, both around the point; caps rise with their level."""
    ahead = edges[:AHEAD_EDGES].reshape(len(HORIZONS), len(LEVELS)).copy()
    ahead[:, 1] = np.minimum(ahead[:, 1], points)
    ahead[:, 0] = np.minimum(ahead[:, 0], ahead[:, 1])
    ahead[:, 2] = np.maximum(ahead[:, 2], points)
    ahead[:, 3] = np.maximum(ahead[:, 3], ahead[:, 2])
    caps = np.maximum.accumulate(edges[AHEAD_EDGES:].reshape(len(CAP_BLOCKS), len(CAP_LEVELS)), axis=1)
    return np.concatenate((ahead.ravel(), caps.ravel()))
