"""The fold over headers: what it computes, written out the slow way, and that a rewind is exact."""

import math
from itertools import pairwise

import numpy as np
import pytest

from detectors.gas.exact import next_base_fee
from detectors.gas.features import DEEP, GAPS, HORIZONS, LAYOUT, PROFILE_DAYS, RATES, WIDTH, Clock, Features, Header
from tests.support.chain_of_fees import GENESIS, headers

CHAIN = headers(1500)


def fold(chain: list[Header]) -> Features:
    features = Features()
    for header in chain:
        features.observe(header)
    return features


def smooth(values: list[float], span: int) -> float:
    alpha, mean = 2 / (span + 1), values[0]
    for value in values[1:]:
        mean += alpha * (value - mean)
    return mean


def logs(chain: list[Header]) -> list[float]:
    return [math.log(next_base_fee(h.base_fee, h.gas_used, h.gas_limit) / 1e9) for h in chain]


def fullness(chain: list[Header]) -> list[float]:
    return [h.gas_used / (h.gas_limit // 2) - 1 for h in chain]


def test_level_gaps_are_the_log_fee_less_its_moving_averages() -> None:
    x = logs(CHAIN)
    expected = [x[-1] - smooth(x, span) for span in GAPS]
    assert fold(CHAIN).vector[LAYOUT["gaps"]] == pytest.approx(expected, abs=1e-12)


def test_lags_are_the_last_blocks_newest_first() -> None:
    assert fold(CHAIN).vector[LAYOUT["lags"]] == pytest.approx(fullness(CHAIN)[:-22:-1], abs=1e-12)


def test_the_next_fee_is_exact() -> None:
    features = Features()
    for header, child in pairwise(CHAIN):
        features.observe(header)
        assert features.next_fee == child.base_fee


def test_timetables_learn_how_much_fuller_a_slot_is_than_usual() -> None:
    r, tables = fullness(CHAIN), [dict.fromkeys(range(p), 0.0) for p in (5, 32, 300, 7200)]
    usual = 0.0
    for header, value in zip(CHAIN, r, strict=True):
        slot = (header.timestamp - GENESIS) // 12
        surprise = value - usual - sum(table[slot % len(table)] for table in tables)
        usual = value * 2 / 101 if header is CHAIN[0] else usual + (value - usual) * 2 / 101
        for table, rate in zip(tables, RATES, strict=True):
            table[slot % len(table)] += rate * surprise
    slot = (CHAIN[-1].timestamp - GENESIS) // 12
    ahead = [sum(table[(slot + k) % len(table)] for k in range(1, h)) for table in tables for h in HORIZONS]
    assert fold(CHAIN).vector[LAYOUT["ahead"]] == pytest.approx(ahead, abs=1e-9)
    past = [table[(slot - back) % len(table)] for table in tables for back in range(4)]
    assert fold(CHAIN).vector[LAYOUT["usual"]] == pytest.approx(past, abs=1e-12)


def test_the_busy_slot_of_the_minute_stands_out() -> None:
    features = Features()
    seen = {}
    for header in CHAIN:
        features.observe(header)
        coming = ((header.timestamp - GENESIS) // 12 + 1) % 5
        seen[coming] = features.vector[LAYOUT["ahead"]][0]
    assert max(seen, key=lambda slot: seen[slot]) == 3


def test_the_profile_is_what_happened_at_this_hour_on_earlier_days() -> None:
    chain = [Header(n, GENESIS + 12 * n, 10**9 + 10**6 * (n % 7200), 15_000_000, 30_000_000) for n in range(1, 2 * 7200)]
    profile = fold(chain).vector[LAYOUT["profile"]].reshape(len(HORIZONS), 7)
    slot, by_slot = chain[-1].number, {h.number: x for h, x in zip(chain, logs(chain), strict=True)}
    for row, horizon in enumerate(HORIZONS):
        half = max(5, horizon // 4)
        then = [np.mean([by_slot[slot - 7200 + k + w] for w in range(-half, half + 1)]) for k in (0, horizon - 1)]
        assert profile[row, 0] == pytest.approx(then[1] - then[0], abs=1e-9)
        assert profile[row, 5] == pytest.approx(then[1] - by_slot[slot], abs=1e-9)
        assert (profile[row, [1, 2, 3, 6]] == 0).all(), "days before the history say nothing"
    assert len(PROFILE_DAYS) == 4


@pytest.mark.parametrize("depth", [1, 20, DEEP - 1])
def test_after_a_reorganisation_the_state_is_that_of_a_fresh_fold(depth: int) -> None:
    other = headers(depth + 200, seed=9, first=CHAIN[-depth].number)
    features = fold(CHAIN)
    assert features.rewind(CHAIN[-depth].number - 1)
    fresh = fold(CHAIN[:-depth])
    assert features.next_fee == fresh.next_fee
    assert (features.vector == fresh.vector).all()
    for header in other:
        assert (features.observe(header) == fresh.observe(header)).all()


def test_a_rewind_deeper_than_the_marks_is_refused_and_changes_nothing() -> None:
    features = fold(CHAIN)
    before = features.vector.copy()
    assert not features.rewind(CHAIN[-1].number - DEEP - 1)
    assert features.number == CHAIN[-1].number
    assert (features.vector == before).all()


def test_everything_can_be_taken_back_to_nothing() -> None:
    features = fold(CHAIN[:3])
    assert features.rewind(0)
    assert features.number is None
    assert features.count == 0


@pytest.mark.parametrize(
    "odd",
    [
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp, 20 * 10**9, 0, 30_000_000),  # the clock stood still
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp - 5_000, 20 * 10**9, 0, 30_000_000),  # or went back
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp + 10**9, 20 * 10**9, 0, 30_000_000),  # or leapt thirty years
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp + 12, 0, 0, 30_000_000),
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp + 12, 1, 0, 0),
        Header(CHAIN[-1].number + 1, CHAIN[-1].timestamp + 12, 2**62, 60_000_000, 60_000_000),
    ],
)
def test_no_header_makes_the_vector_unfit(odd: Header) -> None:
    features = fold(CHAIN)
    features.observe(odd)
    for header in headers(50, first=odd.number + 1):
        assert np.isfinite(features.observe(header)).all()


def test_a_faster_chain_has_its_own_timetable() -> None:
    features = Features(Clock(genesis=0, seconds=2, elasticity=6, denominator=250))
    for number in range(100):
        vector = features.observe(Header(number, 2 * number, 10**6, 5_000_000, 60_000_000))
    assert vector.shape == (WIDTH,)
    assert np.isfinite(vector).all()
