"""Send now or wait: the least saving worth waiting for, by least-squares stopping (Longstaff and Schwartz, 2001).

One backward induction from the longest deadline yields a reservation price for every number of blocks the caller may still wait.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import LAYOUT, Vector
from detectors.gas.heads import standard

LONGEST = 300
REMAINING = (*range(1, 26), 27, 30, 33, 36, 40, 45, 50, 60, 75, 90, 110, 130, 150, 175, 200, 225, 250, 275, 300)
"""Blocks still to wait for which a reservation price is given; between two, the smaller one's holds."""

RIDGE = 20.0
_SHOWN = np.concatenate(
    [
        np.arange(LAYOUT[g].start, LAYOUT[g].stop)
        for g in ("gaps", "lags", "fullness", "volatility", "slots", "calendar", "up", "down", "usual", "ahead")
    ]
)


class Stopping(msgspec.Struct, frozen=True):
    """`beta` is (basis, len(REMAINING)): the expected cost of waiting on, as a ratio to paying now."""

    mean: Vector
    scale: Vector
    beta: Vector

    def waiting(self, vector: Vector, points: Vector) -> Vector:
        """Expected cost of waiting over the cost of sending now, for each of REMAINING; below one it pays to wait."""
        ratio: Vector = basis(vector, points, self.mean, self.scale) @ self.beta
        return ratio


def basis(vectors: Vector, points: Vector, mean: Vector, scale: Vector) -> Vector:
    """(rows, features) and the forecasts for them, standardised, with a constant last."""
    shown = np.concatenate((vectors[..., _SHOWN], points), axis=-1)
    away = np.clip((shown - mean) / scale, -6.0, 6.0)
    return np.concatenate((away, np.ones((*away.shape[:-1], 1))), axis=-1)


def fit_stopping(vectors: NDArray[np.float32], points: Vector, x: Vector, starts: NDArray[np.intp]) -> Stopping:
    """Induct backwards from `LONGEST` on these starting rows; each needs that many rows after it.

    `points` (rows, horizons) are the forecasts that were made; `x` the log of the known next fee at each row.
    """
    sample: Vector = np.concatenate((vectors[starts][:, _SHOWN], points[starts]), axis=1)
    mean, scale = standard(sample)
    price: Vector = np.exp(x)
    paid: Vector = price[starts + LONGEST]
    betas: dict[int, Vector] = {}
    for remaining in range(1, LONGEST + 1):
        rows = starts + LONGEST - remaining
        shown = basis(vectors[rows].astype(np.float64), points[rows], mean, scale)
        cost = np.clip(paid / price[rows], 0.3, 3.0)
        beta: Vector = np.linalg.solve(shown.T @ shown + RIDGE * np.eye(shown.shape[1]), shown.T @ cost).astype(np.float64)
        betas[remaining] = beta
        paid = np.asarray(np.where(shown @ beta >= 1.0, price[rows], paid), dtype=np.float64)
    return Stopping(mean, scale, np.stack([betas[remaining] for remaining in REMAINING], axis=1))
