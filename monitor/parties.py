"""Sanctions lists as files: who is on them and when, in CSV or JSON lines. Pure: text in, parties out, what is wrong counted.

Columns or keys: `address`, and if you like `chain` (CAIP-2), `effective_from`, `effective_to` (a date, a time or unix seconds; a
date that ends it still counts whole). Others are passed over.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from detectors.events import Party

MOST_PARTIES = 500_000
"""Of one list; a longer one is refused as a whole, since a part of a list is not the list."""

_COLUMNS = ("address", "chain", "effective_from", "effective_to")


class Parsed(msgspec.Struct, frozen=True):
    """What a file says. `version` names exactly these parties; `wrong` says which lines could not be read, the first few."""

    parties: tuple[Party, ...]
    version: str
    wrong: tuple[str, ...]


def parse(text: str) -> Parsed:
    r"""Read a list. Raises ValueError when it is none: no line of it names a party, or there are too many.

    >>> parse("address,effective_from\n0xAB00000000000000000000000000000000000000,1970-01-02\n").parties
    (Party(address='0xab00000000000000000000000000000000000000', chain=None, since=86400.0, until=None),)
    """
    parties, wrong = dict[Party, None](), list[str]()
    for number, entry in _entries(text.removeprefix("\ufeff")):
        try:
            parties[_party(entry)] = None
        except (ValueError, TypeError, OverflowError) as error:
            wrong.append(f"line {number}: {error}")
        if len(parties) > MOST_PARTIES:
            raise ValueError(f"more than {MOST_PARTIES:,} parties")
    if not parties:
        raise ValueError(f"names nobody{'; ' + wrong[0] if wrong else ''}")
    made = tuple(sorted(parties, key=msgspec.json.encode))
    return Parsed(made, hashlib.sha256(msgspec.json.encode(made)).hexdigest()[:16], tuple(wrong[:5]))


def _entries(text: str) -> Iterator[tuple[int, Any]]:
    """Each entry with its line: JSON lines where the first character says so, else CSV with a heading."""
    if text.lstrip()[:1] == "{":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, _json(line)
        return
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        yield rows.line_num, str(error)


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return "no JSON"


def _party(entry: object) -> Party:
    if not isinstance(entry, Mapping):
        raise ValueError(entry if isinstance(entry, str) else "no object")  # noqa: TRY004 - a line of a file, not a caller's type
    address, chain, since, until = (_text(entry.get(column)) for column in _COLUMNS)
    if not address:
        raise ValueError("no address")
    if address[:2].lower() == "0x":
        address = address.lower()
        if len(address) != 42 or set(address[2:]) - set("0123456789abcdef"):
            raise ValueError(f"no address: {address[:50]!r}")
    return Party(address, chain or None, _moment(since), _moment(until, end=True))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("neither text nor a number")  # noqa: TRY004 - as above
    return str(value).strip()[:100]


def _moment(text: str, *, end: bool = False) -> float | None:
    """Unix seconds. A date without a time that is an `end` means the day after."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        when = datetime.fromisoformat(text)
    if end and len(text) == len("2030-01-31"):
        when += timedelta(days=1)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def of_chain(parties: Iterable[Party], chain: str) -> tuple[Party, ...]:
    """Those that count on this chain."""
    return tuple(party for party in parties if party.chain is None or party.chain == chain)
