"""Detector state on disk: a cache beside the journal that shortens a restart, and is ignored whenever it is in doubt.

A checksum finds damage, not malice: who can write to this directory can hand the daemon any state, so it is private (0700).
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from detectors.events import Position
from monitor.errors import JournalError
from monitor.journal.schema import sync_directory

_MAGIC = b"seawall snapshot 1\n"
_KEEP = 2


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Detector state of one chain after `position`; `schema` names code and configuration it belongs to.

    `lineage` is the chain below it that was processed, down to what is final: known whatever made the state.
    """

    chain: str
    position: Position
    schema: str
    blob: bytes
    lineage: tuple[Position, ...] = ()


class _Header(msgspec.Struct, frozen=True):
    chain: str
    position: Position
    schema: str
    size: int
    lineage: tuple[Position, ...] = ()


def _log(problem: str) -> None:
    import structlog  # noqa: PLC0415 - a quiet start does not need it

    structlog.get_logger("snapshots").warning("snapshot_ignored", problem=problem)


class Snapshots:
    """The snapshots in one directory. `report` is told of each file that had to be ignored, and why."""

    def __init__(self, path: Path | str, report: Callable[[str], None] = _log) -> None:
        self.path = Path(path)
        self._report = report

    def save(self, chain: str, position: Position, schema: str, blob: bytes, lineage: tuple[Position, ...] = ()) -> None:
        """Keep it, whole or not at all, and forget all but the one before. Raises JournalError (disk full, read-only)."""
        header = msgspec.json.encode(_Header(chain, position, schema, len(blob), lineage))
        checksum = hashlib.sha256(header + b"\n" + blob).hexdigest().encode()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = self._files(chain)
            number = int(kept[0].stem.rpartition("-")[2]) + 1 if kept else 1
            target = self.path / f"{quote(chain, safe='')}-{number:012d}.snapshot"
            draft = target.with_suffix(".new")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines((_MAGIC, checksum, b"\n", header, b"\n", blob))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(target)
            sync_directory(self.path)
            for old in kept[_KEEP - 1 :]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"save a snapshot of {chain} in {self.path}: {error}; is the disk full or read-only?") from error

    def load(self, chain: str, schema: str | None) -> Snapshot | None:
        """The newest snapshot of this chain and schema (None: of any) that reads back whole, else None."""
        return next(self._valid(chain, schema), None)

    def _valid(self, chain: str, schema: str | None) -> Iterator[Snapshot]:
        for file in self._files(chain):
            try:
                snapshot = _decode(file.read_bytes())
            except (OSError, ValueError) as error:
                self._report(f"{file}: {error}")
                continue
            if snapshot.chain != chain:
                self._report(f"{file}: it is of {snapshot.chain}, not {chain}")
            elif schema is not None and snapshot.schema != schema:
                self._report(f"{file}: made by another version or configuration")
            else:
                yield snapshot

    def _files(self, chain: str) -> list[Path]:
        """Newest first."""
        name = quote(chain, safe="")
        found = (file for file in self.path.glob("*.snapshot") if file.stem.rpartition("-")[0] == name)
        return sorted((file for file in found if file.stem.rpartition("-")[2].isdecimal()), reverse=True)


def _decode(content: bytes) -> Snapshot:
    """Raises ValueError when it is cut, changed or no snapshot."""
    if not content.startswith(_MAGIC):
        raise ValueError("not a snapshot of this format")
    checksum, _, rest = content[len(_MAGIC) :].partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != checksum:
        raise ValueError("cut short or changed: its checksum does not fit")
    head, _, blob = rest.partition(b"\n")
    header = msgspec.json.decode(head, type=_Header)
    if header.size != len(blob):
        raise ValueError(f"cut short: {len(blob)} bytes of {header.size}")
    return Snapshot(chain=header.chain, position=header.position, schema=header.schema, blob=blob, lineage=header.lineage)
