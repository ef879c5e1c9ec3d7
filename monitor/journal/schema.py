"""The journal's file: its one table, the triggers that let it only grow, and how to tell it from any other file."""

import os
import sqlite3
from pathlib import Path

from monitor.errors import JournalBroken, JournalError
from monitor.journal import failpoints

FORMAT = 2
"""1 had no base: nothing could be archived. It is made into 2 where it lies, in one transaction, when the daemon opens it."""

FOREIGN = (sqlite3.Error, OverflowError, UnicodeError)
"""What the driver raises: its own errors, a number or a text that does not fit, and text in a damaged file."""

_APPLICATION = 0x5EA3A11

_TABLES = {
    "journal": (
        "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, prev BLOB NOT NULL, hash BLOB NOT NULL, kind TEXT NOT NULL, "
        "at REAL NOT NULL, by TEXT NOT NULL, effect_keys TEXT NOT NULL, body BLOB NOT NULL) STRICT"
    ),
    "epoch": "CREATE TABLE epoch (epoch INTEGER PRIMARY KEY) STRICT",
    "base": "CREATE TABLE base (sequence INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT",
}
_TRIGGERS = {
    f"{table}_no_{verb.lower()}": (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT raise(ABORT, 'the journal only grows: no {verb.lower()}'); END"
    )
    for table in _TABLES
    for verb in ("UPDATE", "DELETE")
}
_SCHEMAS = {
    1: {name: sql for name, sql in (_TABLES | _TRIGGERS).items() if name.partition("_")[0] != "base"},
    2: _TABLES | _TRIGGERS,
}
"""What is in the file, by its format."""


def create(path: Path, epoch: int) -> None:
    """Make an empty journal. It takes its name only when it is whole, so a crash here leaves no half file.

    Raises JournalError when the directory cannot be written.
    """
    try:
        draft = make(path, epoch)
        failpoints.reach("journal.made")
        draft.rename(path)
        sync_directory(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise translate(error, "create", path) from error


def make(path: Path, epoch: int, version: int = FORMAT) -> Path:
    """An empty journal under a draft's name beside the path. Raises sqlite3.Error or OSError."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    database = sqlite3.connect(draft, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("BEGIN")
        for statement in _SCHEMAS[version].values():
            database.execute(statement)
        database.execute("INSERT INTO epoch VALUES (?)", (epoch,))
        database.execute(f"PRAGMA application_id={_APPLICATION}")
        database.execute(f"PRAGMA user_version={version}")
        database.execute("COMMIT")
    finally:
        database.close()
    return draft


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
        found = check(database, path)  # before anything that writes: it may be somebody else's database
        # INSERT OR REPLACE passes the DELETE trigger unless triggers are recursive.
        for pragma in ("journal_mode=WAL", "recursive_triggers=ON", "trusted_schema=OFF"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        _migrate(database, found)
    except FOREIGN as error:
        database.close()
        raise translate(error, "open", path) from error
    except JournalError:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection, found: int) -> None:
    """Make an older format the present one: all of it or nothing. No record changes, so no hash does."""
    if found == FORMAT:
        return
    database.execute("PRAGMA synchronous=FULL")
    database.execute("BEGIN IMMEDIATE")
    for name in _SCHEMAS[FORMAT].keys() - _SCHEMAS[found].keys() & _TABLES.keys():
        database.execute(_SCHEMAS[FORMAT][name])
    for name in _SCHEMAS[FORMAT].keys() - _SCHEMAS[found].keys() & _TRIGGERS.keys():
        database.execute(_SCHEMAS[FORMAT][name])
    database.execute(f"PRAGMA user_version={FORMAT}")
    database.execute("COMMIT")


def check(database: sqlite3.Connection, path: Path) -> int:
    """Is it a journal of ours, with every trigger in place? Its format. Raises JournalError; JournalBroken if tampered with."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if application != _APPLICATION:
        raise JournalError(f"open {path}: a database, but not a Seawall journal; is journal.path right?")
    if version not in _SCHEMAS:
        raise JournalError(
            f"open {path}: journal format {version}, and this Seawall reads formats up to {FORMAT}; use the one that wrote it"
        )
    wanted = _SCHEMAS[version]
    found = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())
    for name in sorted(found.keys() ^ wanted.keys()):
        raise JournalBroken(f"open {path}: {name!r} was {'added to' if name in found else 'taken from'} the journal's schema")
    for name, sql in wanted.items():
        if found[name] != sql:
            raise JournalBroken(f"open {path}: {name!r} in the journal's schema was changed")
    return version


def base(database: sqlite3.Connection, path: Path, version: int = FORMAT) -> tuple[int, str] | None:
    """Sequence and hash of the last record that was archived, None where all are here. Raises JournalBroken."""
    rows = database.execute("SELECT sequence, hash FROM base").fetchall() if version > 1 else []
    if len(rows) > 1 or any(type(sequence) is not int or type(own) is not bytes for sequence, own in rows):
        raise JournalBroken(f"open {path}: the journal's base is not what was written")
    return (rows[0][0], rows[0][1].hex()) if rows else None


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
