"""What a journal is: drafts become records, each sealed with the hash of the one before it, appended only where expected.

State is a fold over the records, so a restart, a replica and a replay arrive at the same flags. A record's hash covers its
sequence, kind, time, author, effect keys, body and the hash before it; the first record's predecessor is made of the epoch,
so a row of another journal never fits.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from monitor.errors import JournalBroken, JournalError

T = TypeVar("T")

_json = msgspec.json.Encoder(order="deterministic")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be recorded: a decision, a hold, an override, a receipt, a cursor.

    `at` is unix seconds, `by` who did it (`policy:default`, `human:alice`), `body` canonical JSON (see `encode`). A draft that
    can be derived again (a cursor) says `durable=False` and may be lost with the power, never with the process alone.
    `effect_keys` name the side effects it allows, so that whoever carries them out can do so once.
    """

    kind: str
    at: float
    by: str
    body: bytes
    durable: bool = True
    effect_keys: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A draft in its place. Sequences start at 1 and have no gap; hashes are hex SHA-256."""

    sequence: int
    prev_hash: str
    hash: str
    kind: str
    at: float
    by: str
    body: bytes
    effect_keys: tuple[str, ...] = ()

    def read(self, type_: type[T]) -> T:
        """The body as a value of this type. Raises JournalError naming the record when it does not fit."""
        try:
            return msgspec.json.decode(self.body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise JournalError(f"journal record {self.sequence} ({self.kind}) is not a {type_.__name__}: {error}") from error


class Verified(msgspec.Struct, frozen=True):
    """What a verification saw: the sequence of the last record (archived ones count), and its hash (the epoch's without one)."""

    records: int
    hash: str


Request = tuple[Sequence[Draft], int | None]
"""Drafts to append together, and the head they were decided on (None: any)."""

Outcome = tuple[Record, ...] | JournalError
"""The records a request became, or why it alone was refused (a JournalConflict, or a draft that cannot be written)."""


class Journal(Protocol):
    """One append-only log. Calls block for about a commit; the daemon makes them through `AsyncJournal`."""

    @property
    def epoch(self) -> int:
        """Which incarnation of the journal this is; a later one has a higher number. Readers order by (epoch, sequence)."""

    @property
    def head(self) -> int:
        """Sequence of the newest record, 0 when empty."""

    def append(self, drafts: Sequence[Draft], expected: int | None) -> tuple[Record, ...]:
        """Append all of the drafts or none, if the head is `expected` (None: wherever it is, for records that decide nothing).

        Raises JournalConflict when someone was faster, JournalError when they could not be kept (disk full, closed).
        """

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """Several appends, in order, with one sync: an outcome for each. Raises JournalError when none of them could be kept."""

    def read(self, start: int) -> Iterator[Record]:
        """Every record from sequence `start` on that is not archived, in order, up to the head at the time of the call."""

    def verify(self) -> Verified:
        """Recompute the whole chain. Raises JournalBroken naming the first bad sequence."""

    def close(self) -> None:
        """Give the journal back; further calls raise JournalError."""


def encode(value: object) -> bytes:
    """Canonical JSON of a value: the same value is the same bytes, whatever order its mappings were filled in.

    >>> encode({"b": 1, "a": (2,)})
    b'{"a":[2],"b":1}'
    """
    return _json.encode(value)


def genesis(epoch: int) -> str:
    """What the first record of this epoch names as the hash before it."""
    return hashlib.sha256(b"seawall journal %d" % epoch).hexdigest()


def digest(record: Record) -> str:
    """SHA-256 over the hash before and the canonical record. JSON has no bare newline, so head and body cannot be confused."""
    head = _json.encode((record.sequence, record.kind, record.at, record.by, record.effect_keys))
    return hashlib.sha256(b"\n".join((bytes.fromhex(record.prev_hash), head, record.body))).hexdigest()


def seal(draft: Draft, sequence: int, prev_hash: str) -> Record:
    """The record a draft becomes at this place. Raises JournalError for a time or text that could not be read back."""
    if not math.isfinite(draft.at):
        raise JournalError(f"record a {draft.kind}: its time must be a finite number of seconds, not {draft.at}")
    record = Record(
        sequence=sequence,
        prev_hash=prev_hash,
        hash="",
        kind=draft.kind,
        at=float(draft.at) + 0.0,  # a negative zero would come back from disk as zero
        by=draft.by,
        body=bytes(draft.body),
        effect_keys=tuple(draft.effect_keys),
    )
    try:
        return msgspec.structs.replace(record, hash=digest(record))
    except UnicodeEncodeError as error:
        raise JournalError(f"record a {draft.kind}: its text cannot be written as UTF-8: {error.reason}") from error


def follow(records: Iterable[Record], epoch: int, base: tuple[int, str] | None = None) -> Verified:
    """Walk a journal from its first record, or from the one after `base` (sequence and hash), and check every link.

    Raises JournalBroken naming the first sequence that is missing, doubled, changed or out of place.
    """
    count, before = base or (0, genesis(epoch))
    for record in records:
        count += 1
        if record.sequence != count:
            raise JournalBroken(f"record {count} is missing: the next one found is {record.sequence}")
        if record.prev_hash != before:
            raise JournalBroken(f"record {count} does not follow the one before it: a record was changed, removed or put in")
        if digest(record) != record.hash:
            raise JournalBroken(f"record {count} ({record.kind!r}) is not what was written: its hash does not fit its contents")
        before = record.hash
    return Verified(count, before)
