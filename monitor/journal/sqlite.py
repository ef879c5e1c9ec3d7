"""The embedded journal: one SQLite table that only grows, in WAL mode, synced to disk before anyone is told.

Beside `journal.db` lie `journal.db.lock` (held by the one process that may write) and `journal.db.epoch` (which journal belongs
here and how far it had come, so that a missing or older file is noticed instead of starting over in silence).
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from monitor import metrics
from monitor.errors import JournalBroken, JournalConflict, JournalError
from monitor.journal import failpoints, schema
from monitor.journal.base import Draft, Outcome, Record, Request, Verified, follow, genesis, seal
from monitor.journal.place import Lock, Mark

_PAGE = 512
INSERT = "INSERT INTO journal (sequence, prev, hash, kind, at, by, effect_keys, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT sequence, prev, hash, kind, at, by, effect_keys, body FROM journal WHERE sequence BETWEEN ? AND ? ORDER BY sequence"
)
_LAST = "SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1"


class SqliteJournal:
    """A `Journal` in one file. Open it with `SqliteJournal.open(path)`; safe to call from several threads."""

    def __init__(self, path: Path, database: sqlite3.Connection, lock: Lock, epoch: int) -> None:
        self.path = path
        self._database = database
        self._lock = lock
        self._epoch = epoch
        self._guard = threading.Lock()
        self._base = (0, genesis(epoch))
        self._head, self._hash = self._base
        self._synchronous = ""
        self._closed = False

    @classmethod
    def open(cls, path: Path | str, *, clock: Callable[[], float] = time.time, tidy: bool = True) -> Self:
        """Open the journal, or make one where there never was one, and verify every record.

        Who is in a hurry opens it without `tidy`, which waits for the disk several times, and calls that before any append.
        Raises JournalError when another process has it, or the file is empty, foreign, missing or older than it was;
        JournalBroken when its chain does not verify.
        """
        path = Path(path)
        lock = Lock.take(path)
        try:
            mark = Mark.read(path)
            if not path.exists():
                mark.refuse_missing(path)
                schema.create(path, epoch=int(clock() * 1000))
            journal = cls(path, schema.connect(path), lock, 0)
            journal._settle(mark)
            if tidy:
                journal.tidy()
        except BaseException:
            lock.release()
            raise
        return journal

    def _settle(self, mark: Mark) -> None:
        try:
            with self._translated("open"):
                self._epoch = schema.epoch(self._database, self.path)
                self._base = schema.base(self._database, self.path) or (0, genesis(self._epoch))
                newest = self._database.execute("SELECT max(sequence) FROM journal").fetchone()[0]
                self._head = self._base[0] if newest is None else int(newest)
            mark.refuse_other(self.path, self._epoch, self._head)
            self._hash = self.verify().hash
        except BaseException:
            self._database.close()
            raise
        metrics.JOURNAL_SEQUENCE.set(self._head)

    @property
    def epoch(self) -> int:
        """Unix milliseconds at which this journal was made."""
        return self._epoch

    @property
    def head(self) -> int:
        """Sequence of the newest record, 0 when empty."""
        return self._head

    def append(self, drafts: Sequence[Draft], expected: int | None) -> tuple[Record, ...]:
        """Append all or none in one transaction. See `Journal.append`."""
        (outcome,) = self.commit([(drafts, expected)])
        if isinstance(outcome, JournalError):
            raise outcome
        return outcome

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """Several appends in one transaction and one sync: for each its records, or the error it alone is refused by.

        Raises JournalError when the transaction failed; then nothing of any of them was kept.
        """
        with self._guard:
            if self._closed:
                raise JournalError(f"append to {self.path}: the journal is closed")
            with metrics.JOURNAL_SECONDS.time():
                try:
                    outcomes, head, last = self._write(requests)
                except JournalError:
                    metrics.JOURNAL_ERRORS.inc()
                    raise
            self._head, self._hash = head, last
        metrics.JOURNAL_SEQUENCE.set(head)
        metrics.JOURNAL_CONFLICTS.inc(sum(isinstance(outcome, JournalConflict) for outcome in outcomes))
        return outcomes

    def _write(self, requests: Sequence[Request]) -> tuple[list[Outcome], int, str]:
        outcomes: list[Outcome] = []
        durable = any(draft.durable for drafts, _ in requests for draft in drafts)
        with self._translated("append to"):
            self._sync("FULL" if durable else "NORMAL")
            self._database.execute("BEGIN IMMEDIATE")
            failpoints.reach("journal.begun")
            newest = self._database.execute(_LAST).fetchone()
            head, last = self._base if newest is None else (newest[0], newest[1].hex())
            if (head, last) != (self._head, self._hash):
                raise JournalBroken(
                    f"append to {self.path}: someone else wrote to the file; its head is {head}, not {self._head}"
                )
            for drafts, expected in requests:
                outcome = _place(drafts, expected, head, last)
                outcomes.append(outcome)
                if isinstance(outcome, tuple) and outcome:
                    self._database.executemany(INSERT, map(row, outcome))
                    head, last = outcome[-1].sequence, outcome[-1].hash
            failpoints.reach("journal.inserted")
            self._database.execute("COMMIT")
            failpoints.reach("journal.committed")
        return outcomes, head, last

    def _sync(self, level: str) -> None:
        # It may not be changed inside a transaction; a FULL commit syncs the log and with it earlier NORMAL ones.
        if level != self._synchronous:
            self._database.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    def read(self, start: int) -> Iterator[Record]:
        """Every record here from `start` up to the head at the time of the call; appends may go on meanwhile."""
        return self._pages(max(start, self._base[0] + 1), self._head)

    def _pages(self, start: int, end: int) -> Iterator[Record]:
        while start <= end:
            with self._guard:
                if self._closed:
                    raise JournalError(f"read {self.path}: the journal is closed")
                with self._translated("read"):
                    records = page(self._database, start, min(start + _PAGE - 1, end))
            yield from records
            start += _PAGE

    def verify(self) -> Verified:
        """Recompute every hash from the file, check the schema and that the chain ends where the head is."""
        with self._guard, self._translated("verify"):
            schema.check(self._database, self.path)
        expected = self._head
        try:
            verified = follow(self._pages(self._base[0] + 1, expected), self._epoch, self._base)
        except JournalBroken as error:
            raise JournalBroken(f"verify {self.path}: {error}; keep the file, and restore a copy that verifies") from error
        if verified.records != expected:
            raise JournalBroken(f"verify {self.path}: record {verified.records + 1} is missing; the head is {expected}")
        return verified

    def settle(self) -> tuple[int, str]:
        """Sequence and hash of the newest record, once the disk has everything up to it, derivable records too."""
        with self._guard:
            if self._closed:
                raise JournalError(f"settle {self.path}: the journal is closed")
            settled = self._head, self._hash
        # The log alone, and appends go on meanwhile: what is no longer in it was synced with the file when it was moved there.
        try:
            log = os.open(self.path.with_name(self.path.name + "-wal"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return settled
        try:
            os.fdatasync(log)
        except OSError as error:
            raise schema.translate(error, "settle", self.path) from error
        finally:
            os.close(log)
        return settled

    def close(self) -> None:
        """Move everything into the one file, note how far it came, and let another process have it."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._tidy()
            self._database.close()
            self._lock.release()

    def tidy(self) -> None:
        """Move everything into the one file and note how far it came. A full disk prevents neither start nor stop."""
        with self._guard:
            if not self._closed:
                self._tidy()

    def _tidy(self) -> None:
        try:
            with self._translated("tidy"):
                self._sync("FULL")
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            failpoints.reach("journal.tidied")
            Mark(self._epoch, self._head).write(self.path)
        except JournalError:
            metrics.JOURNAL_ERRORS.inc()

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        """SQLite's errors become ours, with what to do; an open transaction is taken back either way."""
        try:
            yield
        except schema.FOREIGN as error:
            raise schema.translate(error, verb, self.path) from error
        finally:
            if self._database.in_transaction:
                self._rollback()

    def _rollback(self) -> None:
        try:
            self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise schema.translate(error, "take back an append to", self.path) from error


