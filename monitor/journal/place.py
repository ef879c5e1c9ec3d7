"""The journal's place on disk: who may write there, and which journal belongs there.

A journal that vanished, or an older copy put back, would silently forget holds; the mark beside the file makes it say so.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

import msgspec

from monitor.errors import JournalError
from monitor.journal import failpoints
from monitor.journal.schema import sync_directory


class Lock:
    """The right to write to one journal, held until released or the process ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take it now. Raises JournalError when another process has it or the directory cannot be written."""
        beside = path.with_name(path.name + ".lock")
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"open {path}: cannot write beside it ({error}); does the directory exist, and may we write?"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise JournalError(
                f"open {path}: another Seawall (process {holder}) is using it; one journal serves one daemon"
            ) from error
        with contextlib.suppress(OSError):  # a full disk costs the next one our name, not us the lock
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Let another process have it. The file stays: removing it would let two processes hold two different locks."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Mark(msgspec.Struct, frozen=True):
    """Which journal belongs here and how far it is known to have come; epoch 0 where there never was one."""

    epoch: int
    sequence: int

    @staticmethod
    def file(path: Path) -> Path:
        """Where the mark of this journal is kept."""
        return path.with_name(path.name + ".epoch")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The mark beside this journal. Raises JournalError when there is one that cannot be read."""
        beside = cls.file(path)
        try:
            return msgspec.json.decode(beside.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls(0, 0)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalError(
                f"open {path}: {beside} cannot be read ({error}); remove it if the journal is the right one"
            ) from error

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all. Raises JournalError."""
        beside = self.file(path)
        draft = beside.with_name(beside.name + ".new")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(self))
                file.flush()
                os.fsync(file.fileno())
            failpoints.reach("mark.drafted")
            draft.rename(beside)
            failpoints.reach("mark.renamed")
            sync_directory(path.parent)
        except OSError as error:
            raise JournalError(f"write {beside}: {error}; is the disk full or read-only?") from error

    def refuse_missing(self, path: Path) -> None:
        """Raises JournalError where a journal once was: starting over in silence would forget every hold."""
        if self.epoch:
            raise JournalError(
                f"open {path}: the journal is missing, and {self.file(path)} says there was one (epoch {self.epoch}, "
                f"{self.sequence} records); restore it, or remove that file to start over with no holds"
            )

    def refuse_other(self, path: Path, epoch: int, head: int) -> None:
        """Raises JournalError for another journal than the one that was here, or an older copy of it."""
        if self.epoch and (epoch != self.epoch or head < self.sequence):
            raise JournalError(
                f"open {path}: expected epoch {self.epoch} with at least {self.sequence} records and found epoch {epoch} with "
                f"{head}: an older or another copy; restore the right one, or remove {self.file(path)} to accept this one"
            )
