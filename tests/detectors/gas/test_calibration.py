"""Edges that follow what comes true, within what the chain can do, and never on the wrong side."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.gas.calibration import (
    AHEAD_EDGES,
    CAP_BLOCKS,
    CAP_LEVELS,
    EDGES,
    LEVELS,
    STEPS,
    TAUS,
    bounds,
    ordered,
    track,
)
from detectors.gas.features import HORIZONS

STEP = (math.log(7 / 8), math.log(9 / 8))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_coverage_holds_whatever_the_model_thinks_of_its_own_spread(scale: float) -> None:
    draw = np.random.default_rng(0)
    shift, under, settled, count = np.zeros(EDGES), np.zeros(EDGES), 10_000, 40_000
    for n in range(count):
        realised = scale * draw.standard_normal(EDGES)
        under += (n >= settled) * (realised <= shift)
        shift = track(shift, float(n), realised, shift)
    near = STEPS > 0.002
    assert (under / (count - settled))[near] == pytest.approx(TAUS[near], abs=0.01)
    assert under / (count - settled) == pytest.approx(TAUS, abs=0.05)


def test_coverage_holds_through_a_change_of_regime() -> None:
    draw = np.random.default_rng(1)
    shift, inside = np.zeros(EDGES), []
    for n in range(40_000):
        realised = np.full(EDGES, (1.0 if n < 20_000 else 3.0) * draw.standard_normal())
        inside.append(shift[1] <= realised[1] <= shift[2])
        shift = track(shift, float(n), realised, shift)
    assert np.mean(inside[30_000:]) == pytest.approx(0.8, abs=0.02)


def test_what_has_not_come_true_moves_nothing() -> None:
    shift = np.arange(EDGES, dtype=float)
    assert (track(shift, 0.0, np.full(EDGES, np.nan), shift) == shift).all()


def test_no_answer_leaves_what_blocks_can_do() -> None:
    down, up = bounds(20 * 10**9, STEP)
    assert up[: len(LEVELS)] == pytest.approx([STEP[1]] * len(LEVELS))
    assert down[: len(LEVELS)] == pytest.approx([STEP[0]] * len(LEVELS))
    assert (down[AHEAD_EDGES:] == 0).all(), "the highest of the next blocks is never below the next"


def test_at_one_wei_a_single_wei_is_more_than_an_eighth() -> None:
    down, up = bounds(1, STEP)
    assert math.exp(up[0]) == pytest.approx(2.0), "1 wei can become 2"
    assert np.isfinite(down).all()


@given(st.integers(0, 2**32))
def test_intervals_are_never_wrong_sided(seed: int) -> None:
    draw = np.random.default_rng(seed)
    points, edges = draw.standard_normal(len(HORIZONS)), draw.standard_normal(EDGES)
    settled = ordered(points, edges)
    ahead = settled[:AHEAD_EDGES].reshape(len(HORIZONS), len(LEVELS))
    assert (np.diff(np.column_stack([ahead[:, :2], points, ahead[:, 2:]]), axis=1) >= 0).all()
    assert (np.diff(settled[AHEAD_EDGES:].reshape(len(CAP_BLOCKS), len(CAP_LEVELS)), axis=1) >= 0).all()
