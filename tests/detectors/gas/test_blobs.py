"""Blob fees: exact for the next block, and where demand and the reserve price take them."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from detectors.gas.blobs import BlobFees, BlobHeader
from detectors.gas.exact import GAS_PER_BLOB, MAINNET_BLOBS, blob_base_fee, next_excess_blob_gas
from detectors.gas.forecast import Forecast

BPO2 = MAINNET_BLOBS[-1]
AT = BPO2.start + 1_000


def forecast(gwei: float) -> Forecast:
    flat: dict[int, tuple[float, ...]] = {1: (gwei,) * 5, 300: (gwei,) * 5}
    return Forecast(number=1, next_fee=round(gwei * 1e9), ahead=flat, caps={}, reservation={}, model="network", degraded=None)


def fold(used: int, *, excess: int = 200_000_000, base_fee: int = 10**9, count: int = 50) -> BlobFees:
    fees = BlobFees(ahead=(2, 25, 50))
    for n in range(count):
        fees.observe(BlobHeader(excess, used * GAS_PER_BLOB, base_fee, AT + 12 * n))
    return fees


def lived(used: Sequence[int], ahead: tuple[int, ...] = (2, 25)) -> tuple[BlobFees, list[int], dict[int, Any]]:
    """A chain whose blocks take so many blobs, answered after every header: what came, and what had been said of it."""
    fees, excess, came, said = BlobFees(ahead=ahead), 200_000_000, [], {}
    for n, blobs in enumerate(used):
        header = BlobHeader(excess, blobs * GAS_PER_BLOB, 10**6, AT + 12 * n, n)
        following = fees.observe(header)
        assert following is not None
        came.append(following)
        said[n] = fees.answers(forecast(0.001))
        excess = next_excess_blob_gas(excess, header.used, header.base_fee, BPO2)
    return fees, came, said


def test_the_next_fee_is_the_protocols() -> None:
    header = BlobHeader(200_000_000, 21 * GAS_PER_BLOB, 10**9, AT)
    fees = BlobFees()
    told = fees.observe(header)
    assert told == blob_base_fee(next_excess_blob_gas(header.excess, header.used, header.base_fee, BPO2), BPO2)


def test_before_blobs_there_is_no_blob_fee() -> None:
    fees = BlobFees()
    assert fees.observe(BlobHeader(0, 0, 10**9, MAINNET_BLOBS[0].start - 12)) is None
    assert fees.answers(forecast(1.0)) == {}


def test_nothing_is_believed_of_a_drift_that_has_not_yet_been_right() -> None:
    level = blob_base_fee(next_excess_blob_gas(200_000_000, 21 * GAS_PER_BLOB, 10**9, BPO2), BPO2)
    assert {row[0.5] for row in fold(21).answers(forecast(0.01)).values()} == {level}


def test_full_blocks_drive_the_fee_up_and_empty_ones_down_once_that_has_come_true() -> None:
    for used, rises in ((15, True), (13, False)):
        _, came, said = lived([used] * 400)
        assert (said[399][25][0.5] > came[-1]) is rises
        assert said[350][25][0.5] == pytest.approx(came[350 + 24], rel=0.02)


def test_a_drift_that_never_comes_is_not_believed_and_the_answer_is_no_worse_than_as_the_next() -> None:
    """Demand turns round just when the average has caught up with it."""
    _, came, said = lived([21 if n // 60 % 2 else 7 for n in range(1_500)])
    ours = sum(abs(said[n][25][0.5] - came[n + 24]) for n in range(500, 1_400))
    stay = sum(abs(came[n] - came[n + 24]) for n in range(500, 1_400))
    assert ours <= stay


def test_edges_are_moved_until_as_many_answers_are_inside_as_was_said() -> None:
    draw = random.Random(3)  # several blocks' blobs: those of a single one come in steps too coarse for a twentieth
    noise = [min(max(round(draw.gauss(14, 2.5)), 0), 21) for _ in range(3_000)]
    _, came, said = lived(noise, ahead=(5, 10))
    for ahead in (5, 10):
        rows = range(800, 2_900)
        inside = [said[n][ahead][0.1] <= came[n + ahead - 1] <= said[n][ahead][0.9] for n in rows]
        wide = [said[n][ahead][0.025] <= came[n + ahead - 1] <= said[n][ahead][0.975] for n in rows]
        assert sum(inside) / len(inside) == pytest.approx(0.8, abs=0.04), ahead
        assert sum(wide) / len(wide) == pytest.approx(0.95, abs=0.02), ahead


def test_after_a_reorganisation_answers_are_those_of_a_fresh_run() -> None:
    fees, _, said = lived([n * 7 % 22 for n in range(120)])
    for n in range(120, 140):
        fees.observe(BlobHeader(200_000_000, 21 * GAS_PER_BLOB, 10**6, AT + 12 * n, n))
        fees.answers(forecast(0.001))
    fees.rewind(129)
    fees.rewind(119)
    assert fees.answers(forecast(0.001)) == said[119]


def test_under_the_reserve_price_blobs_at_target_still_get_dearer() -> None:
    """While a blob pays less than its execution would, EIP-7918 lets the excess grow with every blob, whatever the target."""
    excess = 40_000_000
    dear, cheap = fold(14, excess=excess, base_fee=10**11), fold(14, excess=excess, base_fee=1)
    assert dear.answers(forecast(100.0))[50][0.9] > cheap.answers(forecast(1e-9))[50][0.9]


def test_quantiles_rise_and_open_with_unsteady_demand() -> None:
    fees = BlobFees(ahead=(25,))
    for n in range(400):
        fees.observe(BlobHeader(200_000_000, (21 if n % 2 else 7) * GAS_PER_BLOB, 10**9, AT + 12 * n))
    answer = list(fees.answers(forecast(0.01))[25].values())
    assert answer == sorted(answer)
    assert answer[0] < answer[-1]
    steady = list(fold(14).answers(forecast(0.01))[25].values())
    assert steady[0] == steady[-1]


def test_an_excess_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="exponent"):
        BlobFees().observe(BlobHeader(2**63, 0, 10**9, AT))
