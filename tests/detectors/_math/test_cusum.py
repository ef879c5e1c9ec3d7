"""Sums of falls: a slow drain is told early, and does not teach that it is normal."""

import numpy as np

from detectors._math.cusum import Cusum


def test_a_thirty_per_cent_drain_over_six_hundred_blocks_is_told_within_the_first_two_per_cent_of_the_money() -> None:
    """Clustered volatility: quiet and loud hundreds of blocks in turn, as pools have them."""
    rng, state, seen = np.random.default_rng(4), Cusum(), 0
    for block in range(3000):
        state = state.next(float(rng.normal() * (0.0005 if block // 100 % 2 else 0.0002)))
        seen += state.down > 25
    assert seen == 0
    lost = 0.0
    for _ in range(600):
        step = float(rng.normal() * 0.0002) + np.log(0.7) / 600
        lost += 0.3 / 600
        state = state.next(step)
        if state.down > 25:
            break
    assert state.down > 25
    assert lost < 0.02


def test_an_attack_does_not_teach_that_it_is_normal() -> None:
    calm = Cusum()
    for step in np.random.default_rng(6).normal(size=1000) * 0.001:
        calm = calm.next(float(step))
    robbed = calm.next(-2.0)
    assert robbed.variance < 1.5 * calm.variance
