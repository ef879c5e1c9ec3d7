"""The score: what it calls good, on answers whose quality is known beforehand."""

import numpy as np
import pytest

from monitor.gas.score import Tally

DRAW = np.random.default_rng(0)
FEE = 20 * np.exp(np.cumsum(DRAW.normal(0, 0.03, 6_000)))
FIRST = 500


def scored(point: np.ndarray, *, spread: float = 0.1, wait_for: np.ndarray | None = None) -> dict[str, dict[str, float]]:
    """A report where every row gives `point` for five blocks ahead, with edges at a factor of `spread` and twice that."""
    tally = Tally(len(FEE))
    for row, value in enumerate(point):
        edges = [value * np.exp(step * spread) for step in (-2, -1, 1, 2)]
        price = {} if wait_for is None else {str(r): float(wait_for[row]) for r in range(1, 26)}
        tally.take(row, {"f": {"5": [value, *edges]}, "cap": {"5": [value, 2 * value, 1e9]}, "resv": price})
    return tally.report(FEE, FIRST)


def later(blocks: int) -> np.ndarray:
    return np.append(FEE[blocks:], [FEE[-1]] * blocks)


def test_persistence_scores_one_and_foresight_nothing() -> None:
    assert scored(later(1))["h5"]["mase"] == pytest.approx(1.0)
    assert scored(later(5))["h5"]["mase"] == 0.0


def test_coverage_is_the_share_inside() -> None:
    assert scored(later(5), spread=1e-6)["h5"]["in80"] == 1.0
    wide, narrow = scored(later(1), spread=0.3)["h5"], scored(later(1), spread=0.01)["h5"]
    assert wide["in80"] > narrow["in80"]
    assert narrow["winkler95"] > 0


def test_a_cap_must_hold_for_every_block_not_for_the_last() -> None:
    report = scored(later(5))["cap5"]
    assert report["in99"] == 1.0
    # A random walk of four steps ends at its highest point in C(8, 4) / 2^8 of cases (Sparre Andersen).
    assert report["in80"] == pytest.approx(70 / 256, abs=0.03)


def test_waiting_with_foresight_captures_all_and_never_waiting_nothing() -> None:
    best = np.array([FEE[row + 1 : row + 27].min() if row < len(FEE) - 1 else FEE[-1] for row in range(len(FEE))])
    lowest = scored(later(1), wait_for=best * (1 + 1e-9))
    assert lowest["wait25"]["captured"] > 0.75
    assert scored(later(1), wait_for=np.full(len(FEE), 1e9))["wait25"]["captured"] == 0.0


def test_rows_to_learn_on_do_not_count() -> None:
    point = later(5)
    point[:FIRST] = 1e6
    assert scored(point)["h5"]["mase"] == 0.0
