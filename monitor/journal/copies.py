"""Reading a journal's file beside whoever writes it: from a copy, verified as the original would be, and thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import JournalBroken, JournalError
from monitor.journal.base import Record
from monitor.journal.sqlite import SqliteJournal

TRIES = 3
"""Copies made before a file counts as damaged: one taken while the writer tidied up does not verify."""


@contextmanager
def records_of(path: Path) -> Iterator[Iterator[Record]]:
    """Every record of the journal at `path`, oldest first. The daemon may be running; the file itself is not touched.

    Raises JournalError when there is none or it cannot be copied, JournalBroken when its chain does not verify.
    """
    if not path.is_file():
        raise JournalError(f"read {path}: there is no such journal; is the path that of journal.path?")
    with tempfile.TemporaryDirectory(prefix="seawall-journal-") as folder:
        for number in range(1, TRIES + 1):
            try:
                journal = _opened(path, Path(folder) / str(number))
            except JournalBroken:
                if number == TRIES:
                    raise
            else:
                break
        try:
            yield journal.read(1)
        finally:
            journal.close()


def _opened(path: Path, folder: Path) -> SqliteJournal:
    """A copy of it. The log first: what a checkpoint moves into the file meanwhile is then in both, and not in neither."""
    folder.mkdir()
    copy = folder / "journal.db"
    try:
        for end in ("-wal", ""):
            source = path.with_name(path.name + end)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + end))
    except OSError as error:
        raise JournalError(f"read {path}: it cannot be copied: {error.strerror or error}") from error
    return SqliteJournal.open(copy)
