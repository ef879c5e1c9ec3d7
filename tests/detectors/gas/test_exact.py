"""The exact layer against go-ethereum's tables, the EIPs' own arithmetic, and headers that lie."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.gas.exact import (
    GAS_PER_BLOB,
    MAINNET_BLOBS,
    ArbitrumParams,
    BlobParams,
    OpParams,
    blob_base_fee,
    blob_params,
    fake_exponential,
    next_arbitrum,
    next_base_fee,
    next_excess_blob_gas,
    next_op_base_fee,
    op_params,
)

VECTORS = Path(__file__).parents[4] / "shared" / "data" / "gas" / "fee_vectors.json"
GWEI = 10**9


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    if not VECTORS.exists():
        pytest.skip("the shared fee vectors are not on this machine")
    loaded: dict[str, Any] = json.loads(VECTORS.read_text())
    return loaded


def test_every_base_fee_vector(vectors: dict[str, Any]) -> None:
    assert [next_base_fee(b, used, limit) for b, limit, used, _ in vectors["base_fee"]] == [v[3] for v in vectors["base_fee"]]


def test_every_exponential_vector(vectors: dict[str, Any]) -> None:
    for factor, numerator, denominator, expected in vectors["fake_exponential"]:
        assert fake_exponential(factor, numerator, denominator) == expected


def test_every_excess_vector(vectors: dict[str, Any]) -> None:
    for excess, used, base_fee, fork, osaka, expected in vectors["excess"]:
        entry = vectors["blob_config"][fork]
        params = BlobParams(0, entry["target"], entry["max"], entry["update_fraction"], reserve=osaka)
        assert next_excess_blob_gas(excess, used, base_fee, params) == expected


def test_the_default_schedule_is_the_published_one(vectors: dict[str, Any]) -> None:
    published = {(v["target"], v["max"], v["update_fraction"]) for v in vectors["blob_config"].values()}
    assert {(p.target, p.most, p.fraction) for p in MAINNET_BLOBS} == published


@pytest.mark.parametrize(("excess", "wei"), [(0, 1), (2314057, 1), (2314058, 2), (10 * 2**20, 23)])
def test_cancun_blob_fees_from_the_eip(excess: int, wei: int) -> None:
    assert blob_base_fee(excess, MAINNET_BLOBS[0]) == wei


@pytest.mark.parametrize(
    ("target", "most", "fraction", "excess", "used", "base_fee", "expected"),
    [(9, 14, 8832827, 5149252, 1310720, 30, 5617366), (21, 32, 20609697, 19251039, 2490368, 50, 20107103)],
)
def test_the_reserve_price_slows_the_fall(
    target: int, most: int, fraction: int, excess: int, used: int, base_fee: int, expected: int
) -> None:
    assert next_excess_blob_gas(excess, used, base_fee, BlobParams(0, target, most, fraction, reserve=True)) == expected


@given(
    st.integers(0, 2**28), st.integers(0, 21), st.integers(0, 10**12), st.sampled_from([p for p in MAINNET_BLOBS if p.reserve])
)
def test_excess_follows_the_text_of_eip_7918(excess: int, blobs: int, base_fee: int, params: BlobParams) -> None:
    """The EIP's own reference code, written out: a second reading of it, so that ours is not its own witness."""
    used, target = blobs * 2**17, params.target * 2**17
    blob_fee, term, i = 0, params.fraction, 1
    while term > 0:
        blob_fee += term
        term, i = (term * excess) // (params.fraction * i), i + 1
    blob_fee //= params.fraction
    if excess + used < target:
        expected = 0
    elif 2**13 * base_fee > 2**17 * blob_fee:
        expected = excess + used * (params.most - params.target) // params.most
    else:
        expected = excess + used - target
    assert next_excess_blob_gas(excess, used, base_fee, params) == expected


