"""Extreme values: the promise on honest series, and what is never learnt."""

import numpy as np
import pytest

from detectors._math.spot import START, Spot, pareto


def alarms(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", risk: float, *, drift: bool = False) -> int:
    state, count = Spot(), 0
    for value in values:
        state, out = state.next(float(value), risk=risk, drift=drift)
        count += out
    return count


def test_the_tail_holds_its_promise_on_a_gaussian_series_within_a_factor_of_three() -> None:
    """What is out of the tail is not learnt from, so the tail is thought a little shorter than it is: the price of robustness."""
    count, risk = 60_000, 1e-4
    assert alarms(np.random.default_rng(5).normal(size=count), risk) <= 3 * risk * count


def test_what_is_out_of_the_tail_teaches_nothing() -> None:
    state = Spot()
    for value in np.random.default_rng(1).normal(size=2 * START):
        state, _ = state.next(float(value))
    after, out = state.next(1000.0)
    assert (out, after) == (True, state)


def test_a_drifting_series_is_followed() -> None:
    rng = np.random.default_rng(2)
    rising = np.linspace(0.0, 200.0, 3000) + rng.normal(size=3000)
    plain, following = Spot(), Spot()
    for value in rising:
        plain, following = plain.next(float(value))[0], following.next(float(value), drift=True)[0]
    spike = float(rising[-1]) + 12.0
    assert (plain.next(spike)[1], following.next(spike, drift=True)[1]) == (False, True)


def test_a_tide_neither_alarms_nor_hides_a_jump() -> None:
    """Two days of 12 s blocks whose flow swings by three deviations: with the drift left in, most alarms are the tide."""
    tide = 3 * np.sin(2 * np.pi * np.arange(14_400) / 7_200) + np.random.default_rng(1).normal(size=14_400)
    followed = alarms(tide, 1e-4, drift=True)
    assert followed <= 5
    assert alarms(tide, 1e-4) > 4 * max(1, followed)
    at_ebb = 5_400  # where the tide is three deviations below its mean
    for drift, seen in ((False, False), (True, True)):
        state = Spot()
        for value in tide[:at_ebb]:
            state, _ = state.next(float(value), drift=drift)
        assert state.next(float(tide[at_ebb]) + 6.5, drift=drift)[1] is seen


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_the_fit_finds_the_law_that_made_the_excesses(shape: float) -> None:
    uniform = np.random.default_rng(9).uniform(size=20_000)
    excesses = -np.log(uniform) if shape == 0.0 else (uniform**-shape - 1) / shape
    found = pareto(excesses.tolist())
    assert np.allclose(found, (shape, 1.0), atol=0.08)


@pytest.mark.parametrize("excesses", [[], [0.0], [0.0, 0.0], [1e300, 1e-300], [5.0] * 50])
def test_the_fit_gives_numbers_for_anything(excesses: list[float]) -> None:
    assert all(np.isfinite(pareto(excesses)))
