"""The numpy solver against statsmodels' QuantReg, and what linear heads refuse to learn."""

import numpy as np
import pytest
from statsmodels.regression.quantile_regression import QuantReg

from detectors.gas import heads
from detectors.gas.features import GAPS, HORIZONS, LAYOUT, WIDTH
from detectors.gas.fitting import increments, peaks
from detectors.gas.heads import (
    ANCHOR_LEAN,
    ANCHOR_SPAN,
    ANCHORED,
    LEAN,
    SMOOTH,
    averages,
    columns,
    fit_linear,
    quantile_fit,
    standard,
)
from detectors.gas.network import train


def sample(rows: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    inputs = draw.standard_normal((rows, 6))
    noise = draw.standard_t(3, rows) * (1 + 0.5 * np.abs(inputs[:, 0]))
    return inputs, inputs @ np.array([1.0, -2.0, 0.5, 0.0, 0.3, 0.1]) + noise


def pinball(target: np.ndarray, answer: np.ndarray, tau: float) -> float:
    left = target - answer
    return float(np.mean(np.maximum(tau * left, (tau - 1) * left)))


@pytest.mark.parametrize("tau", [0.025, 0.1, 0.5, 0.9, 0.975])
def test_the_fast_solver_finds_what_statsmodels_finds(tau: float) -> None:
    inputs, target = sample()
    design = np.column_stack([inputs, np.ones(len(inputs))])
    reference = QuantReg(target, design).fit(q=tau, max_iter=5_000, p_tol=1e-8).params
    ours = quantile_fit(inputs, target, tau, ridge=0.0, rounds=200, floor=1e-4)
    assert pinball(target, design @ ours, tau) <= pinball(target, design @ reference, tau) * (1 + 1e-4)
    assert ours == pytest.approx(reference, abs=0.02)


def test_a_quantile_is_exceeded_as_often_as_it_says() -> None:
    inputs, target = sample()
    beta = quantile_fit(inputs, target, 0.9, ridge=1.0, rounds=30, floor=0.01)
    assert np.mean(target <= inputs @ beta[:-1] + beta[-1]) == pytest.approx(0.9, abs=0.005)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="needs more than 5 rows"):
        quantile_fit(np.zeros((5, 7)), np.zeros(5))


def test_nan_does_not_become_a_model() -> None:
    inputs, target = sample(100)
    target[3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        quantile_fit(inputs, target)


def test_a_column_that_has_hardly_spoken_stays_silent() -> None:
    rows = np.ones((100, WIDTH)) * np.arange(1.0, 101.0)[:, None]
    rows[:90, -1] = 0.0
    mean, scale = standard(rows, 200_000)
    assert np.isfinite(scale[:-1]).all()
    assert (1e9 - mean[-1]) / scale[-1] == 0.0


def test_a_week_is_not_known_from_its_first_days() -> None:
    rows = np.random.default_rng(0).standard_normal((100, WIDTH))
    calendar = LAYOUT["calendar"]
    assert np.isinf(standard(rows, 5_000)[1][calendar]).all()
    assert np.isfinite(standard(rows, 20_000)[1][calendar]).tolist() == [True, True, True, False, False] * 2


def test_each_horizon_sees_its_own_future_only() -> None:
    near, far = columns(0), columns(len(HORIZONS) - 1)
    profile = LAYOUT["profile"].start
    assert set(near) & set(range(profile, WIDTH)) == set(range(profile, profile + 7))
    assert set(far) & set(range(profile, WIDTH)) == set(range(LAYOUT["profile"].stop - 7, LAYOUT["profile"].stop))


def young(rows: int = 1_500) -> tuple[np.ndarray, np.ndarray]:
    """Features and the log fee of a chain without any rule."""
    draw = np.random.default_rng(0)
    return draw.standard_normal((rows, WIDTH)).astype(np.float32), np.cumsum(draw.standard_normal(rows)) * 0.01


def test_a_horizon_longer_than_the_history_has_no_head_yet_and_leans_to_its_average() -> None:
    vectors, x = young()
    linear = fit_linear(vectors, increments(x), np.arange(1_499))
    assert np.count_nonzero(linear.beta[:, 0]) > 50
    gap = vectors[:, LAYOUT["gaps"]][:, GAPS.index(SMOOTH[-1])]
    assert linear.predict(vectors.astype(np.float64))[:, -1] == pytest.approx(-LEAN[-1] * gap, abs=1e-9)


def test_a_young_head_shares_its_answer_with_the_moving_average(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, x = young()
    rows, targets = np.arange(1_499), increments(x)
    both = fit_linear(vectors, targets, rows)
    monkeypatch.setattr(heads, "shared", lambda _history: 0.0)
    own = fit_linear(vectors, targets, rows)
    asked = vectors[:50].astype(np.float64)
    near = slice(0, HORIZONS.index(300))
    wanted = 0.5 * own.predict(asked) + 0.5 * asked @ averages()
    assert both.predict(asked)[:, near] == pytest.approx(wanted[:, near], abs=1e-9)


def test_the_anchor_is_all_there_is_where_nothing_else_was_learned() -> None:
    """A fee that returns half of its way to its hourly average in three hundred blocks, and no noise but the features'."""
    vectors, _ = young(60_000)
    targets = np.full((60_000, len(HORIZONS)), np.nan)
    at = HORIZONS.index(ANCHORED)
    targets[:, at] = -ANCHOR_LEAN * vectors[:, LAYOUT["gaps"].start + GAPS.index(ANCHOR_SPAN)]
    linear = fit_linear(vectors, targets, np.arange(0, 60_000, 10))
    assert linear.predict(vectors[:50].astype(np.float64))[:, at] == pytest.approx(targets[:50, at], abs=1e-3)


def test_increments_and_peaks_look_from_the_known_next_fee() -> None:
    x = np.array([1.0, 3.0, 2.0, 0.0, 5.0, 4.0])
    assert increments(x)[0, :2] == pytest.approx([2.0, 4.0])
    assert np.isnan(increments(x)[5, 0])
    assert peaks(x)[0, :2] == pytest.approx([2.0, 4.0])
    assert peaks(x)[1, 0] == 0.0


def test_a_network_learns_a_bend_that_a_line_cannot() -> None:
    draw = np.random.default_rng(1)
    inputs = draw.standard_normal((20_000, 3)).astype(np.float32)
    target = (np.abs(inputs[:, :1]) + 0.1 * draw.standard_normal((20_000, 1))).astype(np.float32)
    taus, importance = np.array([0.5], np.float32), np.ones(1, np.float32)
    network = train(inputs, target, taus, importance, hidden=(16,), epochs=8, rate=5e-3, decay=0.1)
    again = train(inputs, target, taus, importance, hidden=(16,), epochs=8, rate=5e-3, decay=0.1)
    line = quantile_fit(inputs.astype(np.float64), target[:, 0].astype(np.float64))
    left = np.abs(target[:, 0] - inputs @ line[:-1] - line[-1]).mean()
    assert np.abs(network.predict(inputs) - target).mean() < left / 2
    assert all((a == b).all() for a, b in zip(network.weights, again.weights, strict=True)), "the same seed gives the same bits"


def test_a_target_that_has_not_come_teaches_nothing() -> None:
    inputs = np.random.default_rng(1).standard_normal((2_048, 2)).astype(np.float32)
    target = np.full((2_048, 1), np.nan, np.float32)
    network = train(inputs, target, np.array([0.5], np.float32), np.ones(1, np.float32), hidden=(4,), epochs=1, decay=0.0)
    assert np.isfinite(network.predict(inputs)).all()
