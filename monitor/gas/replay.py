"""`seawall gas replay`: a header a line in, an answer a line out. The same lines give the same answers, bit for bit."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from detectors.gas.features import DEEP, Header
from detectors.gas.fitting import LEAST, Effort
from detectors.gas.forecast import Forecast, Forecaster
from detectors.gas.structural import STRUCTURAL_FROM
from monitor.gas.worker import FitFailed, Worker

if TYPE_CHECKING:
    from detectors.gas.model import Model

GROWTH = 1.5
"""A new fit once the history has grown by half, or by `MOST_APART` headers (a week)."""

MOST_APART = 50_400
ADOPTED_AFTER = 300
"""Headers between asking for a fit and answering with it. Fixed, so that a slow machine gives the same answers as a fast one."""


class Replay:
    """The forecaster and its worker, fed in lines."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._forecaster = Forecaster()
        self._next_fit = STRUCTURAL_FROM + DEEP
        self._adopt_at: int | None = None
        self._adopted: tuple[int, Model] | None = None
        self.failures = 0

    def answer(self, line: bytes) -> bytes:
        """One line of the protocol; `{}` for a line that is no header."""
        try:
            header = _HEADER.decode(line)
        except msgspec.MsgspecError:
            return b"{}"
        forecast = self._forecaster.observe(header)
        if forecast is None:
            return b"{}"
        if forecast.degraded is None or forecast.number == header.number:
            self._learn(header)
        return _ENCODER.encode(wire(forecast))

    def _learn(self, header: Header) -> None:
        """Hand the row over; ask for a fit and adopt it where the schedule says. A failed fit leaves the last good model."""
        features = self._forecaster.features
        try:
            self._worker.add(header, features.vector, features.x)
            if features.count == self._adopt_at:
                self._adopt_at = None
                self._adopted = features.count, self._worker.take()
            if features.count >= self._next_fit and self._adopt_at is None:
                self._next_fit = _after(features.count)
                self._worker.ask()
                self._adopt_at = features.count + ADOPTED_AFTER
        except FitFailed:
            self.failures += 1
        if self._adopted is not None and features.count == self._adopted[0]:
            self._forecaster.adopt(self._adopted[1])  # once more when a reorganisation has taken it back


def _after(count: int) -> int:
    """Headers at which the next fit is due: the first of our own as soon as there are enough, later ones further apart."""
    first = LEAST + DEEP
    return first if count < first else min(int(count * GROWTH), count + MOST_APART)


def wire(forecast: Forecast) -> dict[str, Any]:
    """The scorer's shape of an answer: gwei throughout, keys as text."""
    return {
        "f": {str(blocks): quantiles for blocks, quantiles in forecast.ahead.items()},
        "cap": {str(blocks): caps for blocks, caps in forecast.caps.items()},
        "resv": {str(remaining): price for remaining, price in forecast.reservation.items()},
        "model": forecast.model,
        "degraded": forecast.degraded,
    }


def replay(lines: Iterable[bytes], effort: Effort | None = None) -> Iterator[bytes]:
    """An answer for every line."""
    with Worker(effort) as worker:
        session = Replay(worker)
        for line in lines:
            yield session.answer(line) + b"\n"


_HEADER = msgspec.json.Decoder(Header)
_ENCODER = msgspec.json.Encoder()
