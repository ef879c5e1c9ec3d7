"""The first hours of a chain that nobody has watched before: how good each rung of the ladder is, on real headers."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detectors.gas.features import DEEP, Header
from detectors.gas.fitting import LEAST
from detectors.gas.model import PERSIST_UNTIL
from detectors.gas.structural import STRUCTURAL_FROM
from monitor.gas.replay import ADOPTED_AFTER, Replay
from monitor.gas.worker import Worker

STARTS, LIVED = 8, 4_000
FITTED = LEAST + DEEP + ADOPTED_AFTER
RUNGS = {
    "persistence": (10, PERSIST_UNTIL),
    "moving average": (PERSIST_UNTIL, STRUCTURAL_FROM + DEEP + ADOPTED_AFTER),
    "structural": (STRUCTURAL_FROM + DEEP + ADOPTED_AFTER, FITTED),
    "linear": (FITTED, LIVED - 50),
}
"""Headers from and to which each rung answers."""

AHEAD = (2, 5, 25)


def cold_report(headers: Sequence[Header]) -> dict[str, Any]:
    """Per rung: MASE* and coverage, pooled over starts that lie evenly apart; and headers until the first fitted answer."""
    apart = (len(headers) - LIVED) // max(STARTS - 1, 1)
    lives = [_life(headers[start : start + LIVED]) for start in range(0, apart * STARTS, apart)]
    return {"fitted_after": FITTED, "starts": STARTS} | {
        rung: {f"h{ahead}": _pooled(lives, ahead, *rows) for ahead in AHEAD} for rung, rows in RUNGS.items()
    }


def _life(headers: Sequence[Header]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    fee = np.array([header.base_fee / 1e9 for header in headers])
    given = {ahead: np.empty((len(headers), 5)) for ahead in AHEAD}
    with Worker() as worker:
        session = Replay(worker)
        for row, header in enumerate(headers):
            answer = msgspec.json.decode(session.answer(msgspec.json.encode(header)))
            for ahead in AHEAD:
                given[ahead][row] = answer["f"][str(ahead)]
    return fee, given


def _pooled(lives: Sequence[tuple[np.ndarray, dict[int, np.ndarray]]], ahead: int, first: int, last: int) -> dict[str, float]:
    rows = np.arange(first, last)
    point, q025, q10, q90, q975 = np.concatenate([given[ahead][rows] for _, given in lives]).T
    truth = np.concatenate([fee[rows + ahead] for fee, _ in lives])
    stay = np.concatenate([fee[rows + 1] for fee, _ in lives])
    return {
        "mase": float(np.abs(point - truth).mean() / max(np.abs(stay - truth).mean(), 1e-12)),
        "in80": float(((truth >= q10) & (truth <= q90)).mean()),
        "in95": float(((truth >= q025) & (truth <= q975)).mean()),
    }
