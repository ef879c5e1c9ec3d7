"""Room on the disk taken in advance: pauses that the journal refused are set aside here, to outlive a crash on a full disk.

Beside `journal.db` lies `journal.db.reserve`, 256 KiB that are written once at the start and only overwritten afterwards, which
needs no new space. Of its two halves, each whole or not there (generation, length, SHA-256), the older is overwritten: a crash in
between leaves the newer. What is set aside is written to the journal as soon as that takes it, then forgotten here.
"""

import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from monitor.errors import JournalError
from monitor.journal import failpoints
from monitor.journal.schema import sync_directory

HALF = 128 * 1024
_MAGIC = b"seawall1"
_HEAD = len(_MAGIC) + 8 + 4 + 32
_entries = msgspec.json.Decoder(list[msgspec.Raw])


class Reserve:
    """The file, opened with `Reserve.open`. One process at a time uses it, the one that holds the journal's lock."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._generation, self._kept = max(map(self._half, (0, 1)))

    @classmethod
    def open(cls, journal: Path | str) -> Self:
        """Open the reserve of this journal, or take the room for it. Raises JournalError when the disk has none."""
        journal = Path(journal)
        path = journal.with_name(journal.name + ".reserve")
        try:
            if not path.exists() or path.stat().st_size != 2 * HALF:
                _take(path)
            return cls(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            raise JournalError(
                f"open {path}: no room in advance ({error.strerror}): a pause on a full disk would not outlive a crash"
            ) from error

    @property
    def kept(self) -> list[bytes]:
        """What was set aside last, oldest first."""
        return list(self._kept)

    def keep(self, entries: Sequence[bytes]) -> int:
        """Set these JSON values aside instead of what was before, and wait for the disk; how many, from the first, had room.

        Raises JournalError when the disk failed; what was set aside before is then still there.
        """
        kept = list(entries)
        while len(body := zlib.compress(b"[" + b",".join(kept) + b"]", 1)) > HALF - _HEAD:
            kept = kept[: len(kept) * 3 // 4]
        generation = self._generation + 1
        stamp = generation.to_bytes(8, "big") + len(body).to_bytes(4, "big")
        half = _MAGIC + stamp + hashlib.sha256(stamp + body).digest() + body
        try:
            os.pwrite(self._handle, half, HALF * (generation % 2))
            failpoints.reach("reserve.written")
            os.fdatasync(self._handle)
        except OSError as error:
            raise JournalError(f"write {self.path}: {error.strerror}; pauses are in memory alone") from error
        failpoints.reach("reserve.kept")
        self._generation, self._kept = generation, kept
        return len(kept)

    def close(self) -> None:
        """Give it back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _half(self, number: int) -> tuple[int, list[bytes]]:
        """Generation and entries of one half; generation 0 where it holds nothing whole."""
        raw = os.pread(self._handle, HALF, HALF * number)
        stamp, check = raw[len(_MAGIC) : len(_MAGIC) + 12], raw[len(_MAGIC) + 12 : _HEAD]
        body = raw[_HEAD : _HEAD + int.from_bytes(stamp[8:], "big")]
        if not raw.startswith(_MAGIC) or hashlib.sha256(stamp + body).digest() != check:
            return 0, []
        return int.from_bytes(stamp[:8], "big"), [bytes(entry) for entry in _entries.decode(zlib.decompress(body))]


def _take(path: Path) -> None:
    """Write every byte once, so that overwriting needs no space."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(b"\0" * 2 * HALF)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        sync_directory(path.parent)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
