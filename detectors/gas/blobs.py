"""Blob fees: the next is exact, those after it follow the recurrence under the usual demand for blobs and the base-fee forecast.

EIP-7918 ties the blob fee to the base fee while blobs are cheap, so a forecast of one needs the other.
"""

import math
from collections import deque

import msgspec
import numpy as np

from detectors.gas.exact import GAS_PER_BLOB, MAINNET_BLOBS, BlobParams, blob_base_fee, blob_params, next_excess_blob_gas
from detectors.gas.forecast import Forecast
from detectors.gas.sending import quantiles

SPAN = 100
"""Blocks over which the usual number of blobs is averaged."""

WINDOWS = (1, 4, 16, 64)
"""Blocks over which it is measured how far the mean of blobs strays from what was usual before: demand swings, not only noise."""

ERRS_OVER = 600
"""Blocks over which that is averaged."""

LEVELS = {0.025: -1.96, 0.1: -1.28, 0.5: 0.0, 0.9: 1.28, 0.975: 1.96}
"""Quantiles and where a normal distribution has them: over many blocks, the sum of blobs is nearly normal."""


class BlobHeader(msgspec.Struct, frozen=True):
    """The blob part of a header, with what EIP-7918 needs besides: blob gas, wei, and the child's earliest unix time."""

    excess: int
    used: int
    base_fee: int
    child_at: int


class BlobFees:
    """Usual blobs a block, and fees from there. O(1) a header; a forecast walks block by block and is made on demand."""

    def __init__(self, schedule: tuple[BlobParams, ...] = MAINNET_BLOBS) -> None:
        self._schedule = schedule
        self._strays = np.zeros(len(WINDOWS))
        self._past: deque[tuple[float, float]] = deque(maxlen=WINDOWS[-1] + 1)
        self._last: BlobHeader | None = None

    def observe(self, header: BlobHeader) -> int | None:
        """Fold in a header; the blob base fee (wei per blob gas) of the next block, None before blobs.

        Raises ValueError for numbers no header can hold.
        """
        params = blob_params(self._schedule, header.child_at)
        if params is None:
            return None
        fee = blob_base_fee(next_excess_blob_gas(header.excess, header.used, header.base_fee, params), params)
        blobs = header.used / GAS_PER_BLOB
        before, counted = self._past[-1] if self._past else (blobs, 0.0)
        usual = before + 2.0 / (SPAN + 1.0) * (blobs - before)
        self._past.append((usual, counted + blobs))
        self._stray()
        self._last = header
        return fee

    def ahead(self, forecast: Forecast, blocks: int) -> dict[float, int]:
        """Wei per blob gas `blocks` ahead, by quantile; empty before the first blob header. Schedule changes on the way count."""
        if self._last is None:
            return {}
        spread = math.sqrt(float(np.interp(math.log(max(blocks - 1, 1)), np.log(WINDOWS), self._strays)))
        usual, at = self._past[-1][0], np.arange(1, blocks)
        steps = [params for step in range(blocks) if (params := blob_params(self._schedule, self._last.child_at + 12 * step))]
        return {
            level: _walk(self._last, [round(fee * 1e9) for fee in quantiles(forecast, at, level)], steps, usual + z * spread)
            for level, z in LEVELS.items()
        }

    def _stray(self) -> None:
        """Hold the mean of the last blobs against what was usual before them."""
        past = self._past
        for index, blocks in enumerate(WINDOWS):
            if len(past) > blocks:
                (usual, before), (_, now) = past[-1 - blocks], past[-1]
                away = (now - before) / blocks - usual
                self._strays[index] += 2.0 / (ERRS_OVER + 1.0) * (away * away - self._strays[index])


def _walk(last: BlobHeader, fees: list[int], steps: list[BlobParams], blobs: float) -> int:
    """The fee after blocks that each use `blobs`; the remainder of a blob is carried, since blobs are whole."""
    excess, used, owed = last.excess, last.used, 0.0
    for params, fee in zip(steps, [last.base_fee, *fees], strict=True):
        excess = next_excess_blob_gas(excess, used, fee, params)
        owed += min(max(blobs, 0.0), float(params.most))
        used = min(round(owed), params.most) * GAS_PER_BLOB
        owed -= used / GAS_PER_BLOB
    return blob_base_fee(excess, steps[-1])
