"""A chain of today: base fee under 1 gwei, a gas limit of 60 million, blobs under EIP-7918 and the newest blob parameters.

Seeded, so every run sees the same chain. Its blob fees are scored too: the next exactly, later ones by coverage.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.gas.blobs import BlobFees, BlobHeader
from detectors.gas.exact import (
    GAS_PER_BLOB,
    MAINNET_BLOBS,
    BlobParams,
    blob_base_fee,
    blob_params,
    next_base_fee,
    next_excess_blob_gas,
)
from detectors.gas.features import Header
from detectors.gas.forecast import Forecast

FIRST, BEGUN, LIMIT, USUAL = 24_000_000, 1_770_000_000, 60_000_000, 3e8
BPO3 = BlobParams(BEGUN + 12 * 25_000, 21, 32, 17_526_006, reserve=True)
"""A blob-parameter fork in the middle of the run: the schedule is data, and forecasts must live through its change."""

SCHEDULE = (*MAINNET_BLOBS, BPO3)
BLOBS_AHEAD, BLOBS_EVERY = (2, 5, 25, 50), 10


def today_like(count: int, seed: int = 0) -> tuple[list[Header], list[BlobHeader]]:
    """Headers, quiet and busy in turns, each with its blob part. Demand for blobs swings slowly, each block's around it."""
    draw, headers, blobs = random.Random(seed), [], []
    fee, busy, demand, wanted, excess = int(USUAL), 0.0, math.log(USUAL), 0.6, 60_000_000
    for number in range(FIRST, FIRST + count):
        at = BEGUN + 12 * (number - FIRST)
        if draw.random() < 0.003:
            busy = draw.expovariate(1.5)
        busy *= 0.99
        demand += draw.gauss(0, 0.01) + 0.001 * (math.log(USUAL) - demand)
        pull = 0.5 + 0.5 * (demand + busy - math.log(fee)) + 0.15 * (number % 25 == 0) + draw.gauss(0, 0.18)
        used = int(LIMIT * min(max(pull, 0.0), 1.0))
        params = _params(at)
        wanted += draw.gauss(0, 0.004) + 0.002 * (0.6 - wanted)
        count_of = round(min(max(wanted + draw.gauss(0, 0.2), 0.0), 1.0) * params.most)
        headers.append(Header(number, at, fee, used, LIMIT))
        blobs.append(BlobHeader(excess, count_of * GAS_PER_BLOB, fee, at + 12))
        excess = next_excess_blob_gas(excess, count_of * GAS_PER_BLOB, fee, _params(at + 12))
        fee = next_base_fee(fee, used, LIMIT)
    return headers, blobs


def blob_report(blobs: Sequence[BlobHeader], answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """How blob fees came true, from the base-fee answers by row that were given on the way."""
    fees = BlobFees(SCHEDULE, BLOBS_AHEAD)
    truth = np.array([blob_base_fee(blob.excess, _params(blob.child_at - 12)) for blob in blobs], dtype=np.float64)
    inside: dict[int, list[tuple[bool, bool]]] = {h: [] for h in BLOBS_AHEAD}
    wrong, error, stay = 0, dict.fromkeys(BLOBS_AHEAD, 0.0), dict.fromkeys(BLOBS_AHEAD, 0.0)
    for row, blob in enumerate(blobs[:-1]):
        following = fees.observe(blob)
        wrong += int(following != truth[row + 1])
        if row not in answers or row % BLOBS_EVERY:
            continue
        answered = fees.answers(_forecast(row, answers[row]))
        for ahead in BLOBS_AHEAD:
            if row + ahead >= len(blobs):
                continue
            given, came = answered[ahead], truth[row + ahead]
            inside[ahead].append((given[0.1] <= came <= given[0.9], given[0.025] <= came <= given[0.975]))
            error[ahead] += abs(given[0.5] - came)
            stay[ahead] += abs(truth[row + 1] - came)
    return {"wrong": wrong} | {
        f"h{ahead}": {"mase": error[ahead] / max(stay[ahead], 1e-9), "in80": share[0], "in95": share[1]}
        for ahead in BLOBS_AHEAD
        for share in [np.mean(inside[ahead], axis=0).tolist()]
    }


def _params(at: int) -> BlobParams:
    found = blob_params(SCHEDULE, at)
    assert found is not None
    return found


def _forecast(row: int, answer: dict[str, Any]) -> Forecast:
    ahead = {int(blocks): tuple(values) for blocks, values in answer["f"].items()}
    return Forecast(FIRST + row, round(ahead[1][0] * 1e9), ahead, {}, {}, answer["model"], answer["degraded"])
