"""Send now or wait: the least saving worth waiting for, by least-squares stopping (Longstaff and Schwartz, 2001).

One backward induction from the longest deadline yields a reservation price for every number of blocks the caller may still wait.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import Vector

LONGEST = 300
REMAINING = (1, 2, 3, 5, 8, 12, 18, 25, 50, 110, 200)
"""Blocks still to wait for which a reservation price is given; between two, the smaller one's holds."""

PRICED_AS = (1, 2, 3, 6, 9, 14, 21, 33, 75, 150, 250)
"""The wait each of those is priced as: the middle of the stretch it stands for."""

RIDGE = 200.0
"""Rows of doubt about each coefficient but the constant: that one holds the bar between sending and waiting."""
FAR = 6.0


class Stopping(msgspec.Struct, frozen=True):
    """`beta` is (basis, len(REMAINING)): the expected cost of waiting on, as a ratio to paying now."""

    mean: Vector
    scale: Vector
    beta: Vector

    def waiting(self, points: Vector, edges: Vector) -> Vector:
        """Expected cost of waiting over the cost of sending now, for each of REMAINING; below one it pays to wait."""
        ratio: Vector = _basis(_shown(points, edges), self.mean, self.scale) @ self.beta
        return ratio


def fit_stopping(points: Vector, edges: Vector, x: Vector, starts: NDArray[np.intp]) -> Stopping:
    """Induct backwards from `LONGEST` on these starting rows; each needs that many rows after it.

    `points` (rows, horizons) and `edges` (rows, EDGES) are the model's raw answers, `x` the log of the known next fee.
    """
    shown = _shown(points, edges)
    mean, scale = shown[starts].mean(axis=0), shown[starts].std(axis=0) + 1e-6
    bases = _basis(shown, mean, scale).astype(np.float32)
    price = np.exp(x)
    paid = price[starts + LONGEST]
    penalty = RIDGE * np.eye(bases.shape[1])
    penalty[-1, -1] = 0.0
    betas: dict[int, Vector] = {}
    for remaining in range(1, LONGEST + 1):
        rows = starts + LONGEST - remaining
        basis, now = bases[rows], price[rows]
        cost = np.clip(paid / now, 0.3, 3.0).astype(np.float32)
        gram = (basis.T @ basis).astype(np.float64) + penalty
        beta: Vector = np.linalg.solve(gram, (basis.T @ cost).astype(np.float64)).astype(np.float64)
        betas[remaining] = beta
        paid = np.where(basis @ beta >= 1.0, now, paid).astype(np.float64)
    return Stopping(mean, scale, np.stack([betas[remaining] for remaining in PRICED_AS], axis=1))


def _shown(points: Vector, edges: Vector) -> Vector:
    """The forecasts themselves are the basis: fifty numbers that know where the fee tends and how unsure that is."""
    return np.concatenate((points, np.sign(points) * points**2, edges), axis=-1)


def _basis(shown: Vector, mean: Vector, scale: Vector) -> Vector:
    away = np.clip((shown - mean) / scale, -FAR, FAR)
    return np.concatenate((away, np.ones((*away.shape[:-1], 1))), axis=-1)
