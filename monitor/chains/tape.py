"""A tape: what the pure part was shown, in its merged order, and where its own decisions came back to it. Nothing else.

Gzipped JSON lines: a header, then one entry a line. Events are what `Judging.take` was given. Marks between them say when the
desk asked what follows from an event and when the answer was in the fold, because other events are judged while a record is on
its way to the disk (docs/decisions/006-tapes.md). A tape holds data, never code: detector state is not in it. It may be kept in
several files, each of which names the next at its end.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from detectors.events import (
    Block,
    Committed,
    Dropped,
    Gap,
    PartyList,
    PoolState,
    Position,
    Price,
    Reverted,
    Tick,
    Transaction,
    Unjudged,
)
from detectors.execution import Execution
from detectors.execution.reruns import Rerun
from monitor.breaker.machine import Breaker
from monitor.chains.spool import FORMAT, UNREADABLE, VERSION, Header, NoHeader, Spool
from monitor.errors import TapeError

__all__ = ["FORMAT", "MOST_LINE", "VERSION", "Entry", "Header", "Mark", "Recorded", "Tape"]

MOST_LINE = 256 * 1024 * 1024
"""Bytes of one line; a longer one is no tape of ours, whatever it unpacks to."""


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


class Continued(Mark, frozen=True, kw_only=True):
    """The last line of a file whose tape goes on in `next`, a name beside it: so many entries stand before it, all files told."""

    next: str
    entries: int


class End(Mark, frozen=True, kw_only=True):
    """The last line of a whole tape: so many entries stand before it, all files told."""

    entries: int


Recorded = (
    Block | Transaction | Dropped | PoolState | Price | Committed | Reverted | Gap | Unjudged
    | PartyList | Rerun | Tick | Execution
)  # fmt: skip
"""Every kind of event there is."""

Entry = Recorded | Standing | Restored | Saved | Settled | Proposed | Asked | Written | Done | Truncated | Continued | End

_entry = msgspec.json.Decoder(Entry)


class Tape:
    """A tape being read. Iterate it once, inside `with`; `ended` then says how it ended, "" for a whole one.

    A tape whose writer was killed has a last line missing or cut: what came before is given, and `ended` says so. Anything
    else that does not read back raises TapeError with the line. A tape of several files is begun with the first.
    """

    def __init__(self, path: Path, most_line: int = MOST_LINE) -> None:
        self.path = path
        self.most_line = most_line
        self.header = Header(seawall="", config="", started=0.0, chains=(), integrations=())
        self.ended = "not read to its end"
        self.files = 0
        """How many have been opened so far."""
        self._read = 0
        self._count = 0

    @property
    def size(self) -> int:
        """Compressed bytes of all files that are known so far."""
        return self._read + self._spool.size

    @property
    def position(self) -> int:
        """How many of them have been read."""
        return self._read + self._spool.position

    def __enter__(self) -> Self:
        """Open it and read its header. Raises TapeError when it is no tape, or not the first file of one."""
        self._spool = self._opened(self.path)
        self.header = self._spool.header
        if self.header.part != 1:
            self._spool.close()
            raise TapeError(f"read {self.path}: file {self.header.part} of a tape; name its first one, the others are found")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self._spool.close()

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in order, without the closing lines."""
        following: str | None = self.path.name
        while following is not None:
            following = yield from self._entries()
            if following is not None and not self._turn(following):
                return

    def _opened(self, path: Path) -> Spool:
        self.files += 1
        return Spool(path, self.most_line)

    def _turn(self, name: str) -> bool:
        """Go on with the file of that name, beside this one. False when it is not there: the tape ends here, and says so."""
        part, path = self._spool.header.part + 1, self.path.with_name(Path(name).name)
        if not path.exists():
            self.ended = f"cut off after file {part - 1}: {path.name}, where it goes on, is not there"
            return False
        done = self._spool
        try:
            self._spool = self._opened(path)
        except NoHeader:
            self.ended = f"cut off after file {part - 1}: nothing was written to {path.name} before its writer was stopped"
            return False
        done.close()
        self._read += done.size
        if (self._spool.header.set, self._spool.header.part) != (self.header.set, part):
            raise TapeError(f"read {path}: not file {part} of the tape that begins with {self.path.name}")
        return True

    def _entries(self) -> Generator[Entry, None, str | None]:
        """Those of one file. The name of the next one, None when there is none."""
        spool = self._spool
        where, number = f"{spool.path.name} in " if self.files > 1 else "", 1
        for number, (line, whole) in enumerate(spool.lines, 2):
            if not whole:
                self.ended = f"cut off {where or 'in '}line {number}: its writer was stopped; what came before is whole"
                return None
            try:
                entry = _entry.decode(line)
            except UNREADABLE as error:
                raise TapeError(f"read {spool.path}: line {number} is damaged: {error}") from error
            if isinstance(entry, Truncated):
                self.ended = f"truncated while recording: {entry.reason}"
                return None
            if isinstance(entry, End | Continued):
                if entry.entries != self._count:
                    raise TapeError(f"read {spool.path}: {self._count:,} entries where its last line counts {entry.entries:,}")
                spool.ends()
                self.ended = ""
                return entry.next if isinstance(entry, Continued) else None
            self._count += 1
            yield entry
        self.ended = f"cut off {where or 'after '}line {number}: its writer was stopped; what came before is whole"
        return None
