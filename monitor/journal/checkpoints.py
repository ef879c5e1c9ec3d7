"""Checkpoints: now and then the newest hash goes out to the log and a file, signed, so that a rewritten journal contradicts it.

A hash chain shows a change in its middle; whoever may write the file could still write the whole chain anew, or cut its end off.
What was exported cannot be taken back: a line of `journal.db.checkpoints`, or of wherever the log is kept, names epoch, sequence
and hash of a record that the disk had by then.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from monitor import metrics
from monitor.errors import JournalBroken, JournalError
from monitor.journal.sqlite import SqliteJournal

EVERY = 100
"""Records between two checkpoints at most."""

WITHIN = 300.0
"""Seconds after a record within which there is a checkpoint."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="checkpoint"):
    """The record at `sequence` of this epoch has this hash. `key_id` and `sig` follow where a key is configured."""

    epoch: int
    sequence: int
    hash: str
    at: float


class Checkpoints:
    """Makes them. `sign` turns a JSON object into a signed one, or leaves it; `told` gets every line, for the log."""

    def __init__(self, journal: SqliteJournal, sign: Callable[[bytes], bytes], told: Callable[[bytes], None]) -> None:
        self.path = file(journal.path)
        self._journal = journal
        self._sign = sign
        self._told = told
        self._sequence = journal.head
        self._due_at = float("inf")

    def due(self, now: float) -> bool:
        """Is it time for one? `now` is unix seconds, as it is in `make`."""
        new = self._journal.head - self._sequence
        if new and self._due_at == float("inf"):
            self._due_at = now + WITHIN
        return new >= EVERY or (new > 0 and now >= self._due_at)

    async def run(self) -> None:
        """Make each that is due, until cancelled. A disk that refuses one is counted, and asked again later."""
        while True:
            await asyncio.sleep(1.0)
            now = time.time()
            if self.due(now):
                try:
                    await asyncio.to_thread(self.make, now)
                except JournalError:
                    metrics.JOURNAL_ERRORS.inc()

    def make(self, now: float) -> bytes:
        """Make one; its line. It blocks for about a commit. Raises JournalError; the next try is then due later."""
        self._due_at = now + WITHIN
        sequence, own = self._journal.settle()
        self._sequence = sequence
        line = self._sign(msgspec.json.encode(Checkpoint(epoch=self._journal.epoch, sequence=sequence, hash=own, at=now)))
        self._told(line)
        try:
            with self.path.open("ab", buffering=0) as out:
                out.write(line + b"\n")
                os.fsync(out.fileno())
        except OSError as error:
            raise JournalError(f"write {self.path}: {error.strerror}; the log has this checkpoint") from error
        self._due_at = float("inf")
        return line


def file(journal: Path) -> Path:
    """Where the checkpoints of a journal are kept."""
    return journal.with_name(journal.name + ".checkpoints")


def read(path: Path) -> list[tuple[bytes, Checkpoint]]:
    """Lines and what they say, none where there is no file; a last line that was cut off by a crash is left out.

    Raises JournalBroken for a line that is none.
    """
    if not path.exists():
        return []
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise JournalError(f"read {path}: {error.strerror}") from error
    found = []
    for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].splitlines(), 1):
        try:
            found.append((line, msgspec.json.decode(line, type=Checkpoint)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalBroken(f"{path}: line {number} is not a checkpoint ({error})") from error
    return found
