"""What is owed, and what was told, survives a crash: an outbox in SQLite, and one in memory for those who need no more."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from alerts.base import Notification
from alerts.group import Incident

KEPT = 10_000
"""Delivered and dead entries remembered, newest first: a second submission of one of them is recognised and ignored."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    notification TEXT NOT NULL, receiver TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0, made REAL NOT NULL, why TEXT NOT NULL DEFAULT '', body BLOB NOT NULL,
    PRIMARY KEY (notification, receiver));
CREATE INDEX IF NOT EXISTS outbox_by_state ON outbox (state);
CREATE TABLE IF NOT EXISTS incidents (key TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS told (journal TEXT PRIMARY KEY, mark INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS remarks (receiver TEXT, incident TEXT, remark TEXT NOT NULL, PRIMARY KEY (receiver, incident));
"""

REMARKS = 1000
"""Remarks kept for a receiver, newest."""


class OutboxError(Exception):
    """The outbox could not write or read; the text says on which file and why."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One notification for one receiver. `made` is when it was submitted (unix seconds), `attempts` how often it failed.

    `instead`: the receiver it was meant for gave up on it, and this one is told in its place.
    """

    notification: Notification
    receiver: str
    made: float
    attempts: int = 0
    instead: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How far telling has come: open incidents by key (None: it has ended), and the last record told of which journal.

    `mark` is that record's sequence; everything up to it was told or needed no telling. None: nothing is known of the journal.
    """

    incidents: Mapping[str, Incident | None] = {}
    journal: str = ""
    mark: int | None = None


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """An entry given up, and why."""

    entry: Entry
    why: str


class Outbox(Protocol):
    """Where entries wait. All methods are synchronous, safe to call from any thread, and raise OutboxError only.

    `unreadable` counts entries that reading had to pass over (written by another version, or damaged); they stay where they are.
    """

    unreadable: int

    def put(self, entries: Sequence[Entry], told: Told | None = None) -> list[Entry]:
        """Take entries, and how far telling has come with them, all or nothing and durably; entries not seen before come back."""

    def told(self, journal: str) -> Told:
        """How far telling had come with this journal, and the incidents that are open."""

    def remarks(self, receiver: str) -> dict[str, str]:
        """What this receiver's deliveries came back with, by incident, the newest of each."""

    def failed(self, entry: Entry) -> None:
        """Note how many attempts the entry has behind it."""

    def delivered(self, entry: Entry, remark: str = "") -> None:
        """The receiver has it; `remark` is what it came back with."""

    def bury(self, entry: Entry, why: str) -> None:
        """Give it up, and keep it as a dead letter."""

    def pending(self) -> list[Entry]:
        """What is still to be delivered, oldest first."""

    def dead(self) -> list[Dead]:
        """The dead letters, newest first."""

    def close(self) -> None:
        """Let go of the file."""


class SqliteOutbox:
    """An outbox in one SQLite file (WAL, synchronous FULL): what `put` returned from is there after kill -9 or power loss."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self.unreadable = 0

    def put(self, entries: Sequence[Entry], told: Told | None = None) -> list[Entry]:
        """Take entries and what was told in one transaction: an incident is never known as told that nobody is owed."""
        new = []
        with self._transaction("keep a notification") as db:
            for entry in entries:
                row = (entry.notification.id, entry.receiver, entry.made, msgspec.json.encode(entry.notification))
                sql = "INSERT OR IGNORE INTO outbox (notification, receiver, made, body) VALUES (?, ?, ?, ?)"
                if db.execute(sql, row).rowcount:
                    new.append(entry)
            if told is not None:
                self._keep(db, told)
        return new

    def told(self, journal: str) -> Told:
        """Read it; an incident that cannot be read is passed over and counted."""
        with self._transaction("read what was told") as db:
            rows = db.execute("SELECT key, body FROM incidents ORDER BY rowid").fetchall()
            mark = db.execute("SELECT mark FROM told WHERE journal = ?", (journal,)).fetchone()
        known: dict[str, Incident | None] = {}
        for key, body in rows:
            try:
                known[key] = msgspec.json.decode(body, type=Incident)
            except msgspec.MsgspecError:
                self.unreadable += 1
        return Told(incidents=known, journal=journal, mark=mark[0] if mark is not None else None)

    def remarks(self, receiver: str) -> dict[str, str]:
        """Read them, oldest first."""
        with self._transaction("read what receivers said") as db:
            sql = "SELECT incident, remark FROM remarks WHERE receiver = ? ORDER BY rowid"
            return dict(db.execute(sql, (receiver,)).fetchall())

    def failed(self, entry: Entry) -> None:
        """Write the number of attempts."""
        self._set(entry, "pending", "")

    def delivered(self, entry: Entry, remark: str = "") -> None:
        """Mark it delivered, and keep the remark of an incident that is not over."""
        self._set(entry, "delivered", "", remark)

    def bury(self, entry: Entry, why: str) -> None:
        """Mark it dead."""
        self._set(entry, "dead", why)

    def pending(self) -> list[Entry]:
        """Read what waits."""
        return [entry for entry, _ in self._read("pending", "rowid")]

    def dead(self) -> list[Dead]:
        """Read the dead letters."""
        return [Dead(entry=entry, why=why) for entry, why in self._read("dead", "rowid DESC")]

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _keep(self, db: sqlite3.Connection, told: Told) -> None:
        for key, incident in told.incidents.items():
            db.execute("DELETE FROM incidents WHERE key = ?", (key,))
            if incident is not None:
                db.execute("INSERT INTO incidents VALUES (?, ?)", (key, msgspec.json.encode(incident)))
        if told.mark is not None:
            db.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (told.journal, told.mark))

    def _remark(self, db: sqlite3.Connection, entry: Entry, remark: str) -> None:
        incident = entry.notification.incident
        db.execute("DELETE FROM remarks WHERE receiver = ? AND incident = ?", (entry.receiver, incident))
        if not entry.notification.resolved:
            db.execute("INSERT INTO remarks VALUES (?, ?, ?)", (entry.receiver, incident, remark))
        older = "SELECT rowid FROM remarks WHERE receiver = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?"
        db.execute(f"DELETE FROM remarks WHERE rowid IN ({older})", (entry.receiver, REMARKS))  # noqa: S608 — a constant

    def _set(self, entry: Entry, state: str, why: str, remark: str = "") -> None:
        with self._transaction(f"mark a notification {state}") as db:
            row = (state, entry.attempts, why, entry.notification.id, entry.receiver)
            db.execute("UPDATE outbox SET state = ?, attempts = ?, why = ? WHERE notification = ? AND receiver = ?", row)
            if state != "pending":
                newest = "SELECT rowid FROM outbox WHERE state = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?"
                db.execute(f"DELETE FROM outbox WHERE rowid IN ({newest})", (state, KEPT))  # noqa: S608 — both parts are constants
            if remark and entry.notification.incident:
                self._remark(db, entry, remark)

    def _read(self, state: str, order: str) -> list[tuple[Entry, str]]:
        sql = f"SELECT receiver, made, attempts, why, body FROM outbox WHERE state = ? ORDER BY {order}"  # noqa: S608 — constants
        with self._transaction("read the outbox") as db:
            rows = db.execute(sql, (state,)).fetchall()
        found = []
        for to, made, attempts, why, body in rows:
            try:
                told = msgspec.json.decode(body, type=Notification)
            except msgspec.MsgspecError:
                self.unreadable += 1
                continue
            found.append((Entry(notification=told, receiver=to, made=made, attempts=attempts), why))
        return found

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Commit on success, roll back otherwise, and say what was attempted in our own words."""
        with self._lock:
            try:
                db = self._connection()
                with db:
                    yield db
            except sqlite3.Error as error:
                raise OutboxError(f"{self._path}: could not {doing} ({error})") from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            db = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            self._open = db
        return self._open


class MemoryOutbox:
    """An outbox that forgets with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], Entry] = {}
        self._done: dict[tuple[str, str], None] = {}
        self._dead: deque[Dead] = deque(maxlen=KEPT)
        self._told: dict[str, Incident] = {}
        self._marks: dict[str, int] = {}
        self._remarks: dict[tuple[str, str], str] = {}
        self.unreadable = 0

    def put(self, entries: Sequence[Entry], told: Told | None = None) -> list[Entry]:
        """Take what is new."""
        with self._lock:
            if told is not None:
                kept = self._told | dict(told.incidents)
                self._told = {key: one for key, one in kept.items() if one is not None}
                self._marks |= {} if told.mark is None else {told.journal: told.mark}
            new = [entry for entry in entries if _name(entry) not in self._waiting and _name(entry) not in self._done]
            self._waiting |= {_name(entry): entry for entry in new}
            return new

    def failed(self, entry: Entry) -> None:
        """Keep the number of attempts."""
        with self._lock:
            self._waiting[_name(entry)] = entry

    def told(self, journal: str) -> Told:
        """As it was last put."""
        with self._lock:
            return Told(incidents=dict(self._told), journal=journal, mark=self._marks.get(journal))

    def remarks(self, receiver: str) -> dict[str, str]:
        """Those kept, oldest first."""
        with self._lock:
            return {incident: remark for (to, incident), remark in self._remarks.items() if to == receiver}

    def delivered(self, entry: Entry, remark: str = "") -> None:
        """Forget its body."""
        name = (entry.receiver, entry.notification.incident)
        with self._lock:
            self._finish(entry)
            if remark and name[1]:
                self._remarks.pop(name, None)
                self._remarks |= {} if entry.notification.resolved else {name: remark}
            while len(self._remarks) > REMARKS:
                del self._remarks[next(iter(self._remarks))]

    def bury(self, entry: Entry, why: str) -> None:
        """Keep it among the dead."""
        with self._lock:
            self._finish(entry)
            self._dead.append(Dead(entry=entry, why=why))

    def pending(self) -> list[Entry]:
        """What waits, oldest first."""
        with self._lock:
            return list(self._waiting.values())

    def dead(self) -> list[Dead]:
        """The dead letters, newest first."""
        with self._lock:
            return list(reversed(self._dead))

    def close(self) -> None:
        """Nothing is held."""

    def _finish(self, entry: Entry) -> None:
        self._waiting.pop(_name(entry), None)
        self._done[_name(entry)] = None
        while len(self._done) > KEPT:
            del self._done[next(iter(self._done))]


def _name(entry: Entry) -> tuple[str, str]:
    return entry.notification.id, entry.receiver
