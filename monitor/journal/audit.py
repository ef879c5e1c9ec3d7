"""The journal read by somebody else than its daemon, alive or dead: a copy is read, the file itself is not touched.

The daemon holds its file exclusively, and opening a dead one's would tidy it up, evidence included. The file is copied first, its
write-ahead log after: as long as that log was not begun anew meanwhile, it holds every page that the copy may have got half of.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from monitor.errors import JournalBroken, JournalError
from monitor.journal import schema
from monitor.journal.base import Record, follow, genesis
from monitor.journal.checkpoints import Checkpoint
from monitor.journal.place import Mark
from monitor.journal.sqlite import page

PAGE = 2048
TRIES = 20
_LOG_HEAD = 32
Progress = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class Reading:
    """A journal's copy. `first` and `head` are the sequences of its first and last record, `base` what is before the first."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database
        self.format = schema.check(database, path)
        self.epoch = schema.epoch(database, path)
        self.base = schema.base(database, path, self.format) or (0, genesis(self.epoch))
        newest = database.execute("SELECT max(sequence) FROM journal").fetchone()[0]
        self.first, self.head = self.base[0] + 1, self.base[0] if newest is None else int(newest)

    def records(self, start: int = 0, progress: Progress = lambda _done, _all: None) -> Iterator[Record]:
        """Every record from this sequence on. Raises JournalError."""
        at = max(start, self.first)
        while at <= self.head:
            try:
                records = page(self._database, at, at + PAGE - 1)
            except schema.FOREIGN as error:
                raise schema.translate(error, "read", self.path) from error
            yield from records
            at += PAGE
            progress(min(at, self.head + 1) - self.first, self.head - self.base[0])


@contextmanager
def opened(path: Path) -> Iterator[Reading]:
    """A journal to read, as it is now. Raises JournalError."""
    with tempfile.TemporaryDirectory(prefix="seawall-audit-") as folder:
        copy = Path(folder) / path.name
        try:
            _copy(path, copy)
            database = sqlite3.connect(copy, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"read {path}: {error}; is journal.path right, and may this user read it?") from error
        try:
            try:
                reading = Reading(path, database)
            except schema.FOREIGN as error:
                raise schema.translate(error, "open", path) from error
            yield reading
        finally:
            database.close()


def _copy(path: Path, copy: Path) -> None:
    log = path.with_name(path.name + "-wal")
    for _ in range(TRIES):
        before = _head(log)
        shutil.copyfile(path, copy)
        beside = copy.with_name(copy.name + "-wal")
        beside.unlink(missing_ok=True)
        if before:
            shutil.copyfile(log, beside)
        if _head(log) == before:
            return
    raise JournalError(f"read {path}: its daemon begins its log anew faster than it can be copied; try again")


def _head(log: Path) -> bytes:
    """The salts of a write-ahead log, new in every turn; empty where there is no log."""
    try:
        with log.open("rb") as file:
            return file.read(_LOG_HEAD)
    except FileNotFoundError:
        return b""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found. `records` are those in the file, `checkpoints` those that were compared with a record here.

    `signed` says how many of these carry a good signature of the key asked for; None where none was.
    """

    ok: bool
    file: str
    problem: str = ""
    epoch: int = 0
    format: int = 0
    first: int = 0
    head: int = 0
    records: int = 0
    hash: str = ""
    checkpoints: int = 0
    signed: int | None = None


def verify(
    path: Path,
    checkpoints: Sequence[tuple[bytes, Checkpoint]],
    genuine: Callable[[bytes], bool] | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """Recompute every hash, and hold the result against the mark beside the file and all checkpoints.

    `genuine` says whether a checkpoint's line is signed by the key that is trusted; then one that is not is a problem too.
    """
    try:
        with opened(path) as reading:
            return _report(reading, checkpoints, genuine, progress)
    except JournalError as error:
        return Report(ok=False, file=str(path), problem=str(error))


def _report(
    reading: Reading,
    checkpoints: Sequence[tuple[bytes, Checkpoint]],
    genuine: Callable[[bytes], bool] | None,
    progress: Progress,
) -> Report:
    path = reading.path
    wanted: dict[int, str] = {}
    for line, one in checkpoints:
        if genuine is not None and not genuine(line):
            raise JournalBroken(f"{path}: the checkpoint at record {one.sequence} is not signed by this key")
        if one.epoch == reading.epoch and wanted.setdefault(one.sequence, one.hash) != one.hash:
            raise JournalBroken(f"{path}: two checkpoints disagree on record {one.sequence}: the journal was written anew")

    def compared() -> Iterator[Record]:
        for record in reading.records(0, progress):
            if wanted.get(record.sequence, record.hash) != record.hash:
                raise JournalBroken(f"verify {path}: record {record.sequence} is another than its checkpoint says")
            yield record

    verified = follow(compared(), reading.epoch, reading.base)
    newest = max((Mark.read(path), Mark(reading.epoch, max(wanted, default=0))), key=lambda mark: mark.sequence)
    if newest.epoch == reading.epoch and newest.sequence > verified.records:
        raise JournalBroken(
            f"verify {path}: ends at record {verified.records}, and it once had {newest.sequence}: its end is missing"
        )
    here = [one for _, one in checkpoints if one.epoch == reading.epoch and reading.first <= one.sequence <= reading.head]
    return Report(
        ok=True, file=str(path), epoch=reading.epoch, format=reading.format, first=reading.first, head=reading.head,
        records=verified.records - reading.base[0], hash=verified.hash, checkpoints=len(here),
        signed=len(here) if genuine is not None else None,
    )  # fmt: skip
