"""Blob fees: the next is exact, those after it follow the recurrence under the usual demand for blobs and the base-fee forecast.

EIP-7918 ties the blob fee to the base fee while blobs are cheap, so a forecast of one needs the other.
"""

import math

import msgspec

from detectors.gas.exact import GAS_PER_BLOB, MAINNET_BLOBS, BlobParams, blob_base_fee, blob_params, next_excess_blob_gas
from detectors.gas.forecast import Forecast
from detectors.gas.sending import quantile

SPAN = 600
"""Blocks over which the usual number of blobs is averaged."""

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
        self._mean: float | None = None
        self._variance = 0.0
        self._last: BlobHeader | None = None

    def observe(self, header: BlobHeader) -> int | None:
        """Fold in a header; the blob base fee (wei per blob gas) of the next block, None before blobs.

        Raises ValueError for numbers no header can hold.
        """
        params = blob_params(self._schedule, header.child_at)
        if params is None:
            return None
        fee = blob_base_fee(next_excess_blob_gas(header.excess, header.used, header.base_fee, params), params)
        alpha, blobs = 2.0 / (SPAN + 1.0), header.used / GAS_PER_BLOB
        away = blobs - (blobs if self._mean is None else self._mean)
        self._mean = blobs if self._mean is None else self._mean + alpha * away
        self._variance += alpha * (away * away - self._variance)
        self._last = header
        return fee

    def ahead(self, forecast: Forecast, blocks: int) -> dict[float, int]:
        """Wei per blob gas `blocks` ahead, by quantile; empty before the first blob header. Schedule changes on the way count."""
        if self._last is None or self._mean is None:
            return {}
        spread = math.sqrt(self._variance / max(blocks - 1, 1))
        fees = [round(quantile(forecast, step, 0.5) * 1e9) for step in range(1, blocks)]
        steps = [params for step in range(blocks) if (params := blob_params(self._schedule, self._last.child_at + 12 * step))]
        return {level: _walk(self._last, fees, steps, self._mean + z * spread) for level, z in LEVELS.items()}


def _walk(last: BlobHeader, fees: list[int], steps: list[BlobParams], blobs: float) -> int:
    """The fee after blocks that each use `blobs`; the remainder of a blob is carried, since blobs are whole."""
    excess, used, owed = last.excess, last.used, 0.0
    for params, fee in zip(steps, [last.base_fee, *fees], strict=True):
        excess = next_excess_blob_gas(excess, used, fee, params)
        owed += min(max(blobs, 0.0), float(params.most))
        used = min(round(owed), params.most) * GAS_PER_BLOB
        owed -= used / GAS_PER_BLOB
    return blob_base_fee(excess, steps[-1])
