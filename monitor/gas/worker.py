"""Fits run in a process of their own: rows go over as they come, a model comes back when it is ready."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import DEEP, WIDTH, Vector
from detectors.gas.fitting import LEAST, Effort, fit
from detectors.gas.model import Model
from detectors.gas.structural import fit_structural
from monitor.errors import SeawallError

PIECE = 512
"""Rows that are sent over in one go; 340 kB, well under a millisecond."""

MOST = 600_000
"""Rows a worker keeps (400 MB, twelve weeks of mainnet); older ones are dropped a quarter at a time."""

ENDS_WITHIN = 5.0


class FitFailed(SeawallError):
    """A fit raised, or its process died. The last good model stays in use."""


class Worker:
    """One process; `add` every header's features, `ask` for a fit, `take` the model. Entering starts the process.

    A reorganisation needs no word to the worker: rows are held back here until they are deeper than any rewind.
    """

    def __init__(self, effort: Effort | None = None) -> None:
        self._effort = effort or Effort()
        self._held: list[tuple[int, NDArray[np.float32], float]] = []
        self._process: multiprocessing.process.BaseProcess | None = None
        self._link: Connection | None = None

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._effort), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(ENDS_WITHIN)

    def add(self, number: int, vector: Vector | NDArray[np.float32], x: float) -> None:
        """Keep the newest row; a number seen before replaces that row and drops those above it."""
        while self._held and self._held[-1][0] >= number:
            self._held.pop()
        self._held.append((number, vector.astype(np.float32), x))
        if len(self._held) >= DEEP + PIECE:
            self._send(PIECE)

    def ask(self) -> None:
        """Begin a fit on everything that can no longer be reverted."""
        if len(self._held) > DEEP:
            self._send(len(self._held) - DEEP)
        self._put("fit")

    def ready(self) -> bool:
        """Would `take` answer at once?"""
        return self._link is not None and self._link.poll()

    def take(self) -> Model:
        """The model that was asked for, waiting as long as it takes. Raises FitFailed."""
        try:
            answer = self._connected().recv()
        except (EOFError, OSError) as error:
            raise FitFailed("the process that fits gas models died; the last good model stays in use") from error
        if isinstance(answer, str):
            raise FitFailed(f"a gas model could not be fitted ({answer}); the last good one stays in use")
        model: Model = answer
        return model

    def _connected(self) -> Connection:
        if self._link is None:
            raise FitFailed("the process that fits gas models was not started: enter the worker first")
        return self._link

    def _send(self, count: int) -> None:
        rows, self._held = self._held[:count], self._held[count:]
        self._put((rows[0][0], rows[-1][0], np.stack([row[1] for row in rows]), np.array([row[2] for row in rows])))

    def _put(self, message: object) -> None:
        try:
            self._connected().send(message)
        except OSError as error:
            raise FitFailed("the process that fits gas models died; the last good model stays in use") from error


def _serve(link: Connection, effort: Effort) -> None:
    """The worker's whole life: take rows, fit when asked, end when the other side does."""
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and with it the pipe, which ends us
    kept = _Kept()
    while True:
        try:
            message = link.recv()
        except (EOFError, OSError):
            return
        if message != "fit" if isinstance(message, str) else True:
            kept.add(*message)
            continue
        try:
            rows = kept.rows()
            link.send(fit(*rows, effort) if len(rows[0]) >= LEAST else fit_structural(*rows))
        except (ValueError, np.linalg.LinAlgError, MemoryError) as error:
            link.send(f"{type(error).__name__}: {error}")


class _Kept:
    """Consecutive rows, in arrays that grow by half."""

    def __init__(self) -> None:
        self._vectors = np.empty((20_000, WIDTH), np.float32)
        self._x = np.empty(20_000)
        self._count = self._last = 0

    def add(self, _first: int, last: int, vectors: NDArray[np.float32], x: Vector) -> None:
        if self._count + len(x) > MOST:
            keep = MOST * 3 // 4
            self._vectors[:keep] = self._vectors[self._count - keep : self._count]
            self._x[:keep] = self._x[self._count - keep : self._count]
            self._count = keep
        if self._count + len(x) > len(self._x):
            grown = min(max(len(self._x) * 3 // 2, self._count + len(x)), MOST)
            self._vectors = np.concatenate((self._vectors[: self._count], np.empty((grown - self._count, WIDTH), np.float32)))
            self._x = np.concatenate((self._x[: self._count], np.empty(grown - self._count)))
        self._vectors[self._count : self._count + len(x)] = vectors
        self._x[self._count : self._count + len(x)] = x
        self._count, self._last = self._count + len(x), last

    def rows(self) -> tuple[NDArray[np.float32], Vector, int, int]:
        return self._vectors[: self._count], self._x[: self._count], self._last - self._count + 1, self._last
