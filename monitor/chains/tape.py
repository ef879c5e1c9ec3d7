"""A tape: what the pure part was shown, in its merged order, and where its own decisions came back to it. Nothing else.

Gzipped JSON lines: a header, then one entry a line. Events are what `Judging.take` was given. Marks between them say when the
desk asked what follows from an event and when the answer was in the fold, because other events are judged while a record is on
its way to the disk (docs/decisions/006-tapes.md). A tape holds data, never code: detector state is not in it.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from detectors.events import (
    Block,
    Committed,
    Dropped,
    Gap,
    PoolState,
    Position,
    Price,
    Reverted,
    Tick,
    Transaction,
    Unjudged,
)
from detectors.execution import Execution
from monitor.breaker.machine import Breaker
from monitor.errors import TapeError

FORMAT, VERSION = "seawall.tape", 1

MOST_LINE = 256 * 1024 * 1024
"""Bytes of one line; a longer one is no tape of ours, whatever it unpacks to."""

_CHUNK = 256 * 1024
_GZIP = 31  # zlib's number for a gzip stream
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which Seawall and which configuration (by hash) recorded it, from when (unix seconds), and of what."""

    format: str = FORMAT
    version: int = VERSION
    seawall: str
    config: str
    started: float
    chains: tuple[str, ...]
    integrations: tuple[str, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """Something between events that the pure part must be told again at the same place. Events are numbered from 1."""


class Standing(Mark, frozen=True, kw_only=True):
    """The fold as it stood when recording began."""

    breakers: dict[str, Breaker]
    cursors: dict[str, Position]
    head: int


class Restored(Mark, frozen=True, kw_only=True):
    """A chain's detectors began fresh here, or (`position`) with the state saved after that block."""

    chain: str
    position: Position | None = None


class Saved(Mark, frozen=True, kw_only=True):
    """A chain's detector state after this block was kept here."""

    chain: str
    position: Position


class Settled(Mark, frozen=True, kw_only=True):
    """A feared transaction of an earlier life was found not to hurt."""

    chain: str
    tx: str
    how: str


class Proposed(Mark, frozen=True, kw_only=True):
    """Something followed from event `number`, and the desk is going to ask what."""

    number: int


class Asked(Mark, frozen=True, kw_only=True):
    """The desk asked here what follows from event `number`. Asked again, the first answer had lost a race."""

    number: int


class Written(Mark, frozen=True, kw_only=True):
    """This journal record entered the fold here. Between the last Asked and Done it is the answer; else it is someone else's."""

    kind: str
    body: msgspec.Raw


class Done(Mark, frozen=True, kw_only=True):
    """The answer to event `number` is in the fold; or the journal did not take it (`refused`)."""

    number: int
    refused: bool = False


class Truncated(Mark, frozen=True, kw_only=True):
    """The last line of a tape that could not take what came next."""

    reason: str


class End(Mark, frozen=True, kw_only=True):
    """The last line of a whole tape: so many entries stand before it."""

    entries: int


Recorded = (
    Block | Transaction | Dropped | PoolState | Price | Committed | Reverted | Gap | Unjudged | Tick | Execution
)  # fmt: skip
"""Every kind of event there is."""

Entry = Recorded | Standing | Restored | Saved | Settled | Proposed | Asked | Written | Done | Truncated | End


class _Kind(msgspec.Struct, frozen=True):
    """As much of a header as any version has."""

    format: str
    version: int


_kind = msgspec.json.Decoder(_Kind)
_header = msgspec.json.Decoder(Header)
_entry = msgspec.json.Decoder(Entry)


class Tape:
    """A tape being read. Iterate it once, inside `with`; `ended` then says how it ended, "" for a whole one.

    A tape whose writer was killed has a last line missing or cut: what came before is given, and `ended` says so. Anything
    else that does not read back raises TapeError with the line.
    """

    def __init__(self, path: Path, most_line: int = MOST_LINE) -> None:
        self.path = path
        self.most_line = most_line
        self.header = Header(seawall="", config="", started=0.0, chains=(), integrations=())
        self.ended = "not read to its end"
        self.size = 0
        self.position = 0
        """Compressed bytes, and how many of them have been read."""

    def __enter__(self) -> Self:
        """Open it and read its header. Raises TapeError when it is no tape."""
        try:
            self._file = self.path.open("rb")
            self.size = self.path.stat().st_size
        except OSError as error:
            raise TapeError(f"read {self.path}: {error.strerror}") from error
        self._lines = self._unpacked()
        try:
            self.header = self._read_header()
        except TapeError:
            self._file.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in order, without the closing line."""
        count = 0
        for number, (line, whole) in enumerate(self._lines, 2):
            if not whole:
                self.ended = f"cut off in line {number}: its writer was stopped; what came before is whole"
                return
            try:
                entry = _entry.decode(line)
            except _UNREADABLE as error:
                raise TapeError(f"read {self.path}: line {number} is damaged: {error}") from error
            if isinstance(entry, Truncated):
                self.ended = f"truncated while recording: {entry.reason}"
                return
            if isinstance(entry, End):
                if entry.entries != count:
                    raise TapeError(f"read {self.path}: {count:,} entries where its last line counts {entry.entries:,}")
                if next(self._lines, None) is not None:  # which also reads on to the checksum
                    raise TapeError(f"read {self.path}: something stands behind its end")
                self.ended = ""
                return
            count += 1
            yield entry
        self.ended = f"cut off after line {count + 1}: its writer was stopped; what came before is whole"

    def _read_header(self) -> Header:
        foreign = f"read {self.path}: not a tape of Seawall's (`seawall record` makes one)"
        try:
            line, _ = next(self._lines)
            kind = _kind.decode(line)
        except StopIteration:
            raise TapeError(f"read {self.path}: empty") from None
        except (TapeError, *_UNREADABLE) as error:
            raise TapeError(foreign) from error
        if kind.format != FORMAT:
            raise TapeError(foreign)
        if kind.version != VERSION:
            known = f"tape version {kind.version}, known here is {VERSION}"
            raise TapeError(f"read {self.path}: {known}; use the Seawall that made it")
        try:
            return _header.decode(line)
        except _UNREADABLE as error:
            raise TapeError(f"read {self.path}: its header is damaged: {error}") from error

    def _unpacked(self) -> Iterator[tuple[bytes, bool]]:
        """Lines with whether each is whole; only the last can be not. No more than one line and a chunk is held."""
        unpacker, parts, held = zlib.decompressobj(_GZIP), list[bytes](), 0
        while chunk := unpacker.unconsumed_tail or self._file.read(_CHUNK):
            self.position = self._file.tell()
            try:
                data = unpacker.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise TapeError(f"read {self.path}: damaged near byte {self.position:,}: {error}") from error
            *lines, last = data.split(b"\n")
            for line in lines:
                yield b"".join((*parts, line)), True
                parts, held = [], 0
            parts.append(last)
            held += len(last)
            if held > self.most_line:
                raise TapeError(f"read {self.path}: a line longer than {self.most_line:,} bytes")
            if unpacker.unused_data or (unpacker.eof and self.position < self.size):
                raise TapeError(f"read {self.path}: something stands behind its end")
        if held:
            yield b"".join(parts), False
