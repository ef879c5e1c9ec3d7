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
"""Targets one after another that a history must hold before a horizon has a head at all; until then the fee stays as it is."""

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


def fit_linear(vectors: NDArray[np.float32], targets: Vector, rows: NDArray[np.intp], *, timetable: bool = True) -> Linear:
    """Fit every horizon on these rows of the history; rows whose target has not come (NaN) are left out."""
    chosen = vectors[rows].astype(np.float64)
    mean, scale = standard(chosen, len(vectors))
    away = np.clip((chosen - mean) / scale, -FAR, FAR)
    beta, constant = np.zeros((WIDTH, len(HORIZONS))), np.zeros(len(HORIZONS))
    for horizon in range(len(HORIZONS)):
        target = targets[rows, horizon]
        known, look = np.isfinite(target), columns(horizon, timetable=timetable)
        if known.sum() > 4 * len(look) and len(targets) >= APART * HORIZONS[horizon]:
            # Targets that overlap say the same thing many times over; the ridge grows as independent rows get few.
            ahead = HORIZONS[horizon]
            repeated = max(ahead * known.sum() / len(targets), 1.0) * (1.0 + YOUNG / len(targets))
            fitted = quantile_fit(away[np.ix_(known, look)], target[known], ridge=RIDGE * min(ahead, RIDGE_TO) * repeated)
            beta[look, horizon], constant[horizon] = fitted[:-1], fitted[-1]
    return Linear(mean, scale, beta, constant)
