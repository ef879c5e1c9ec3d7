"""The first model of a young history: a local level with an autoregressive swing around it, fitted by statsmodels.

Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989). Once settled, such a filter is linear in the
past moves, each counting less the longer ago it was; the same can be said by gaps to moving averages, so what it says becomes
an ordinary linear head over those. Two thirds of it are the moving average's answer: on a thousand headers neither is to be
trusted alone (Bates and Granger, 1969).
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import GAPS, HORIZONS, LAYOUT, WIDTH, Vector
from detectors.gas.fitting import WARM_UP, increments, left_over, peaks
from detectors.gas.heads import Linear, averages
from detectors.gas.model import Model

STRUCTURAL_FROM = 1_000
"""Headers from which such a fit is worth its second of time."""

REACH = 600
"""Blocks over which the filter's answer to a step is followed."""

RIDGE = 1e-4
OWN = 1.0 / 3.0
"""The filter's share of the answer; the rest is the moving average's."""

LONGEST_FIT = 1_500
"""Newest headers that it looks at; the cost grows with them, and old ones say little."""


def fit_structural(vectors: NDArray[np.float32], x: Vector, first: int, last: int) -> Model:
    """As `fit`, for histories too short for it. Raises ValueError on less than `STRUCTURAL_FROM` rows, or a fit of no numbers."""
    if len(x) < STRUCTURAL_FROM:
        raise ValueError(f"a first model needs {STRUCTURAL_FROM} headers, not {len(x)}")
    # A step so many blocks ago has left this much of itself in each gap.
    decays = (1.0 - 2.0 / (np.array(GAPS) + 1.0)) ** np.arange(1, REACH + 1)[:, None]
    told = np.linalg.solve(decays.T @ decays + RIDGE * np.eye(len(GAPS)), decays.T @ answers_to_steps(x[-LONGEST_FIT:]))
    beta = np.zeros((WIDTH, len(HORIZONS)))
    beta[LAYOUT["gaps"]] = OWN * told + (1.0 - OWN) * averages()[LAYOUT["gaps"]]
    if not np.isfinite(beta).all():
        raise ValueError("a first model did not settle")
    linear = Linear(np.zeros(WIDTH), np.ones(WIDTH), beta, np.zeros(len(HORIZONS)))
    rows = np.arange(WARM_UP, len(x) - 1)
    spread = left_over(linear, vectors[rows], increments(x)[rows], peaks(x)[rows])
    return Model(first, last, linear, spread, kind="structural")


def answers_to_steps(x: Vector) -> Vector:
    """(REACH, horizons): by how much more the log fee will move, for each unit that it moved so many blocks ago."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents  # noqa: PLC0415 - a second, and only ever in a worker

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not quite converged is no news on a short and lively history
        fitted = UnobservedComponents(x, "llevel", autoregressive=2).fit(disp=False, maxiter=100)
    filtered = fitted.filter_results
    moves, sees = filtered.transition[:, :, -1], filtered.design[:, :, -1]
    gain = filtered.kalman_gain[:, :, -1]
    onward = np.stack([sees @ np.linalg.matrix_power(moves, horizon - 2) for horizon in HORIZONS])[:, 0]
    state, out = np.zeros(len(moves)), np.empty((REACH, len(HORIZONS)))
    for lag in range(REACH):  # a step of one, seen for `lag` + 1 blocks
        state = moves @ state + gain @ (1.0 - sees @ state)
        out[lag] = onward @ state - 1.0
    return out
