"""Fits run in a process of their own: rows go over as they come, a model comes back when it is ready."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import DEEP, WIDTH, Clock, Features, Header, Vector
from detectors.gas.fitting import LEAST, Effort, fit
from detectors.gas.model import Model
from detectors.gas.structural import fit_structural
from monitor.errors import SeawallError
from monitor.gas.memory import MOST, Memory

PIECE = 512
"""Rows that are sent over in one go; 340 kB, well under a millisecond."""

ENDS_WITHIN = 5.0

Row = tuple[Header, NDArray[np.float32], float]
"""A header, the features after it, and the log of its child's fee."""


class Past(msgspec.Struct, frozen=True):
    """What a process may begin with: the kept headers that lead to `first`, the first row it will be given."""

    memory: Memory
    clock: Clock
    first: Header


class FitFailed(SeawallError):
    """A fit raised, or its process died. The last good model stays in use."""


class WorkerDied(FitFailed):
    """The process is gone, and what it had kept with it."""


class Worker:
    """One process; `add` every header's features, `ask` for a fit, `take` the model. Entering starts the process.

    A reorganisation needs no word to the worker: rows are held back here until they are deeper than any rewind. With a `past`
    the process begins with what earlier lives have kept (`remembered` waits for it), and rows are kept as they go over;
    `trouble` is why that ended.
    """

    def __init__(self, effort: Effort | None = None, past: "Past | None" = None) -> None:
        self._effort = effort or Effort()
        self._past = past
        self._memory = None if past is None else past.memory
        self._held: list[Row] = []
        self._sent = -1
        self._process: multiprocessing.process.BaseProcess | None = None
        self._link: Connection | None = None
        self.trouble: str | None = None
        self.kept = -1
        """The number up to which rows are in the memory; -1: none of this life's."""

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._effort, self._past), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(ENDS_WITHIN)

    def remembered(self) -> int:
        """How many kept headers lead up to the first row. Asked once, before any row is added. Raises WorkerDied."""
        return 0 if self._past is None else int(self._received())

    def add(self, header: Header, vector: Vector | NDArray[np.float32], x: float) -> None:
        """Keep the newest row; a number seen before replaces that row and drops those above it, unless it went over already."""
        if header.number <= self._sent:
            return
        while self._held and self._held[-1][0].number >= header.number:
            self._held.pop()
        self._held.append((header, vector.astype(np.float32), x))
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
        answer = self._received()
        if isinstance(answer, str):
            raise FitFailed(f"a gas model could not be fitted ({answer}); the last good one stays in use")
        model: Model = answer
        return model

    def _received(self) -> Any:  # noqa: ANN401 - what the process sends is its two callers' affair
        try:
            return self._connected().recv()
        except (EOFError, OSError) as error:
            raise WorkerDied("the process that fits gas models died; the last good model stays in use") from error

    def _connected(self) -> Connection:
        if self._link is None:
            raise FitFailed("the process that fits gas models was not started: enter the worker first")
        return self._link

    def _send(self, count: int) -> None:
        rows, self._held = self._held[:count], self._held[count:]
        self._sent = rows[-1][0].number
        self._put((rows[0][0].number, self._sent, np.stack([row[1] for row in rows]), np.array([row[2] for row in rows])))
        if self._memory is not None:
            try:
                self._memory.append([row[0] for row in rows])
                self.kept = self._sent
            except OSError as error:  # a history that is not kept costs the next life a fit, nothing else
                self.trouble, self._memory = f"{self._memory.path}: {error}", None

    def _put(self, message: object) -> None:
        try:
            self._connected().send(message)
        except OSError as error:
            raise WorkerDied("the process that fits gas models died; the last good model stays in use") from error


def _serve(link: Connection, effort: Effort, past: Past | None) -> None:
    """The worker's whole life: take rows, fit when asked, end when the other side does."""
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and with it the pipe, which ends us
    kept = _Kept() if past is None else _recalled(past)
    if past is not None:
        link.send(kept.count)
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


def _recalled(past: Past) -> "_Kept":
    """Features of the headers that were kept, made anew: headers outlive what a version makes of them.

    What does not lead to the first row, by number and by fee, was another history or another chain.
    """
    kept, features = _Kept(), Features(past.clock)
    try:
        stored = past.memory.read()
        headers = [header for header in stored if header.number < past.first.number]
        for at in range(0, len(headers), PIECE):
            piece = headers[at : at + PIECE]
            rows = [(features.observe(header).astype(np.float32), features.x) for header in piece]
            kept.add(piece[0].number, piece[-1].number, np.stack([row[0] for row in rows]), np.array([row[1] for row in rows]))
        if (features.number, features.next_fee) != (past.first.number - 1, past.first.base_fee):
            headers, kept = [], _Kept()
        if len(headers) < len(stored):
            past.memory.replace(headers)
    except OSError:
        return _Kept()  # what cannot be read is as good as none; keeping rows will say so
    return kept


class _Kept:
    """Consecutive rows, in arrays that grow by half."""

    def __init__(self) -> None:
        self._vectors = np.empty((20_000, WIDTH), np.float32)
        self._x = np.empty(20_000)
        self.count = self._last = 0

    def add(self, _first: int, last: int, vectors: NDArray[np.float32], x: Vector) -> None:
        if self.count + len(x) > MOST:
            keep = MOST * 3 // 4
            self._vectors[:keep] = self._vectors[self.count - keep : self.count]
            self._x[:keep] = self._x[self.count - keep : self.count]
            self.count = keep
        if self.count + len(x) > len(self._x):
            grown = min(max(len(self._x) * 3 // 2, self.count + len(x)), MOST)
            self._vectors = np.concatenate((self._vectors[: self.count], np.empty((grown - self.count, WIDTH), np.float32)))
            self._x = np.concatenate((self._x[: self.count], np.empty(grown - self.count)))
        self._vectors[self.count : self.count + len(x)] = vectors
        self._x[self.count : self.count + len(x)] = x
        self.count, self._last = self.count + len(x), last

    def rows(self) -> tuple[NDArray[np.float32], Vector, int, int]:
        return self._vectors[: self.count], self._x[: self.count], self._last - self.count + 1, self._last
