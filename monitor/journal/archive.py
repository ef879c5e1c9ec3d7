"""Retention: what is old goes into a volume of its own, and the journal goes on behind it, chained to its last record.

A hash chain cannot lose rows, so none is deleted. The present state is recorded; the whole file, that record included, becomes
the archive; a new file takes its place that begins with that record and knows the hash before it. A checkpoint of it says, to
whoever has the key, that both belong together.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

from monitor.errors import JournalError
from monitor.journal import schema
from monitor.journal.base import Draft, Record
from monitor.journal.checkpoints import Checkpoints
from monitor.journal.sqlite import INSERT, SqliteJournal, row


def archive(
    path: Path, to: Path, state: Callable[[Iterable[Record]], Draft], now: float, sign: Callable[[bytes], bytes]
) -> tuple[int, bytes]:
    """Put the journal away under the name `to` and go on in a new file; how many records went, and the checkpoint's line.

    `state` folds all records into the one that the new file begins with. Raises JournalError: the daemon runs, `to` is taken, or
    the disk is full; the journal is then as it was, but for a record of its state.
    """
    if to.exists():
        raise JournalError(f"archive {path}: {to} is there already; name another file")
    journal = SqliteJournal.open(path)
    try:
        last = journal.head
        (record,) = journal.append([state(journal.read(1))], last)
        line = Checkpoints(journal, sign, lambda _: None).make(now)
        journal.tidy()
        _link(path, to)
        try:
            draft = schema.make(path, journal.epoch)
            _begin(draft, (last, bytes.fromhex(record.prev_hash)), record)
            draft.rename(path)
            schema.sync_directory(path.parent)
        except (sqlite3.Error, OSError) as error:
            to.unlink()
            raise schema.translate(error, "archive", path) from error
    finally:
        journal.close()
    SqliteJournal.open(path).close()  # it verifies
    return last, line


def _link(path: Path, to: Path) -> None:
    """The same file under another name; on another disk, a copy that is whole or not there."""
    try:
        try:
            os.link(path, to)
        except OSError:
            draft = to.with_name(to.name + ".new")
            shutil.copyfile(path, draft)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.rename(to)
        schema.sync_directory(to.parent)
    except OSError as error:
        raise JournalError(f"archive {path} to {to}: {error.strerror}; does the folder exist, and is there room?") from error


def _begin(draft: Path, base: tuple[int, bytes], record: Record) -> None:
    database = sqlite3.connect(draft, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous=FULL")
        database.execute("BEGIN")
        database.execute("INSERT INTO base VALUES (?, ?)", base)
        database.execute(INSERT, row(record))
        database.execute("COMMIT")
    finally:
        database.close()
