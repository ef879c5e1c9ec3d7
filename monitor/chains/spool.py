"""One file of a tape: whole lines out of a gzip stream, as far as it goes, without holding more than one of them."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from monitor.errors import TapeError

FORMAT, VERSION = "seawall.tape", 1

CHUNK = 256 * 1024
GZIP = 31  # zlib's number for a gzip stream
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which Seawall and which configuration (by hash) recorded it, from when (unix seconds), and of what.

    `part` of how many is not known: a tape that is kept in several files is a chain of them, each naming the next at its end.
    `set` is the same in all of them.
    """

    format: str = FORMAT
    version: int = VERSION
    seawall: str
    config: str
    started: float
    chains: tuple[str, ...]
    integrations: tuple[str, ...]
    part: int = 1
    set: str = ""


class _Kind(msgspec.Struct, frozen=True):
    """As much of a header as any version has."""

    format: str
    version: int


_kind = msgspec.json.Decoder(_Kind)
_header = msgspec.json.Decoder(Header)


class NoHeader(TapeError):
    """Not one whole line: made, and its writer stopped before it wrote anything; or no tape."""


class Spool:
    """A file being read: `header`, then `lines`. `size` and `position` are compressed bytes. Raises TapeError for no tape."""

    def __init__(self, path: Path, most_line: int) -> None:
        self.path = path
        self.most_line = most_line
        self.position = 0
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise TapeError(f"read {path}: {error.strerror}") from error
        self.lines = self._unpacked()
        try:
            self.header = self._read_header()
        except TapeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def ends(self) -> None:
        """Read on to the checksum. Raises TapeError when something stands behind the last line, or it does not fit."""
        if next(self.lines, None) is not None:
            raise TapeError(f"read {self.path}: something stands behind its end")

    def _read_header(self) -> Header:
        foreign = f"read {self.path}: not a tape of Seawall's (`seawall record` makes one)"
        try:
            line, whole = next(self.lines, (b"", False))
            kind = _kind.decode(line) if whole else None
        except (TapeError, *UNREADABLE) as error:
            raise TapeError(foreign) from error
        if kind is None:
            raise NoHeader(foreign if line else f"read {self.path}: empty")
        if kind.format != FORMAT:
            raise TapeError(foreign)
        if kind.version != VERSION:
            known = f"tape version {kind.version}, known here is {VERSION}"
            raise TapeError(f"read {self.path}: {known}; use the Seawall that made it")
        try:
            return _header.decode(line)
        except UNREADABLE as error:
            raise TapeError(f"read {self.path}: its header is damaged: {error}") from error

    def _unpacked(self) -> Iterator[tuple[bytes, bool]]:
        """Lines with whether each is whole; only the last can be not. No more than one line and a chunk is held."""
        unpacker, parts, held = zlib.decompressobj(GZIP), list[bytes](), 0
        while chunk := unpacker.unconsumed_tail or self._file.read(CHUNK):
            self.position = self._file.tell()
            try:
                data = unpacker.decompress(chunk, CHUNK)
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
