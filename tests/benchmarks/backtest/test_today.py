"""The synthetic chain of today: what it claims to be, the same every time, and blob fees that hold through a fork."""

from itertools import pairwise

from benchmarks.backtest.today import BPO3, LIMIT, SCHEDULE, blob_report, today_like
from detectors.gas.exact import blob_base_fee, blob_params, next_base_fee

CHAIN = today_like(26_000)


def test_the_chain_is_the_same_every_time() -> None:
    assert today_like(500) == today_like(500)
    assert today_like(500, seed=1) != today_like(500)


def test_it_lives_in_todays_regime() -> None:
    headers, blobs = CHAIN
    below = sum(header.base_fee < 10**9 for header in headers) / len(headers)
    assert below > 0.9, "under 1 gwei but for rushes"
    assert {header.gas_limit for header in headers} == {LIMIT}
    assert all(next_base_fee(h.base_fee, h.gas_used, h.gas_limit) == n.base_fee for h, n in pairwise(headers))
    assert blobs[0].child_at < BPO3.start < blobs[-1].child_at, "the schedule changes on the way"


def test_its_blob_fees_stay_near_the_reserve_price() -> None:
    headers, blobs = CHAIN
    params = blob_params(SCHEDULE, blobs[20_000].child_at)
    assert params is not None
    ratio = headers[20_000].base_fee / blob_base_fee(blobs[20_000].excess, params)
    assert 2 < ratio < 100, "a sixteenth, give or take what demand does"


def test_the_next_blob_fee_is_exact_through_the_fork() -> None:
    assert blob_report(CHAIN[1], {0: _flat()})["wrong"] == 0


def _flat() -> dict[str, object]:
    return {"f": {str(blocks): [0.3] * 5 for blocks in (1, 2, 300)}, "model": "network", "degraded": None}
