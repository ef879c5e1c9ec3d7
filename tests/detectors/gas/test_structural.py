"""The structural rung: statsmodels' own forecasts, said as coefficients of moving averages."""

import warnings

import numpy as np
import pytest
from statsmodels.tsa.statespace.structural import UnobservedComponents

from detectors.gas.features import HORIZONS, WIDTH, Features
from detectors.gas.structural import STRUCTURAL_FROM, answers_to_steps, fit_structural
from tests.support.chain_of_fees import headers


def history(count: int) -> tuple[np.ndarray, np.ndarray]:
    features, vectors, x = Features(), [], []
    for header in headers(count, seed=6):
        vectors.append(features.observe(header).astype(np.float32))
        x.append(features.x)
    return np.stack(vectors), np.array(x)


def test_the_steps_add_up_to_what_statsmodels_forecasts() -> None:
    _, x = history(700)
    steps = answers_to_steps(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = UnobservedComponents(x, "llevel", autoregressive=2).fit(disp=False, maxiter=100)
    moves = np.diff(x)[::-1][: len(steps)]
    ahead = [horizon - 1 for horizon in HORIZONS if horizon <= 300]
    told = reference.forecast(max(ahead))[np.array(ahead) - 1] - x[-1]
    assert (moves @ steps[: len(moves)])[: len(ahead)] == pytest.approx(told, abs=1e-3)


def test_a_first_model_beats_persistence_on_headers_it_never_saw() -> None:
    vectors, x = history(STRUCTURAL_FROM + 600)
    model = fit_structural(vectors[:STRUCTURAL_FROM], x[:STRUCTURAL_FROM], 0, STRUCTURAL_FROM - 1)
    assert model.name == "structural"
    rows = np.arange(STRUCTURAL_FROM, len(x) - 4)
    points, edges = model.answers(vectors[rows].astype(np.float64))
    moved = x[rows + 4] - x[rows]
    at = HORIZONS.index(5)
    assert np.abs(points[:, at] - moved).mean() < np.abs(moved).mean()
    assert np.isfinite(edges).all()


def test_too_few_headers_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{STRUCTURAL_FROM} headers"):
        fit_structural(np.zeros((10, WIDTH), np.float32), np.zeros(10), 0, 9)


def test_a_fee_that_never_moved_gives_numbers_or_a_refusal_never_a_nan() -> None:
    vectors = np.zeros((STRUCTURAL_FROM, WIDTH), np.float32)
    try:
        model = fit_structural(vectors, np.zeros(STRUCTURAL_FROM), 0, STRUCTURAL_FROM - 1)
    except (ValueError, np.linalg.LinAlgError):
        return
    assert np.isfinite(model.linear.beta).all()
