"""The journal's file: its one table, the triggers that let it only grow, and how to tell it from any other file."""

import os
import sqlite3
from pathlib import Path

from monitor.errors import JournalBroken, JournalError
from monitor.journal import failpoints

FORMAT = 1
FOREIGN = (sqlite3.Error, OverflowError, UnicodeError)
"""What the driver raises: its own errors, a number or a text that does not fit, and text in a damaged file."""

_APPLICATION = 0x5EA3A11

_TABLES = {
    "journal": (
        "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, prev BLOB NOT NULL, hash BLOB NOT NULL, kind TEXT NOT NULL, "
        "at REAL NOT NULL, by TEXT NOT NULL, effect_keys TEXT NOT NULL, body BLOB NOT NULL) STRICT"
    ),
    "epoch": "CREATE TABLE epoch (epoch INTEGER PRIMARY KEY) STRICT",
}
_TRIGGERS = {
    f"{table}_no_{verb.lower()}": (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT raise(ABORT, 'the journal only grows: no {verb.lower()}'); END"
    )
    for table in _TABLES
    for verb in ("UPDATE", "DELETE")
}


def create(path: Path, epoch: int) -> None:
    """Make an empty journal. It takes its name only when it is whole, so a crash here leaves no half file.

    Raises JournalError when the directory cannot be written.
    """
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        database = sqlite3.connect(draft, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("BEGIN")
            for statement in (*_TABLES.values(), *_TRIGGERS.values()):
                database.execute(statement)
            database.execute("INSERT INTO epoch VALUES (?)", (epoch,))
            database.execute(f"PRAGMA application_id={_APPLICATION}")
            database.execute(f"PRAGMA user_version={FORMAT}")
            database.execute("COMMIT")
        finally:
            database.close()
        failpoints.reach("journal.made")
        draft.rename(path)
        sync_directory(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise translate(error, "create", path) from error


def sync_directory(directory: Path) -> None:
    """Make a rename in this directory survive a power loss."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def connect(path: Path) -> sqlite3.Connection:
    """A connection that no other process can share. Raises JournalError when the file is not a journal."""
    try:
        if path.stat().st_size == 0:
            raise JournalError(f"open {path}: the file is empty, so it is no journal; restore it, or remove it to start anew")
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    except (sqlite3.Error, OSError) as error:
        raise translate(error, "open", path) from error
    try:
        database.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        check(database, path)  # before anything that writes: it may be somebody else's database
        # INSERT OR REPLACE passes the DELETE trigger unless triggers are recursive.
        for pragma in ("journal_mode=WAL", "recursive_triggers=ON", "trusted_schema=OFF"):
            database.execute(f"PRAGMA {pragma}").fetchall()
    except FOREIGN as error:
        database.close()
        raise translate(error, "open", path) from error
    except JournalError:
        database.close()
        raise
    return database


def check(database: sqlite3.Connection, path: Path) -> None:
    """Is it a journal of ours, with every trigger in place? Raises JournalError or, when it was tampered with, JournalBroken."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION:
        raise JournalError(f"open {path}: a database, but not a Seawall journal; is journal.path right?")
    if version != FORMAT:
        raise JournalError(
            f"open {path}: journal format {version}, and this Seawall reads format {FORMAT}; use the one that wrote it"
        )
    found = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())
    for name in sorted(found.keys() ^ (_TABLES | _TRIGGERS).keys()):
        raise JournalBroken(f"open {path}: {name!r} was {'added to' if name in found else 'taken from'} the journal's schema")
    for name, sql in (_TABLES | _TRIGGERS).items():
        if found[name] != sql:
            raise JournalBroken(f"open {path}: {name!r} in the journal's schema was changed")


def epoch(database: sqlite3.Connection, path: Path) -> int:
    """The journal's incarnation. Raises JournalBroken unless there is exactly one."""
    rows = database.execute("SELECT epoch FROM epoch").fetchall()
    if len(rows) != 1:
        raise JournalBroken(f"open {path}: the journal names {len(rows)} epochs instead of one")
    return int(rows[0][0])


_ADVICE = {
    "SQLITE_FULL": "the disk is full; free some space, writes resume by themselves",
    "SQLITE_BUSY": "another process has the file open; stop it",
    "SQLITE_READONLY": "the file or its disk is read-only; make it writable",
    "SQLITE_CANTOPEN": "it cannot be opened; does the directory exist, and may this user write there?",
    "SQLITE_NOTADB": "it is not a database; is journal.path right?",
    "SQLITE_IOERR": "the disk failed or is full; look at the system log",
}
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_MISMATCH", "SQLITE_FORMAT")


def translate(error: Exception, verb: str, path: Path) -> JournalError:
    """Ours for a foreign error: what was attempted, on what, and what to do."""
    name = getattr(error, "sqlite_errorname", "")
    family = "_".join(name.split("_")[:2])
    text = f"{verb} {path}: {_ADVICE.get(family, 'it failed')} ({error})"
    # Text that is no UTF-8 carries no code.
    unreadable = isinstance(error, UnicodeError) or (isinstance(error, sqlite3.OperationalError) and not name)
    if family in _DAMAGED or unreadable:
        return JournalBroken(f"{verb} {path}: the file is damaged; keep it, and restore a copy that verifies ({error})")
    return JournalError(text)
