"""Blob fees: the next is exact, those after it follow the recurrence under the usual demand for blobs and the base-fee forecast.

EIP-7918 ties the blob fee to the base fee while blobs are cheap, so a forecast of one needs the other. How much of the drift that
the recurrence promises is believed is measured, for each distance: none, until it has been better than "as the next".
"""

import math
from collections import deque
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.demand import Demand
from detectors.gas.exact import GAS_PER_BLOB, MAINNET_BLOBS, BlobParams, blob_base_fee, blob_params, next_excess_blob_gas
from detectors.gas.features import DEEP, Vector
from detectors.gas.forecast import Forecast
from detectors.gas.sending import quantiles

LEVELS = {0.025: -1.96, 0.1: -1.28, 0.5: 0.0, 0.9: 1.28, 0.975: 1.96}
"""Quantiles and where a normal distribution has them: over many blocks, the sum of blobs is nearly normal."""

AHEAD = (2, 5, 10)
"""Blocks ahead that are answered unless others are asked for."""

BELIEFS = np.array((0.0, 0.25, 0.5, 0.75, 1.0))
"""Shares of the drift that are tried beside each other."""

SURE, LEARNED_OVER = 2.0, 2_000.0
"""Standard errors by which a share must have been better than none before it is used; answers over which that is measured."""

STEP, EAGER, EAGER_FOR = 0.02, 0.1, 100.0
"""Widths an edge moves by after an answer that has come true; a fresh one faster, fading over so many answers."""

SECONDS, LEAST_WIDTH, KEPT = 12, 1e-4, 1_024
_INNER = LEVELS[0.9] - LEVELS[0.1]
_MIDDLE = list(LEVELS).index(0.5)
_TAUS = np.array([level for level in LEVELS if level != 0.5])


class BlobHeader(msgspec.Struct, frozen=True):
    """The blob part of a header, with what EIP-7918 needs besides: blob gas, wei, and the child's earliest unix time."""

    excess: int
    used: int
    base_fee: int
    child_at: int
    number: int = 0
    """The block's, for who takes headers back."""


class _State(NamedTuple):
    """After some headers. Arrays are replaced, never changed, so that an older state stays what it was."""

    seen: int
    demand: Demand | None
    last: BlobHeader | None
    log_fee: float
    better: Vector
    """(ahead, BELIEFS): mean error of each share less that of none, and of its square."""
    squares: Vector
    shift: Vector
    """(ahead, edges), in widths."""
    answered: Vector


