"""Priority fees: offers that are enough as often as they say, through quiet, spikes and blocks without tips."""

import numpy as np
import pytest

from detectors.gas.priority import LEVEL, PriorityFees


def rewards(count: int, seed: int = 0, level: float = 1e9) -> list[tuple[int, int, int]]:
    draw = np.random.default_rng(seed)
    drift = np.cumsum(draw.normal(0, 0.05, count))
    rows = level * np.exp(drift[:, None] * 0.3 + draw.normal(0, 0.4, (count, 3)) + np.array([-1.0, 0.0, 1.5]))
    return [tuple(int(value) for value in sorted(row)) for row in rows]  # type: ignore[misc]


@pytest.mark.parametrize("seed", [0, 1])
def test_an_offer_is_enough_as_often_as_it_says(seed: int) -> None:
    fees, enough, offer = PriorityFees(), [], None
    for n, row in enumerate(rewards(8_000, seed)):
        if offer is not None and n > 500:
            enough.append([offer.cheap >= row[0], offer.usual >= row[1], offer.urgent >= row[2]])
        offer = fees.observe(row)
    assert np.mean(enough, axis=0) == pytest.approx([LEVEL] * 3, abs=0.02)


def test_offers_rise_with_urgency_always() -> None:
    fees = PriorityFees()
    for row in [*rewards(200), (0, 0, 0), (10**30, 0, 0), (0, 0, 10**30), *rewards(200, 3)]:
        offer = fees.observe(row)
        assert 0 <= offer.cheap <= offer.usual <= offer.urgent


def test_blocks_without_tips_ask_for_none() -> None:
    fees = PriorityFees()
    for _ in range(500):
        offer = fees.observe((0, 0, 0))
    assert offer.usual <= 1


@pytest.mark.parametrize("row", [(1, 2), (1, 2, 3, 4), (-1, 0, 0)])
def test_another_shape_is_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="eth_feeHistory"):
        PriorityFees().observe(row)
