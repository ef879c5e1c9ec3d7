"""What a fit hands back, and what forecasts before the first fit: raw answers from one vector of features.

A ladder, each rung a frozen value: `Cold` (nothing learned: persistence, then moving averages), then a `Model` that is structural
(statsmodels), linear (heads of our own, spread in proportion to volatility), or has a network (corrections and quantiles).
"""

import math
from statistics import NormalDist

import msgspec
import numpy as np

from detectors.gas.advice import Stopping
from detectors.gas.calibration import AHEAD_EDGES, LEVELS, TAUS, WIDTH_OF
from detectors.gas.features import GAPS, HORIZONS, LAYOUT, Vector
from detectors.gas.heads import FAR, LEAN, SMOOTH, Linear
from detectors.gas.network import Network, Single

PERSIST_UNTIL = 50
INNER = 2.56
"""Standard deviations between the 10 % and the 90 % quantile of a normal distribution."""

_SEEN = ("lags", "fullness", "volatility", "slots", "usual", "ahead", "shape", "below", "above")
LOOK = np.concatenate([np.arange(9)] + [np.arange(LAYOUT[group].start, LAYOUT[group].stop) for group in _SEEN])
"""What the network sees of the vector. No calendar, no slow levels: by those it would know training days by heart."""

TRUST = np.array((1.0, 1.0, 0.9, 0.8, 0.75, 0.75, 0.5, 0.0))
"""How much of the network's correction to a point is believed, per horizon: far ahead there are few independent rows to learn
it from, and for six hours none of it held on later months."""

CLAIMED = np.array((1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.95, 1.0))
"""How much of the whole answer is claimed: an hour ahead, fits on a few hundred independent rows promise a little too much."""

SETTLES = 2.0 / 301.0
"""The share of each new move in the volatility that widths are made of."""

_SMOOTH, _LEAN = np.array([GAPS.index(span) for span in SMOOTH]), np.array(LEAN)
_ROOT = np.sqrt(np.array(HORIZONS) - 1.0)
LEAST_WIDTH = 1e-4
_NORMAL = np.array([NormalDist().inv_cdf(tau) for tau in TAUS])


class Raw(msgspec.Struct, frozen=True):
    """Log increments before calibration: points (horizons), edges (EDGES), and the width (horizons) that edges move by."""

    points: Vector
    edges: Vector
    widths: Vector


class Cold:
    """Nothing learned yet: what is now stays, and after `PERSIST_UNTIL` headers it leans back to a moving average."""

    name = "cold"
    stopping: Stopping | None = None

    @staticmethod
    def rung(count: int) -> str:
        """Which of the two answers after so many headers."""
        return "persistence" if count < PERSIST_UNTIL else "average"

    def predict(self, vector: Vector, count: int) -> Raw:
        """Raw answers after `count` headers."""
        points = np.zeros(len(HORIZONS)) if count < PERSIST_UNTIL else -_LEAN * vector[_SMOOTH]
        # The average of squared moves began at nothing: what it has had no time to see is made up for.
        settled = 1.0 - (1.0 - SETTLES) ** max(count - 1, 1)
        widths = np.maximum(_volatility(vector) * _ROOT / math.sqrt(settled), LEAST_WIDTH)
        return Raw(points, _spread(points, widths, _NORMAL), widths)


class Model(msgspec.Struct, frozen=True):
    """Fitted on headers `first`..`last`.

    `spread` are the edges of a linear model in volatilities; `mean`, `scale` and `unit` standardise what the network is shown
    and says.
    """

    first: int
    last: int
    linear: Linear
    spread: Vector
    stopping: Stopping | None = None
    network: Network | None = None
    mean: Single | None = None
    scale: Single | None = None
    unit: Single | None = None
    kind: str = "linear"
    """What the linear heads were made by: `linear` or `structural`."""

    @property
    def name(self) -> str:
        """For people."""
        return self.kind if self.network is None else "network"

    def rung(self, count: int) -> str:  # noqa: ARG002 - as Cold's
        """The one it is."""
        return self.name

    def predict(self, vector: Vector, count: int) -> Raw:  # noqa: ARG002 - as Cold's
        """Raw answers; `count` makes no difference once fitted."""
        points, edges = self.answers(vector)
        if self.network is None:
            widths = _volatility(vector) * _ROOT
        else:
            ahead = edges[:AHEAD_EDGES].reshape(len(HORIZONS), len(LEVELS))
            widths = (ahead[:, 2] - ahead[:, 1]) / INNER
        return Raw(points, edges, np.maximum(widths, LEAST_WIDTH))

    def answers(self, vectors: Vector) -> tuple[Vector, Vector]:
        """Points and edges, (..., horizons) and (..., EDGES), for vectors (..., WIDTH)."""
        linear = self.linear.predict(vectors)
        if self.network is None or self.mean is None or self.scale is None or self.unit is None:
            return linear, _spread(linear, _volatility(vectors)[..., None] * _ROOT, self.spread)
        out = self.network.predict(inputs(vectors, linear, self.mean, self.scale)).astype(np.float64) * self.unit
        points, edges = CLAIMED * (linear + TRUST * out[..., : len(HORIZONS)]), out[..., len(HORIZONS) :]
        edges[..., :AHEAD_EDGES] += np.repeat(linear, len(LEVELS), axis=-1)
        return points, edges


def inputs(vectors: Vector | Single, linear: Vector, mean: Single, scale: Single) -> Single:
    """What the network is shown: chosen features and the linear heads' answers, standardised and clipped."""
    shown = np.concatenate((vectors[..., LOOK], linear), axis=-1).astype(np.float32)
    away: Single = np.clip((shown - mean) / scale, -FAR, FAR)
    return away


def _volatility(vectors: Vector) -> Vector:
    found: Vector = np.maximum(vectors[..., LAYOUT["volatility"].start + 1], LEAST_WIDTH)
    return found


def _spread(points: Vector, widths: Vector, levels: Vector) -> Vector:
    """Edges around the points (caps: above zero) at so many widths."""
    edges: Vector = widths[..., WIDTH_OF] * levels
    edges[..., :AHEAD_EDGES] += np.repeat(points, len(LEVELS), axis=-1)
    return edges
