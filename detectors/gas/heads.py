"""Linear heads: medians and quantiles of a log increment by iteratively reweighted least squares, in numpy alone.

The loss is statsmodels' `QuantReg` (a test holds the two together); this solver is some hundred times faster on our sizes.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import GAPS, HORIZONS, LAYOUT, WIDTH, Vector

FAR = 8.0
"""Standard deviations at which an input stops counting more: a head must not extrapolate from a regime it never saw."""

RIDGE, RIDGE_TO = 0.12, 150
"""Rows of doubt about each coefficient, for each block ahead (up to `RIDGE_TO`) and each time a target is repeated.

Near the present, coefficients cancel finely and must be free to; far from it there are few independent rows and many causes.
"""

YOUNG = 50_000
"""Rows up to which a history counts as young, and its coefficients are doubted more."""

APART = 5
"""Targets one after another that a history must hold before a horizon has a head at all; until then its average answers."""

SMOOTH = (4, 8, 16, 32, 128, 300, 300, 300)
LEAN = (0.35, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
"""Per horizon, the span of the moving average that the fee leans back to, and how much of the way: the answer before any fit.

A young head shares the answer with it (Bates and Granger, 1969): half of it at first, a fifth at 14,000 headers.
"""

SHARED_OVER = 4_200.0
"""Headers by which the young head's share grows, see `shared`."""

ANCHORED, ANCHOR_SPAN, ANCHOR_LEAN = 300, 900, 0.5
"""The head so many blocks ahead is fitted on what this lean leaves over: the ridge then draws towards it. Nearer there are rows
enough without, and further on it was worse."""

SPEAKS_FROM = 0.2
"""Share of rows in which a column must differ from zero."""


def quantile_fit(
    inputs: Vector, target: Vector, tau: float = 0.5, *, ridge: float = 10.0, rounds: int = 8, floor: float = 0.02
) -> Vector:
    """Coefficients (last: the constant) that minimise the pinball loss at `tau`, with a ridge on all but the constant.

    `inputs` is (rows, columns), of order one; `ridge` is in rows (a coefficient is held back as by so many rows that say zero);
    residuals below `floor` count as if they were `floor`. Raises ValueError when there are fewer rows than coefficients, or
    anything is not finite.
    """
    rows, columns = inputs.shape
    if rows <= columns:
        raise ValueError(f"a head of {columns + 1} coefficients needs more than {rows} rows")
    design = np.empty((rows, columns + 1))
    design[:, :-1], design[:, -1] = inputs, 1.0
    penalty = np.full(columns + 1, ridge)
    penalty[-1] = 0.0
    beta = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ target)
    if tau != 0.5:
        beta[-1] += np.quantile(target - design @ beta, tau)
    for _ in range(rounds):
        residual = target - design @ beta
        weight = np.where(residual > 0, 2.0 * tau, 2.0 * (1.0 - tau)) / np.maximum(np.abs(residual), floor)
        weighted = design * weight[:, None]
        # The weights lean on one side; the normal equations then settle where the pinball loss is level.
        beta = np.linalg.solve(weighted.T @ design + np.diag(penalty * weight.mean()), weighted.T @ target)
    if not np.isfinite(beta).all():
        raise ValueError("a head did not settle: the inputs or the target are not finite")
    return beta


def columns(horizon: int, *, timetable: bool = True) -> NDArray[np.intp]:
    """The features that the linear head of this horizon (an index into HORIZONS) looks at, with or without the timetables."""
    ahead, profile, many = LAYOUT["ahead"].start, LAYOUT["profile"].start, len(HORIZONS)
    tables = (LAYOUT["ahead"].stop - ahead) // many
    if not timetable:
        chosen = set(range(LAYOUT["usual"].start))
    else:
        chosen = set(range(ahead)) | {ahead + table * many + at for table in range(tables) for at in {0, horizon}}
    return np.array(sorted(chosen | set(range(profile + 7 * horizon, profile + 7 * horizon + 7))), dtype=np.intp)


class Linear(msgspec.Struct, frozen=True):
    """All point heads in one matrix: standardise, clip, multiply. `beta` (WIDTH, horizons) is zero where a head does not look."""

    mean: Vector
    scale: Vector
    beta: Vector
    constant: Vector

    def predict(self, vectors: Vector) -> Vector:
        """Median log increments from the known next fee: (..., WIDTH) in, (..., horizons) out."""
        away: Vector = np.clip((vectors - self.mean) / self.scale, -FAR, FAR)
        answer: Vector = away @ self.beta + self.constant
        return answer


