"""How good a run of forecasts was: error against persistence, coverage, headroom of caps, and money saved by waiting.

MASE* is the mean absolute error over that of "the exact next fee, for ever". That is the honest bar: the next fee is known.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.gas.forecast import Forecast

Table = NDArray[np.float64]

SCORED = (1, 2, 5, 25, 50, 300, 1800)
CAPPED = (5, 25)
WAITS = (5, 25, 50, 300)
EVERY = 5
"""Blocks between two requests of the send-or-wait score."""

DAY, LEAST_OF_A_DAY = 7200, 2000


class Tally:
    """Answers as they came, one row a block; `report` holds them against what came true."""

    def __init__(self, blocks: int) -> None:
        self._ahead = {h: np.full((blocks, 5), np.nan) for h in SCORED}
        self._caps = {k: np.full((blocks, 3), np.nan) for k in CAPPED}
        self._reservation: dict[int, Table] = {}
        self._blocks = blocks

    def take(self, row: int, answer: Mapping[str, Any] | Forecast) -> None:
        """One answer of `seawall gas replay` (or the forecast itself), given after the block of this row."""
        if isinstance(answer, Forecast):
            answer = {"f": answer.ahead, "cap": answer.caps, "resv": answer.reservation}
        for name, kept in (("f", self._ahead), ("cap", self._caps)):
            for blocks, values in answer.get(name, {}).items():
                if int(blocks) in kept:
                    kept[int(blocks)][row] = values
        for remaining, price in answer.get("resv", {}).items():
            if int(remaining) not in self._reservation:
                self._reservation[int(remaining)] = np.full(self._blocks, np.nan)
            self._reservation[int(remaining)][row] = price

    def report(self, fee: Table, first: int) -> dict[str, Any]:
        """`fee` is each row's base fee in gwei; rows before `first` were for learning and do not count."""
        ahead = {f"h{h}": _ahead(given, fee, h, first) for h, given in self._ahead.items() if _any(given, fee, h, first)}
        caps = {f"cap{k}": _caps(given, fee, k, first) for k, given in self._caps.items() if _any(given, fee, k, first)}
        waits = {f"wait{n}": _waiting(self._reservation, fee, n, first) for n in WAITS} if self._reservation else {}
        return {**ahead, **caps, **waits}


def _any(answers: Table, fee: Table, blocks: int, first: int) -> bool:
    return bool(np.isfinite(answers[first : max(len(fee) - blocks, first), 0]).any())


def _ahead(answers: Table, fee: Table, horizon: int, first: int) -> dict[str, float]:
    rows = np.arange(first, len(fee) - horizon)
    rows = rows[np.isfinite(answers[rows, 0])]
    point, q025, q10, q90, q975 = answers[rows].T
    truth, stay = fee[rows + horizon], fee[rows + 1]
    error = np.abs(point - truth).mean()
    if horizon == 1:
        return {"wrong": int((np.abs(point - truth) > 1e-9).sum()), "error_gwei": float(np.abs(point - truth).max())}
    in80, in95 = (truth >= q10) & (truth <= q90), (truth >= q025) & (truth <= q975)
    logs = np.log(np.maximum(np.stack([q025, truth, q975]), 1e-12))
    missed = np.maximum(logs[0] - logs[1], 0) + np.maximum(logs[1] - logs[2], 0)
    return {
        "mase": float(error / max(np.abs(stay - truth).mean(), 1e-12)), "mae_gwei": float(error),
        "in80": float(in80.mean()), "in95": float(in95.mean()), "worst80": _worst(in80, rows), "worst95": _worst(in95, rows),
        "winkler95": float((logs[2] - logs[0] + 40.0 * missed).mean()),
    }  # fmt: skip


def _worst(inside: NDArray[np.bool_], rows: NDArray[np.intp]) -> float:
    days = rows // DAY
    whole = [day for day in np.unique(days) if (days == day).sum() > LEAST_OF_A_DAY]
    return float(min((inside[days == day].mean() for day in whole), default=np.nan))


def _caps(caps: Table, fee: Table, blocks: int, first: int) -> dict[str, float]:
    rows = np.arange(first, len(fee) - blocks)
    rows = rows[np.isfinite(caps[rows, 0])]
    highest = np.lib.stride_tricks.sliding_window_view(fee, blocks).max(axis=1)[rows + 1]
    enough = caps[rows] >= highest[:, None] * (1 - 1e-9)
    headroom = (caps[rows] / fee[rows + 1][:, None]).mean(axis=0)
    return {
        f"{word}{level}": float(value)
        for word, values in (("in", enough.mean(axis=0)), ("headroom", headroom))
        for level, value in zip((80, 95, 99), values, strict=True)
    }


def _waiting(reservation: dict[int, Table], fee: Table, wait: int, first: int) -> dict[str, float]:
    """Requests that may wait `wait` blocks: sent once the fee is at or below the reservation price, or when time is up."""
    keys = np.array(sorted(reservation))
    prices = np.stack([reservation[key] for key in keys])
    starts = np.arange(first, len(fee) - wait - 1, EVERY)
    now = fee[starts + 1]
    best = np.lib.stride_tricks.sliding_window_view(fee, wait + 1).min(axis=1)[starts + 1]
    paid, open_ = np.zeros(len(starts)), np.ones(len(starts), dtype=bool)
    for waited in range(wait + 1):
        price, key = fee[starts + 1 + waited], np.searchsorted(keys, wait - waited, "right") - 1
        send = open_ & (~(price > prices[key, starts + waited]) if waited < wait and key >= 0 else True)
        paid[send] = price[send]
        open_ &= ~send
    days = starts // DAY
    share = [float((now - paid)[days == day].sum() / (now - best)[days == day].sum()) for day in np.unique(days)]
    return {
        "hindsight": float((now - best).sum() / now.sum()), "captured": float((now - paid).sum() / (now - best).sum()),
        "worst_day": min(share), "pays_more": float((paid > now * 1.0001).mean()),
    }  # fmt: skip
