"""Writes a tape from the event loop: one thread, a bounded queue, and a tape that ends rather than lose a thing unsaid.

A tape may be kept in several files: the next is made before the last one says in its closing line which it is, and no entry is
written to it before that line is on its way to the disk. So a reader finds every entry in order, wherever the writer was killed.
"""

import asyncio
import os
import queue
import threading
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
import structlog

from detectors.events import Event
from detectors.execution import Execution
from monitor import metrics
from monitor.chains.spool import GZIP
from monitor.chains.tape import Continued, End, Header, Mark, Truncated
from monitor.errors import TapeError

log = structlog.get_logger()

ROOM = 400_000
"""Entries, frames and steps that may wait for the disk; what comes beyond ends the tape."""

FLUSH_EVERY = 1.0
_CLOSE_WITHIN = 10.0
_encoder = msgspec.json.Encoder()


class Recorder:
    """A tape being written; use as `with Recorder(path, header) as tape`. Never blocks whoever records.

    A name that is taken is left alone: the tape gets a number (`path` says which name it became). When the disk is too slow,
    full or gone, the tape ends there with a line that says so, `trouble` has the reason, and what comes later is counted as lost.
    After about `most_bytes` (compressed) or `most_seconds` it goes on in another file, numbered likewise: see `files`.
    """

    def __init__(self, path: Path, header: Header, *, most_bytes: int | None = None, most_seconds: float | None = None) -> None:
        self.path = path
        self.header = header
        self.most_bytes = most_bytes
        self.most_seconds = most_seconds
        self.files: list[Path] = []
        self.trouble = ""
        self.events = 0
        self.lost = 0
        self._count = 0
        self._given = 0
        self._taken = 0
        self._lines = 0
        self._stem = ""
        self._entries: queue.SimpleQueue[tuple[Event | Mark | threading.Event, int]] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="tape", daemon=True)

    def __enter__(self) -> Self:
        """Make the file and begin. Raises TapeError when it cannot be made."""
        self._file = self._open()
        if self.most_bytes is not None or self.most_seconds is not None:
            self.header = msgspec.structs.replace(self.header, set=f"{self.path.name} {self.header.started!r}")
        self._worker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write what waits, and the end."""
        self._entries.put((End(entries=self._count), 0))
        self._worker.join(_CLOSE_WITHIN)
        if self._worker.is_alive():
            self.trouble = self.trouble or f"the disk has not answered for {_CLOSE_WITHIN:g} s"

    def saw(self, event: Event) -> int:
        """Record an event; call it right before the event is judged. Gives its number, from 1."""
        self.events += 1
        self._put(event, 1 + len(event.frames) + len(event.steps) if isinstance(event, Execution) else 1)
        return self.events

    def mark(self, mark: Mark) -> None:
        """Record something between events."""
        self._put(mark, 1)

    async def caught_up(self, within: float = FLUSH_EVERY) -> None:
        """Wait until all recorded so far would outlive this process, at most `within` seconds: a tape holds nobody up."""
        if not self.trouble:
            self._entries.put((reached := threading.Event(), 0))
            await asyncio.to_thread(reached.wait, within)

    def _put(self, entry: Event | Mark, weight: int) -> None:
        waiting = self._given - self._taken
        if not self.trouble and waiting and waiting + weight > ROOM:
            self._end(f"{waiting:,} entries, frames and steps wait for the disk")
            self._entries.put((Truncated(reason=self.trouble), 0))
        if self.trouble:
            self.lost += 1
            metrics.TAPE_LOST.inc()
            return
        self._count += 1
        self._given += weight
        self._entries.put((entry, weight))

    def _end(self, reason: str) -> None:
        self.trouble = reason
        log.error("tape_ended", tape=str(self.path), reason=reason)

    def _open(self) -> IO[bytes]:
        stem, dot, suffixes = self.path.name.partition(".")
        stem, number = (self._stem or stem), len(self.files) + 1
        self._stem = stem
        while True:
            name = f"{stem}-{number}{dot}{suffixes}" if number > 1 else f"{stem}{dot}{suffixes}"
            path = self.path.with_name(name)
            try:
                opened = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            except FileExistsError:
                number += 1
            except OSError as error:
                raise TapeError(f"write {path}: {error.strerror}; name another place") from error
            else:
                self.path = path if not self.files else self.path
                self.files.append(path)
                return opened

    def _work(self) -> None:
        following: IO[bytes] | None = self._file
        try:
            while following is not None:
                with following as file:
                    following = self._write(file)
        except (OSError, TapeError) as error:
            self._end(f"the disk refused: {error.strerror if isinstance(error, OSError) else error}")

    def _write(self, file: IO[bytes]) -> IO[bytes] | None:
        """Fill one file. The next one, or None when the tape has ended."""
        packer, began, before = zlib.compressobj(6, zlib.DEFLATED, GZIP), time.monotonic(), self._lines
        header, flushed = msgspec.structs.replace(self.header, part=len(self.files)), began
        file.write(packer.compress(_encoder.encode(header) + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        file.flush()
        last = False
        while not last:
            reached = None
            try:
                entry, weight = self._entries.get(timeout=FLUSH_EVERY)
            except queue.Empty:
                pass
            else:
                if isinstance(entry, threading.Event):
                    reached = entry
                else:
                    line, last = self._line(entry)
                    file.write(packer.compress(line))
                    self._taken += weight
                    self._lines += not last
            if reached is not None or time.monotonic() - flushed >= FLUSH_EVERY:
                file.write(packer.flush(zlib.Z_SYNC_FLUSH))
                file.flush()
                flushed = time.monotonic()
            if reached is not None:
                reached.set()
            if not last and self._lines > before and self._full(file, began):
                following = self._open()
                closing = Continued(next=self.files[-1].name, entries=self._lines)
                file.write(packer.compress(_encoder.encode(closing) + b"\n") + packer.flush())
                return following
        file.write(packer.flush())
        return None

    def _full(self, file: IO[bytes], began: float) -> bool:
        if self.most_bytes is not None and file.tell() >= self.most_bytes:
            return True
        return self.most_seconds is not None and time.monotonic() - began >= self.most_seconds

    def _line(self, entry: Event | Mark) -> tuple[bytes, bool]:
        """An entry as a line, and whether it is the last one."""
        try:
            return _encoder.encode(entry) + b"\n", isinstance(entry, End | Truncated)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:  # half a surrogate pair is in no JSON
            self._end(f"{type(entry).__name__} cannot be written: {type(error).__name__}")
            return _encoder.encode(Truncated(reason=self.trouble)) + b"\n", True
