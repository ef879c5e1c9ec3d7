"""When a chain's model is fitted anew, and by whom: a process of its own, waited for in threads, so that no block ever waits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from detectors.gas.features import DEEP, Clock, Header, Vector
from detectors.gas.fitting import LEAST
from detectors.gas.model import Model
from detectors.gas.structural import STRUCTURAL_FROM
from monitor import metrics
from monitor.gas.memory import Memory
from monitor.gas.replay import GROWTH, MOST_APART
from monitor.gas.worker import PIECE, FitFailed, Past, Row, Worker, WorkerDied

log = structlog.get_logger()

FIRST = LEAST + DEEP
"""Rows after which a model of our own is fitted; a structural one comes before it."""

HANDED = 256
"""Rows that are handed over at once: they are kept there, not here."""

AGAIN_AFTER = 50
"""Rows after which a fit whose process died is tried again."""


class Tail(msgspec.Struct, frozen=True):
    """The newest rows, which may not be in the memory yet, as they go into a snapshot: packed, since the loop waits for it."""

    headers: bytes
    vectors: NDArray[np.float32]
    x: Vector

    def rows(self) -> list[Row]:
        """As they came."""
        headers = msgspec.msgpack.decode(self.headers, type=list[Header])
        return list(zip(headers, self.vectors, self.x.tolist(), strict=True))


def after(count: int) -> int:
    """Rows at which the fit after one on so many is due: our own as soon as there are enough, later ones further apart."""
    return FIRST if count < FIRST else min(int(count * GROWTH), count + MOST_APART)


class Refits:
    """One chain's. `seen` rows the model in use was fitted on; `adopted` is told of every new one.

    The process starts with the first rows to keep: until then a chain costs no second process. It begins with what the `memory`
    has, where `tail`, an earlier life's newest rows, follows on it.
    """

    def __init__(
        self,
        chain: str,
        seen: int,
        adopted: Callable[[Model], Awaitable[None]],
        *,
        memory: Memory | None = None,
        clock: Clock | None = None,
        tail: Tail | None = None,
    ) -> None:
        self._chain = chain
        self._adopted = adopted
        self._memory = memory
        self._clock = clock
        self._rows: list[Row] = [] if tail is None else tail.rows()
        # What is in no memory yet: rows here, rows on their way, rows that may still be reverted.
        self._tail: deque[Row] = deque(self._rows, maxlen=2 * (HANDED + PIECE + DEEP))
        self._count = len(self._rows)
        self._seen = seen
        self._next = self._least
        self._bell = asyncio.Event()
        self._worker: Worker | None = None
        self._anew = self._died = False

    @property
    def _least(self) -> int:
        """Rows of a history that begins anew before a fit: as many as the model it replaces has seen, or a week."""
        return max(STRUCTURAL_FROM + DEEP, min(self._seen, MOST_APART))

    @property
    def tail(self) -> Tail | None:
        """For the next life; None while there is nothing."""
        if not self._tail:
            return None
        headers, vectors, x = zip(*self._tail, strict=True)
        return Tail(msgspec.msgpack.encode(headers), np.stack(vectors), np.array(x))

    def add(self, header: Header, vector: Vector, x: float) -> None:
        """The newest row; a number seen before replaces it and those above."""
        row = (header, vector.astype(np.float32), x)
        while self._tail and self._tail[-1][0].number >= header.number:
            self._tail.pop()
        self._tail.append(row)
        self._rows.append(row)
        self._count += 1
        if self._count >= self._next or len(self._rows) >= HANDED:
            self._bell.set()

    def broken(self) -> None:
        """The next row does not follow the last: what comes after a hole is another history."""
        self._rows.clear()
        self._tail.clear()
        self._count, self._next, self._anew = 0, self._least, True

    async def run(self) -> None:
        """Hand rows over and fit whenever it is due, until cancelled."""
        if self._rows:
            self._bell.set()  # an earlier life's: its history is there to go on with
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                if self._rows:
                    await self._turn()
        finally:
            await asyncio.to_thread(self._end)

    async def _turn(self) -> None:
        rows, self._rows = self._rows, []
        count = self._count
        try:
            if self._anew or self._worker is None:
                count = await self._begin(rows)
            model = await asyncio.to_thread(self._hand, rows, fit=count >= self._next)
        except WorkerDied as error:
            metrics.GAS_FITS.labels(self._chain, "died").inc()
            log.warning("gas_worker_died", chain=self._chain, error=str(error))
            # The next one is given what may be lost with this one, and has the rest from the memory.
            self._rows, self._anew, self._died = list(self._tail), True, True
            return
        except FitFailed as error:
            metrics.GAS_FITS.labels(self._chain, "failed").inc()
            log.warning("gas_fit_failed", chain=self._chain, error=str(error))
            self._next = after(count)
            return
        metrics.GAS_HISTORY.labels(self._chain).set(count)
        while self._worker is not None and self._tail and self._tail[0][0].number <= self._worker.kept:
            self._tail.popleft()
        if model is not None:
            await self._fitted(model, count)

    async def _fitted(self, model: Model, count: int) -> None:
        metrics.GAS_FITS.labels(self._chain, "fitted").inc()
        log.info("gas_model", chain=self._chain, model=model.name, first=model.first, last=model.last)
        self._seen = model.last - model.first + 1
        if not self._anew:
            self._next = after(count)
            if self._count >= self._next:
                self._bell.set()  # more came while it was fitted than the next one waits for
        await self._adopted(model)

    async def _begin(self, rows: list[Row]) -> int:
        """A new process, and how long the history is that it begins with, these rows included. Raises FitFailed."""
        self._anew = False
        remembered = await asyncio.to_thread(self._start, rows[0][0])
        if self._anew:
            return 0  # a hole came meanwhile, and these rows lie before it
        count = remembered + len(rows)
        self._count = count + len(self._rows)
        if count < self._seen or not self._seen:
            self._next = self._least
        elif not self._died:
            self._next = after(self._seen + DEEP)
        if self._died:
            self._next, self._died = max(self._next, count + AGAIN_AFTER), False
        log.info("gas_history", chain=self._chain, headers=count, remembered=remembered)
        return count

    def _start(self, first: Header) -> int:
        """In a thread: how many kept headers the new process has that lead to this one. Raises FitFailed."""
        self._end()
        past = None if self._memory is None else Past(self._memory, self._clock or Clock(), first)
        self._worker = Worker(past=past).__enter__()
        return self._worker.remembered()

    def _hand(self, rows: list[Row], *, fit: bool) -> Model | None:
        """In a thread: hand rows over, and wait for a fit if one is due. Raises FitFailed."""
        worker = self._worker
        if worker is None:
            raise WorkerDied("there is no process to fit gas models")
        for row in rows:
            worker.add(*row)
        if worker.trouble is not None:
            log.warning("gas_history_not_kept", chain=self._chain, error=worker.trouble)
            worker.trouble = None
        if not fit:
            return None
        worker.ask()
        return worker.take()

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.__exit__(None, None, None)