class BlobFees:
    """One chain's, O(1) a header. `observe`, then `answers` after it; a reorganisation is a `rewind`."""

    def __init__(self, schedule: tuple[BlobParams, ...] = MAINNET_BLOBS, ahead: tuple[int, ...] = AHEAD) -> None:
        self._schedule = schedule
        self._ahead = ahead
        many = len(ahead)
        none = np.zeros((many, len(BELIEFS)))
        self._state = _State(0, None, None, 0.0, none, none, np.zeros((many, len(_TAUS))), np.zeros(many))
        self._marks: deque[_State] = deque(maxlen=DEEP)
        self._said = np.full((KEPT, many, 2 + len(_TAUS)), np.nan)
        """By the header it was said after: its own log fee, the whole drift, the edges as log increments."""
        self._indices = np.arange(many)
        self._delays = np.array(ahead) - 1

    def observe(self, header: BlobHeader) -> int | None:
        """Fold in a header; the blob base fee (wei per blob gas) of the next block, None before blobs.

        Raises ValueError for numbers no header can hold.
        """
        params = blob_params(self._schedule, header.child_at)
        if params is None:
            return None
        fee = blob_base_fee(next_excess_blob_gas(header.excess, header.used, header.base_fee, params), params)
        before, blobs = self._state, header.used / GAS_PER_BLOB
        self._marks.append(before)
        demand = (before.demand or Demand(blobs)).then(blobs)
        self._said[before.seen % KEPT] = np.nan
        self._state = self._come_true(before._replace(seen=before.seen + 1, demand=demand, last=header, log_fee=math.log(fee)))
        return fee

    def rewind(self, number: int) -> None:
        """Forget every header above `number`; where that is more than are remembered: all that are."""
        while self._marks and self._state.last is not None and self._state.last.number > number:
            self._state = self._marks.pop()

    def __getstate__(self) -> dict[str, Any]:
        """What a snapshot keeps: not the marks, which would be half of its cost and whose loss moves an edge by a hair."""
        return self.__dict__ | {"_marks": deque[_State](maxlen=DEEP)}

    def answers(self, forecast: Forecast) -> dict[int, dict[float, int]]:
        """Wei per blob gas by blocks ahead and quantile; empty before blobs. Changes of the schedule on the way count."""
        state = self._state
        if state.last is None or state.demand is None:
            return {}
        walked = self._walks(forecast, state.demand, state.last)
        drift = walked[:, _MIDDLE]
        edges = np.delete(walked, _MIDDLE, axis=1) - drift[:, None]
        widths = np.maximum((edges[:, 2] - edges[:, 1]) / _INNER, LEAST_WIDTH)
        middle = self._believed(state) * drift
        edges = edges + drift[:, None] + state.shift * widths[:, None]
        self._said[(state.seen - 1) % KEPT] = np.concatenate(
            (np.full((len(drift), 1), state.log_fee), drift[:, None], edges), axis=1
        )
        lines = np.stack((*edges[:, :2].T, middle, *edges[:, 2:].T), axis=1)
        lines[:, :_MIDDLE] = np.minimum(lines[:, :_MIDDLE], middle[:, None])
        lines[:, _MIDDLE + 1 :] = np.maximum(lines[:, _MIDDLE + 1 :], middle[:, None])
        fees = np.maximum(np.exp(state.log_fee + np.sort(lines, axis=1)), 1.0)
        return {
            blocks: {level: round(fee) for level, fee in zip(LEVELS, row.tolist(), strict=True)}
            for blocks, row in zip(self._ahead, fees, strict=True)
        }

    def _walks(self, forecast: Forecast, demand: Demand, last: BlobHeader) -> Vector:
        """(ahead, LEVELS): log increments from the next fee, walked block by block, once for every level."""
        far = max(self._ahead)
        at = np.arange(1, far)
        steps = [params for step in range(far) if (params := blob_params(self._schedule, last.child_at + SECONDS * step))]
        spreads = [demand.spread(blocks - 1) for blocks in self._ahead]
        out = np.empty((len(self._ahead), len(LEVELS)))
        for column, (level, z) in enumerate(LEVELS.items()):
            paid = [last.base_fee, *(round(fee * 1e9) for fee in quantiles(forecast, at, level))]
            for row, (blocks, spread) in enumerate(zip(self._ahead, spreads, strict=True)):
                out[row, column] = math.log(_walk(last, paid[:blocks], steps[:blocks], demand.usual + z * spread))
        return out - self._state.log_fee

    def _believed(self, state: _State) -> Vector:
        """Per distance, the share of the drift that has been best, if it was surely better than none; answers overlap."""
        counted = np.minimum(state.answered, LEARNED_OVER)[:, None] / np.array(self._ahead)[:, None]
        spread = np.sqrt(np.maximum(state.squares - state.better**2, 0.0) / np.maximum(counted, 1.0))
        surely = np.where(counted > 1.0, state.better + SURE * spread, 0.0)
        best = np.argmin(np.where(surely < 0.0, state.better, 0.0), axis=1)
        believed: Vector = BELIEFS[best]
        return believed

    def _come_true(self, state: _State) -> _State:
        """Hold what was said of the fee that is known now against it."""
        origins = state.seen - 1 - self._delays
        said = np.where((origins >= 0)[:, None], self._said[origins % KEPT, self._indices], np.nan)
        came = state.log_fee - said[:, 0]
        known = np.isfinite(came)
        if not known.any():
            return state
        answered = state.answered + known
        errors = np.abs(np.expm1(BELIEFS * said[:, 1:2]) - np.expm1(came)[:, None]) * np.exp(said[:, :1])  # in wei: what is paid
        less, rate = errors - errors[:, :1], 1.0 / np.minimum(np.maximum(answered, 1.0), LEARNED_OVER)[:, None]
        step = (STEP + EAGER / (1.0 + answered / EAGER_FOR))[:, None]
        moved = step * (_TAUS - (came[:, None] <= said[:, 2:]))
        return state._replace(
            answered=answered,
            better=_where(known, state.better + rate * (less - state.better), state.better),
            squares=_where(known, state.squares + rate * (less**2 - state.squares), state.squares),
            shift=_where(known, state.shift + moved, state.shift),
        )


def _where(known: NDArray[np.bool_], new: Vector, old: Vector) -> Vector:
    return np.where(known[:, None], new, old)


def _walk(last: BlobHeader, fees: list[int], steps: list[BlobParams], blobs: float) -> int:
    """The fee after blocks that each use `blobs`; the remainder of a blob is carried, since blobs are whole."""
    excess, used, owed = last.excess, last.used, 0.0
    for params, fee in zip(steps, fees, strict=True):
        excess = next_excess_blob_gas(excess, used, fee, params)
        owed += min(max(blobs, 0.0), float(params.most))
        used = min(round(owed), params.most) * GAS_PER_BLOB
        owed -= used / GAS_PER_BLOB
    return blob_base_fee(excess, steps[-1])
