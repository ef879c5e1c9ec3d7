"""What a forecast means to someone about to send: wait or not, how much of a batch, and whether a cap will be enough."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.calibration import CAP_LEVELS
from detectors.gas.features import Vector
from detectors.gas.forecast import Forecast

_LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """`send` now, or wait until the next fee is at or below `reservation` (gwei); never past the deadline.

    `expected_saving` is the share of the price that waiting saves on average (0 when it is better to send), `regret95` the share
    more that waiting to the very end costs in one case of twenty. `release` is how much of a batch to send now (0..1).
    """

    send: bool
    reason: str
    reservation: float | None
    expected_saving: float
    regret95: float
    release: float


def advise(forecast: Forecast, deadline: int, *, urgent: bool = False) -> Advice:
    """For a request that may wait up to `deadline` blocks. Urgency, no time, and a doubtful forecast all mean: send."""
    fee = forecast.next_fee / 1e9
    keys = [remaining for remaining in forecast.reservation if remaining <= deadline]
    regret = max(quantile(forecast, max(deadline, 1), 0.95) / fee - 1.0, 0.0) if fee else 0.0
    why = "urgent" if urgent else "no time to wait" if deadline < 1 else forecast.degraded
    if why is None and not keys:
        why = "no reservation price yet"
    if why is not None:
        return Advice(send=True, reason=why, reservation=None, expected_saving=0.0, regret95=regret, release=1.0)
    reservation = forecast.reservation[max(keys)]
    if fee <= reservation:
        return Advice(
            send=True,
            reason="the fee is at or below what waiting is expected to cost",
            reservation=reservation,
            expected_saving=0.0,
            regret95=regret,
            release=1.0,
        )
    # Who waits with everything bets everything on the forecast: what would come out dearer than now is let go now.
    release = chance_above(forecast, deadline, fee)
    return Advice(
        send=False,
        reason="waiting is expected to be cheaper",
        reservation=reservation,
        expected_saving=1.0 - reservation / fee,
        regret95=regret,
        release=release,
    )


def quantile(forecast: Forecast, blocks: int, level: float) -> float:
    """The fee (gwei) `blocks` ahead that stays at or below with probability `level`; log-linear between the answers."""
    return float(quantiles(forecast, np.array([blocks]), level)[0])


def quantiles(forecast: Forecast, blocks: NDArray[np.int64], level: float) -> Vector:
    """As `quantile`, for many distances at once."""
    horizons = sorted(forecast.ahead)
    logs = [float(np.interp(level, _LEVELS, _line(forecast, horizon))) for horizon in horizons]
    return np.exp(np.interp(np.sqrt(blocks), np.sqrt(horizons), logs))


def chance_above(forecast: Forecast, blocks: int, fee: float) -> float:
    """Probability (0..1) that the base fee `blocks` ahead is above `fee` (gwei); never more certain than the answers are."""
    line = [np.log(max(quantile(forecast, blocks, level), 1e-12)) for level in _LEVELS]
    return 1.0 - float(np.interp(np.log(max(fee, 1e-12)), np.maximum.accumulate(line), _LEVELS))


def chance_enough(forecast: Forecast, cap: float, blocks: int) -> float:
    """Probability (0..1) that a transaction with this cap (gwei, less its tip) can be included in every one of the next blocks.

    At least that can be said of a pause transaction that must not be priced out. Below the next fee it is 0.
    """
    fee = forecast.next_fee / 1e9
    if cap < fee:
        return 0.0
    if blocks <= 1:
        return 1.0
    known = sorted(forecast.caps)
    rungs = [
        float(np.interp(np.sqrt(blocks), np.sqrt(known), [forecast.caps[k][i] for k in known])) for i in range(len(CAP_LEVELS))
    ]
    return float(np.interp(cap, np.maximum.accumulate([fee, *rungs]), [0.0, *CAP_LEVELS]))


def _line(forecast: Forecast, horizon: int) -> list[float]:
    point, q025, q10, q90, q975 = forecast.ahead[horizon]
    return [float(np.log(max(value, 1e-12))) for value in (q025, q10, point, q90, q975)]
