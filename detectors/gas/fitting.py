"""A whole model from the history: pure and seeded, meant for a worker process, since it takes seconds to a minute."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.advice import LONGEST, fit_stopping
from detectors.gas.calibration import CAP_BLOCKS, CAP_LEVELS, LEVELS, TAUS, WIDTH_OF
from detectors.gas.features import HORIZONS, LAYOUT, Vector
from detectors.gas.heads import FAR, Linear, fit_linear
from detectors.gas.model import LOOK, Model
from detectors.gas.network import train

Vectors = NDArray[np.float32]

LEAST = 1_500
"""Headers before a fit is worth anything."""

LINEAR_ROWS, STOPPING_ROWS = 60_000, 30_000
NETWORK_FROM = 15_000
"""Rows below which a network would learn the sample by heart."""

PIECE = 20_000

WARM_UP = 100
"""Rows at the start of a history whose moving averages are still settling."""


class Effort(msgspec.Struct, frozen=True):
    """How hard to try; the defaults are what the back-test was run with.

    `plain` is the baseline to beat: linear heads that know no timetable, and no network.
    """

    hidden: tuple[int, ...] = (320, 128)
    epochs: int = 5
    rate: float = 2e-3
    decay: float = 2.0
    edges: float = 0.1
    seed: int = 0
    plain: bool = False


def increments(x: Vector) -> Vector:
    """(rows, horizons): by how much the log fee will have moved; NaN where that is not known yet."""
    out = np.full((len(x), len(HORIZONS)), np.nan)
    for index, horizon in enumerate(HORIZONS):
        if len(x) >= horizon:
            out[: len(x) - horizon + 1, index] = x[horizon - 1 :] - x[: len(x) - horizon + 1]
    return out


def peaks(x: Vector) -> Vector:
    """(rows, caps): by how much the log fee will have risen at most over the next K blocks; NaN where not known yet."""
    out = np.full((len(x), len(CAP_BLOCKS)), np.nan)
    for index, blocks in enumerate(CAP_BLOCKS):
        if len(x) >= blocks:
            windows = np.lib.stride_tricks.sliding_window_view(x, blocks)
            out[: len(windows), index] = windows.max(axis=1) - x[: len(windows)]
    return out


def fit(vectors: Vectors, x: Vector, first: int, last: int, effort: Effort | None = None) -> Model:
    """The best model this much history allows. Rows are consecutive headers; `first` and `last` are their block numbers.

    Raises ValueError below `LEAST` rows, or when a fit does not settle.
    """
    effort = effort or Effort()
    if len(x) < LEAST:
        raise ValueError(f"a fit needs {LEAST} headers, not {len(x)}")
    draw = np.random.default_rng(effort.seed)
    targets, rise = increments(x), peaks(x)
    usable = np.arange(WARM_UP, len(x) - 1)
    rows = np.sort(draw.choice(usable, min(LINEAR_ROWS, len(usable)), replace=False))
    linear = fit_linear(vectors, targets, rows, timetable=not effort.plain)
    model = Model(first, last, linear, left_over(linear, vectors[rows], targets[rows], rise[rows]))
    if len(x) >= NETWORK_FROM and not effort.plain:
        model = _with_network(model, vectors, targets, rise, effort)
    points, edges = _in_pieces(model, vectors)
    starts = np.arange(WARM_UP, len(x) - LONGEST)
    starts = np.sort(draw.choice(starts, min(STOPPING_ROWS, len(starts)), replace=False))
    return msgspec.structs.replace(model, stopping=fit_stopping(points, edges, x, starts))


def _in_pieces(model: Model, vectors: Vectors) -> tuple[Vector, Vector]:
    """Raw answers for the whole history, a piece at a time: in double precision it would not fit beside itself."""
    pieces = [model.answers(vectors[at : at + PIECE].astype(np.float64)) for at in range(0, len(vectors), PIECE)]
    return np.concatenate([points for points, _ in pieces]), np.concatenate([edges for _, edges in pieces])


def left_over(linear: Linear, vectors: Vectors, targets: Vector, rise: Vector) -> Vector:
    """Quantiles of what the linear heads left over, in volatilities times the root of the steps."""
    volatility = np.maximum(vectors[:, LAYOUT["volatility"].start + 1].astype(np.float64), 1e-4)
    left = targets - linear.predict(vectors.astype(np.float64))
    root = np.sqrt(np.array(HORIZONS) - 1.0)
    every = np.concatenate((np.repeat(left, len(LEVELS), axis=1), np.repeat(rise, len(CAP_LEVELS), axis=1)), axis=1)
    relative = every / (volatility[:, None] * root[WIDTH_OF])
    return np.array([
        np.quantile(column[known], tau) if (known := np.isfinite(column)).sum() > 100 else 3.0 * np.sign(tau - 0.5)
        for column, tau in zip(relative.T, TAUS, strict=True)
    ])  # fmt: skip


def _with_network(model: Model, vectors: Vectors, targets: Vector, rise: Vector, effort: Effort) -> Model:
    """Train the corrections of the points and all edges at once."""
    known = slice(WARM_UP, len(vectors) - 1)
    points, _ = _in_pieces(model, vectors)
    shown = np.concatenate((vectors[known][:, LOOK], points[known].astype(np.float32)), axis=1)
    mean, scale = shown.mean(axis=0), shown.std(axis=0) + np.float32(1e-6)
    left = targets - points
    wanted = np.concatenate((left, np.repeat(left, len(LEVELS), axis=1), np.repeat(rise, len(CAP_LEVELS), axis=1)), axis=1)
    deviation = np.nanstd(targets, axis=0)
    unit = np.concatenate((deviation, deviation[WIDTH_OF])).astype(np.float32)
    taus = np.concatenate((np.full(len(HORIZONS), 0.5), TAUS)).astype(np.float32)
    importance = np.concatenate((np.ones(len(HORIZONS)), np.full(len(TAUS), effort.edges))).astype(np.float32)
    network = train(
        np.clip((shown - mean) / scale, -FAR, FAR), (wanted[known] / unit).astype(np.float32), taus, importance,
        hidden=effort.hidden, epochs=effort.epochs, rate=effort.rate, decay=effort.decay, seed=effort.seed,
    )  # fmt: skip
    return msgspec.structs.replace(model, network=network, mean=mean, scale=scale, unit=unit)
