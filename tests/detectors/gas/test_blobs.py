"""Blob fees: exact for the next block, and where demand and the reserve price take them."""

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
    fees = BlobFees()
    for n in range(count):
        fees.observe(BlobHeader(excess, used * GAS_PER_BLOB, base_fee, AT + 12 * n))
    return fees


def test_the_next_fee_is_the_protocols() -> None:
    header = BlobHeader(200_000_000, 21 * GAS_PER_BLOB, 10**9, AT)
    fees = BlobFees()
    told = fees.observe(header)
    assert told == blob_base_fee(next_excess_blob_gas(header.excess, header.used, header.base_fee, BPO2), BPO2)
    assert fees.ahead(forecast(1.0), 1)[0.5] == told


def test_before_blobs_there_is_no_blob_fee() -> None:
    fees = BlobFees()
    assert fees.observe(BlobHeader(0, 0, 10**9, MAINNET_BLOBS[0].start - 12)) is None
    assert fees.ahead(forecast(1.0), 5) == {}


def test_full_blocks_drive_the_fee_up_and_empty_ones_down() -> None:
    level = blob_base_fee(200_000_000, BPO2)
    assert fold(21).ahead(forecast(0.01), 50)[0.5] > level
    assert fold(0).ahead(forecast(0.01), 50)[0.5] < level


def test_under_the_reserve_price_blobs_at_target_still_get_dearer() -> None:
    """While a blob pays less than its execution would, EIP-7918 lets the excess grow with every blob, whatever the target."""
    excess = 40_000_000
    dear, cheap = fold(14, excess=excess, base_fee=10**11), fold(14, excess=excess, base_fee=1)
    assert dear.ahead(forecast(100.0), 50)[0.5] > cheap.ahead(forecast(1e-9), 50)[0.5]


def test_quantiles_rise_and_open_with_unsteady_demand() -> None:
    fees = BlobFees()
    for n in range(400):
        fees.observe(BlobHeader(200_000_000, (21 if n % 2 else 7) * GAS_PER_BLOB, 10**9, AT + 12 * n))
    answer = list(fees.ahead(forecast(0.01), 25).values())
    assert answer == sorted(answer)
    assert answer[0] < answer[-1]
    steady = list(fold(14).ahead(forecast(0.01), 25).values())
    assert steady[0] == steady[-1]


def test_an_excess_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="exponent"):
        BlobFees().observe(BlobHeader(2**63, 0, 10**9, AT))