@given(st.integers(1, 10**13), st.integers(0, 60_000_000), st.integers(10_000, 60_000_000))
def test_the_base_fee_follows_the_text_of_eip_1559(base_fee: int, used: int, limit: int) -> None:
    target = limit // 2
    used = min(used, limit)
    if used == target:
        expected = base_fee
    elif used > target:
        expected = base_fee + max(base_fee * (used - target) // target // 8, 1)
    else:
        expected = base_fee - base_fee * (target - used) // target // 8
    assert next_base_fee(base_fee, used, limit) == expected


def test_a_newer_schedule_is_data() -> None:
    newer = (*MAINNET_BLOBS, BlobParams(MAINNET_BLOBS[-1].start + 86_400, 21, 32, 20_609_697, reserve=True))
    assert blob_params(newer, newer[-1].start) == newer[-1]
    assert blob_params(newer, newer[-1].start - 1) == MAINNET_BLOBS[-1]


def test_under_the_reserve_price_the_blob_fee_never_falls_while_blobs_come() -> None:
    """EIP-7918: a blob pays at least a sixteenth of the base fee in the long run; below that, excess only rises."""
    params, excess = MAINNET_BLOBS[-1], 0
    for _ in range(4_000):
        excess, before = next_excess_blob_gas(excess, 14 * GAS_PER_BLOB, GWEI, params), excess
        assert excess >= before
    assert blob_base_fee(excess, params) == pytest.approx(GWEI / 16, rel=0.1)


def test_a_fork_holds_from_its_own_second_on() -> None:
    cancun, prague = MAINNET_BLOBS[0], MAINNET_BLOBS[1]
    assert blob_params(MAINNET_BLOBS, cancun.start - 1) is None
    assert blob_params(MAINNET_BLOBS, prague.start - 1) == cancun
    assert blob_params(MAINNET_BLOBS, prague.start) == prague


def test_full_blobs_raise_the_fee_by_an_eighth_and_an_empty_block_never_goes_below_zero_excess() -> None:
    cancun = MAINNET_BLOBS[0]
    high = 40 * 2**20
    grown = next_excess_blob_gas(high, 6 * GAS_PER_BLOB, GWEI, cancun)
    assert blob_base_fee(grown, cancun) / blob_base_fee(high, cancun) == pytest.approx(1.125, abs=1e-4)
    assert next_excess_blob_gas(GAS_PER_BLOB, 0, GWEI, cancun) == 0


@given(st.integers(8, 10**15), st.integers(0, 60_000_000), st.integers(2, 60_000_000))
def test_the_step_never_leaves_the_eighth(base_fee: int, used: int, limit: int) -> None:
    used = min(used, limit)
    child = next_base_fee(base_fee, used, limit)
    target = limit // 2
    up = 1.0 if limit % 2 == 0 else (limit - target) / target  # an odd limit leaves a little more than half
    assert base_fee - base_fee // 8 - 1 <= child <= base_fee + max(1, math.ceil(base_fee * up / 8)) + 1


def test_one_wei_can_rise_but_not_vanish() -> None:
    assert next_base_fee(1, 30_000_000, 30_000_000) == 2
    assert next_base_fee(1, 0, 30_000_000) == 1
    assert next_base_fee(7, 0, 30_000_000) == 7


def test_no_gas_limit_keeps_the_fee() -> None:
    assert next_base_fee(7, 0, 0) == 7


@pytest.mark.parametrize("header", [(-1, 1, 2), (1, -1, 2), (1, 1, -2)])
def test_a_negative_header_is_refused(header: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        next_base_fee(*header)


def test_an_excess_that_could_never_be_paid_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="exponent"):
        blob_base_fee(2**64, MAINNET_BLOBS[0])


def holocene(denominator: int, elasticity: int) -> bytes:
    return b"\x00" + denominator.to_bytes(4) + elasticity.to_bytes(4)


def test_an_op_header_carries_its_own_parameters() -> None:
    params = op_params(holocene(250, 6))
    assert params == OpParams(elasticity=6, denominator=250)
    full = next_op_base_fee(GWEI, 60_000_000, 60_000_000, params)
    assert full == GWEI + GWEI * 50_000_000 // 10_000_000 // 250


def test_jovian_has_a_floor_and_counts_the_data_footprint() -> None:
    params = op_params(b"\x01" + holocene(125, 6)[1:] + (2_000_000).to_bytes(8))
    assert params == OpParams(elasticity=6, denominator=125, least_wei=2_000_000, footprint=True)
    assert next_op_base_fee(2_000_000, 0, 60_000_000, params) == 2_000_000
    assert next_op_base_fee(GWEI, 0, 60_000_000, params, blob_gas_used=60_000_000) > GWEI
    assert next_op_base_fee(GWEI, 0, 60_000_000, op_params(holocene(125, 6)), blob_gas_used=60_000_000) < GWEI


def test_before_holocene_the_configuration_speaks() -> None:
    old = OpParams(elasticity=6, denominator=50)
    assert op_params(b"", old) == old
    assert op_params(b"hello, world", old) == old
    with pytest.raises(ValueError, match="configure"):
        op_params(b"")


def test_an_op_header_with_a_zero_denominator_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        op_params(holocene(0, 6))


def test_arbitrum_prices_the_backlog_beyond_its_tolerance() -> None:
    params = ArbitrumParams(least_wei=100_000_000)
    assert next_arbitrum(0, 70_000_000, 0, params) == (70_000_000, 100_000_000)
    backlog, fee = next_arbitrum(70_000_000, 714_000_000, 0, params)
    assert backlog == 784_000_000
    assert fee == pytest.approx(100_000_000 * math.e, rel=0.005)  # one inertia's worth above: e, by Nitro's quartic
    assert fee == 270_830_000
    assert next_arbitrum(backlog, 0, 1_000, params) == (0, 100_000_000)
