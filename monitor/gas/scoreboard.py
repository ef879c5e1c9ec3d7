"""How the daemon's own forecasts come true: coverage, pinball loss and error per horizon, as they happen."""

import numpy as np

from detectors.gas.features import HORIZONS
from detectors.gas.forecast import Forecast
from monitor.gas.answers import Lived

KEPT = 2048
"""Answers that may still be waiting for their block: more than the longest horizon."""

DAY = 7200
"""Blocks over which the newest count most."""

_LEVELS = np.array((0.5, 0.025, 0.1, 0.9, 0.975))
_AHEAD = np.array(HORIZONS)
_INSIDE80, _INSIDE95, _PINBALL, _ERROR, _PLAIN = range(5)


class Scoreboard:
    """One chain's. `told` every forecast, `came` every block's base fee; O(1) each, and a reorganisation overwrites."""

    def __init__(self) -> None:
        self._number = np.full(KEPT, -1, np.int64)
        self._answers = np.zeros((KEPT, len(HORIZONS), len(_LEVELS)))
        self._next = np.zeros(KEPT)
        self._mean = np.zeros((5, len(HORIZONS)))
        self._weight = np.zeros(len(HORIZONS))
        self.scored = np.zeros(len(HORIZONS), np.int64)

    def told(self, forecast: Forecast) -> None:
        """A forecast was given after block `forecast.number`."""
        row = forecast.number % KEPT
        self._number[row], self._next[row] = forecast.number, forecast.next_fee / 1e9
        self._answers[row] = [forecast.ahead[horizon] for horizon in HORIZONS]

    def came(self, number: int, fee: int) -> None:
        """Block `number` has this base fee (wei): what had been said of it is held against it."""
        rows = (number - _AHEAD) % KEPT
        known = (self._number[rows] == number - _AHEAD) & (number >= _AHEAD)
        if not known.any():
            return
        answers, gwei = self._answers[rows, np.arange(len(HORIZONS))], fee / 1e9
        away = np.log(max(gwei, 1e-12)) - np.log(np.maximum(answers, 1e-12))
        values = np.stack((
            (answers[:, 2] <= gwei) & (gwei <= answers[:, 3]),
            (answers[:, 1] <= gwei) & (gwei <= answers[:, 4]),
            np.maximum(_LEVELS * away, (_LEVELS - 1.0) * away).mean(axis=1),
            np.abs(answers[:, 0] - gwei),
            np.abs(self._next[rows] - gwei),
        ))  # fmt: skip
        alpha = np.where(known, 2.0 / (DAY + 1.0), 0.0)
        self._mean += alpha * (values - self._mean)
        self._weight += alpha * (1.0 - self._weight)
        self.scored += known

    def lived(self) -> dict[int, Lived]:
        """What came of it, per horizon that any answer of has come true."""
        out = {}
        for at, horizon in enumerate(HORIZONS):
            if self.scored[at]:
                mean = self._mean[:, at] / self._weight[at]
                plain = float(mean[_PLAIN])
                out[horizon] = Lived(
                    int(self.scored[at]), float(mean[_INSIDE80]), float(mean[_INSIDE95]), float(mean[_PINBALL]),
                    float(mean[_ERROR]) / plain if plain > 0 else None,
                )  # fmt: skip
        return out
