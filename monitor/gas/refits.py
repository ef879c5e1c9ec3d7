"""When a chain's model is fitted anew, and by whom: a process of its own, waited for in threads, so that no block ever waits."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import structlog
from numpy.typing import NDArray

from detectors.gas.features import DEEP, Vector
from detectors.gas.fitting import LEAST
from detectors.gas.model import Model
from detectors.gas.structural import STRUCTURAL_FROM
from monitor import metrics
from monitor.gas.replay import GROWTH, MOST_APART
from monitor.gas.worker import FitFailed, Worker

log = structlog.get_logger()

FIRST = LEAST + DEEP
"""Rows after which a model of our own is fitted; a structural one comes before it."""

HANDED = 1_024
"""Rows that are handed over at once: they are kept there, not here."""

Row = tuple[int, NDArray[np.float32], float]


def after(count: int) -> int:
    """Rows at which the fit after one on so many is due: our own as soon as there are enough, later ones further apart."""
    return FIRST if count < FIRST else min(int(count * GROWTH), count + MOST_APART)


class Refits:
    """One chain's. `seen` rows the model in use was fitted on; `adopted` is told of every new one.

    The process starts with the first rows to keep: until then a chain costs no second process.
    """

    def __init__(self, chain: str, seen: int, adopted: Callable[[Model], Awaitable[None]]) -> None:
        self._chain = chain
        self._adopted = adopted
        self._rows: list[Row] = []
        self._count = 0
        # A restart begins a new history: its fit must have seen as much as the model it replaces, or a week.
        self._least = self._next = max(STRUCTURAL_FROM + DEEP, min(seen, MOST_APART))
        self._bell = asyncio.Event()
        self._worker: Worker | None = None
        self._anew = False

    def add(self, number: int, vector: Vector, x: float) -> None:
        """The newest row; a number seen before replaces it and those above."""
        self._rows.append((number, vector.astype(np.float32), x))
        self._count += 1
        if self._count >= self._next or len(self._rows) >= HANDED:
            self._bell.set()

    def broken(self) -> None:
        """The next row does not follow the last: what comes after a hole is another history."""
        self._rows.clear()
        self._count, self._next, self._anew = 0, self._least, True

    async def run(self) -> None:
        """Hand rows over and fit whenever it is due, until cancelled."""
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                await self._turn()
        finally:
            await asyncio.to_thread(self._end)

    async def _turn(self) -> None:
        rows, self._rows = self._rows, []
        anew, self._anew = self._anew, False
        count = self._count
        due = count >= self._next
        try:
            model = await asyncio.to_thread(self._hand, rows, anew=anew, fit=due)
        except FitFailed as error:
            metrics.GAS_FITS.labels(self._chain, "failed").inc()
            log.warning("gas_fit_failed", chain=self._chain, error=str(error))
            self.broken()
            return
        if model is not None:
            metrics.GAS_FITS.labels(self._chain, "fitted").inc()
            log.info("gas_model", chain=self._chain, model=model.name, first=model.first, last=model.last)
            self._next = after(count)
            if self._count >= self._next:
                self._bell.set()  # more came while it was fitted than the next one waits for
            await self._adopted(model)

    def _hand(self, rows: list[Row], *, anew: bool, fit: bool) -> Model | None:
        """In a thread: hand rows over, and wait for a fit if one is due. Raises FitFailed."""
        if anew:
            self._end()
        if self._worker is None:
            self._worker = Worker().__enter__()
        for row in rows:
            self._worker.add(*row)
        if not fit:
            return None
        self._worker.ask()
        return self._worker.take()

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.__exit__(None, None, None)