def _place(drafts: Sequence[Draft], expected: int | None, head: int, last: str) -> Outcome:
    if expected is not None and expected != head:
        return JournalConflict(f"append after record {expected}: the journal is at {head}", head)
    records: list[Record] = []
    try:
        for draft in drafts:
            records.append(seal(draft, head + len(records) + 1, records[-1].hash if records else last))
    except JournalError as refused:
        return refused
    return tuple(records)


def row(record: Record) -> tuple[object, ...]:
    """A record as `INSERT` takes it."""
    keys = msgspec.json.encode(record.effect_keys).decode()
    prev, own = bytes.fromhex(record.prev_hash), bytes.fromhex(record.hash)
    return record.sequence, prev, own, record.kind, record.at, record.by, keys, record.body


def page(database: sqlite3.Connection, start: int, end: int) -> list[Record]:
    """The records of these sequences. Raises JournalBroken for one that does not read, and what the driver raises."""
    return [_record(row) for row in database.execute(_SELECT, (start, end))]


def _record(row: tuple[Any, ...]) -> Record:
    """A row as a record. A damaged row can hold any type in any column, whatever the schema says."""
    sequence, prev, own, kind, at, by, keys, body = row
    if not (type(prev) is type(own) is type(body) is bytes and type(keys) is str):
        raise JournalBroken(f"record {sequence} is not what was written: its columns have other types")
    try:
        effect_keys = msgspec.json.decode(keys, type=tuple[str, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalBroken(f"record {sequence} is not what was written: its effect keys do not read") from error
    return Record(
        sequence=sequence,
        prev_hash=prev.hex(),
        hash=own.hex(),
        kind=kind,
        at=at,
        by=by,
        body=body,
        effect_keys=effect_keys,
    )