def _needs() -> Vector:
    """Rows of history that each feature needs: twice the time it looks back or goes round in, else it only counts the days."""
    needs = np.zeros(WIDTH)
    needs[LAYOUT["gaps"]] = 2.0 * np.array(GAPS)
    needs[LAYOUT["calendar"]] = np.tile([2.0 * 7200] * 3 + [2.0 * 50400] * 2, 2)
    return needs


NEEDS = _needs()


def standard(rows: Vector, history: int) -> tuple[Vector, Vector]:
    """Mean and standard deviation of each column of these rows, drawn from a history of so many headers.

    A feature that needs a longer history, or is zero in most rows (a timetable younger than its period), gets an endless
    deviation: it says nothing yet, and must not begin to speak in the middle of a model's life.
    """
    known = ((rows != 0).mean(axis=0) >= SPEAKS_FROM) & (history >= NEEDS)
    return rows.mean(axis=0), np.where(known, rows.std(axis=0) + 1e-6, np.inf)


def averages() -> Vector:
    """(WIDTH, horizons): coefficients, in the features' own units, of leaning back to a moving average."""
    leans = np.zeros((WIDTH, len(HORIZONS)))
    leans[[LAYOUT["gaps"].start + GAPS.index(span) for span in SMOOTH], np.arange(len(HORIZONS))] = -np.array(LEAN)
    return leans


def shared(history: int) -> float:
    """The moving average's share of the answer of heads that were fitted on so many headers.

    >>> [round(shared(many), 2) for many in (1_500, 5_700, 14_000, 50_000)]
    [0.5, 0.33, 0.2, 0.0]
    """
    return 1.0 / (2.0 + max(history - 1_500, 0) / SHARED_OVER) if history < YOUNG else 0.0


def _anchors() -> Vector:
    anchors = np.zeros((WIDTH, len(HORIZONS)))
    anchors[LAYOUT["gaps"].start + GAPS.index(ANCHOR_SPAN), HORIZONS.index(ANCHORED)] = -ANCHOR_LEAN
    return anchors


def fit_linear(vectors: NDArray[np.float32], targets: Vector, rows: NDArray[np.intp], *, timetable: bool = True) -> Linear:
    """Fit every horizon on these rows of the history; rows whose target has not come (NaN) are left out.

    Without a timetable these are plain heads: no anchor, nothing shared.
    """
    chosen = vectors[rows].astype(np.float64)
    mean, scale = standard(chosen, len(vectors))
    away = np.clip((chosen - mean) / scale, -FAR, FAR)
    speaks = np.isfinite(scale)[:, None] & timetable
    leans, anchors = np.where(speaks, averages(), 0.0), np.where(speaks, _anchors(), 0.0)
    beta, own = np.zeros((WIDTH, len(HORIZONS))), np.zeros((WIDTH, len(HORIZONS)))
    constant = np.zeros(len(HORIZONS))
    for horizon in range(len(HORIZONS)):
        target = targets[rows, horizon] - chosen @ anchors[:, horizon]
        known, look = np.isfinite(target), columns(horizon, timetable=timetable)
        share = 1.0
        if known.sum() > 4 * len(look) and len(targets) >= APART * HORIZONS[horizon]:
            # Targets that overlap say the same thing many times over; the ridge grows as independent rows get few.
            ahead, share = HORIZONS[horizon], shared(len(targets))
            repeated = max(ahead * known.sum() / len(targets), 1.0) * (1.0 + YOUNG / len(targets))
            fitted = quantile_fit(away[np.ix_(known, look)], target[known], ridge=RIDGE * min(ahead, RIDGE_TO) * repeated)
            beta[look, horizon], constant[horizon] = (1.0 - share) * fitted[:-1], (1.0 - share) * fitted[-1]
        own[:, horizon] = (1.0 - share) * anchors[:, horizon] + share * leans[:, horizon]
    return Linear(mean, scale, beta + own * np.where(np.isfinite(scale), scale, 0.0)[:, None], constant + mean @ own)
