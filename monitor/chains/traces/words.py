"""From a node's JSON to our values: one decoder that never lets a foreign error out, and words cleaned once, at the edge.

What a node answers was written by an attacker: nested as deep as the EVM goes, with error texts of any bytes. Every way it can
be wrong ends in a TraceUnreadable with a sentence.
"""

import re
import sys
from typing import TypeVar

import msgspec

from monitor.errors import TraceUnreadable

T = TypeVar("T")

DEEP = 5000
"""Nesting the decoder may follow: 1,024 frames of our own format are three levels each. At 60,000 CPython 3.11 overruns an
8 MiB C stack, at 20,000 it does not."""

DATA = 2 + 2 * 516
"""Characters kept of call data and outputs: 0x, a selector and sixteen words."""

MENDED = 2 << 20
"""Bytes of a document with half characters that are worth a second reading; a longer one is as unreadable as it came."""

_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ADDRESS, _SELECTOR = 42, 10
_MOST = 1 << 256
_PREFIXES = ("0x", "0X")


def allow_deep() -> None:
    """Let this process decode 1,024 nested frames, and not many more. Called once by whoever reads traces, after its imports.

    Down as well as up: importing eth_account lifts the limit to 100,000 (py_ecc does), where a deep document ends the process.
    """
    if sys.getrecursionlimit() != DEEP:
        sys.setrecursionlimit(DEEP)


def decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Decode one JSON document. Raises TraceUnreadable: `deep` when it nests beyond what we follow, else where it is wrong."""
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise TraceUnreadable("nested deeper than 1,024 frames", deep=True) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        mended = _mend(bytes(data)) if len(data) <= MENDED else None
        if mended is None:
            raise TraceUnreadable(_sentence(error)) from None
    try:
        return msgspec.json.decode(mended, type=kind)
    except RecursionError:
        raise TraceUnreadable("nested deeper than 1,024 frames", deep=True) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TraceUnreadable(_sentence(error)) from None


def _mend(data: bytes) -> bytes | None:
    """The document with half characters replaced (a revert reason may hold any bytes), None when there are none."""
    mended = _SURROGATES.sub(b"?", data.decode("utf-8", "replace").encode())
    return None if mended == data else mended


def _sentence(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not JSON: it is not UTF-8 text"
    if isinstance(error, msgspec.ValidationError):
        return f"not a trace we know: {error}"
    text = str(error)
    return "cut short: the JSON ends in the middle" if "truncated" in text else f"not JSON: {text}"


class Addresses(dict[str | None, str | None]):
    """Text -> the same address in lower case, checked once and interned. Raises TraceUnreadable for what is no address."""

    def __init__(self) -> None:
        super().__init__({None: None})

    def __missing__(self, raw: str | None) -> str | None:
        assert raw is not None  # noqa: S101 - None is there from the start
        if len(raw) != _ADDRESS or not is_hex(raw):
            raise TraceUnreadable(f"not an address: {raw[:60]!r}")
        lower = raw.lower()
        if lower == raw:
            self[raw] = raw
            return raw
        clean = self[raw] = self[lower]  # one object a contract, whatever case it came in
        return clean


class Amounts(dict[str | None, int]):
    """Hex quantity -> int, None -> 0. Raises TraceUnreadable for what is no quantity of 256 bits."""

    def __init__(self) -> None:
        super().__init__({None: 0, "0x0": 0})

    def __missing__(self, raw: str) -> int:
        value = self[raw] = quantity(raw)
        return value


class Selectors(dict[str | None, str | None]):
    """The first ten characters of call data -> the selector in lower case, None for less than four bytes."""

    def __init__(self) -> None:
        super().__init__({None: None, "0x": None})

    def __missing__(self, head: str) -> str | None:
        if len(head) < _SELECTOR:
            clean = None
        elif not is_hex(head):
            raise TraceUnreadable(f"not call data: {head!r}")
        else:
            clean = head.lower()
        self[head] = clean
        return clean


class Words:
    """The words of one run: every trace of a run shares them, since blocks name the same contracts over and over."""

    MOST = 100_000

    def __init__(self) -> None:
        self.addresses, self.amounts, self.selectors = Addresses(), Amounts(), Selectors()

    def bound(self) -> None:
        """Start afresh once an attacker (or a long run) has filled them. Called between documents."""
        if len(self.addresses) + len(self.amounts) + len(self.selectors) > self.MOST:
            self.addresses, self.amounts, self.selectors = Addresses(), Amounts(), Selectors()


def is_hex(text: str) -> bool:
    """Is it 0x and hex digits, nothing else (Python's own reader would take underscores and signs)?"""
    try:
        int(text, 16)
    except ValueError:
        return False
    return text[:2] in _PREFIXES and text.isalnum()


def quantity(raw: str | int) -> int:
    """A hex quantity (or a JSON number) as int. Raises TraceUnreadable for anything else, or above 256 bits."""
    try:
        value = raw if isinstance(raw, int) else int(raw, 16)
    except ValueError:
        raise TraceUnreadable(f"not a quantity: {raw[:80]!r}") from None  # type: ignore[index]
    if not 0 <= value < _MOST:
        raise TraceUnreadable("not a quantity of 256 bits")
    return value


def data(raw: str | None) -> str | None:
    """Call data or output, lower case, cut after 516 bytes."""
    return None if raw is None else raw[:DATA].lower()


def is_error(raw: msgspec.Raw) -> bool:
    """Does an `error` field say something? Absent, null and an empty text do not."""
    return bool(raw) and bytes(raw) not in {b"null", b'""'}


def text(raw: msgspec.Raw) -> str | None:
    """An error of any dialect as short text; shown to people, never parsed."""
    if not is_error(raw):
        return None
    return bytes(raw).decode("utf-8", "replace").strip('"')[:200]
