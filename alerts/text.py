"""Text from a chain is hostile: what it must lose before a person, a terminal or a parser sees it. Pure.

An attacker chooses token names, revert strings and call data. Control, format, surrogate and private-use characters can move a
cursor, reverse a line, hide a word or break an encoder; look-alike letters can pass for a known name.
"""

import math
import re
import unicodedata
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")

LINE, SHORT = 300, 96
"""Characters kept of a line of ours, and of a value that came from a chain."""

BODY_LINES = 80
EXACT = 2**53
_NEVER = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
_SPACE = re.compile(r"[\s\u2028\u2029]+")
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_OVERSIZE = 16


def plain(text: str, limit: int = LINE) -> str:
    r"""One line that any sink can carry: NFC, nothing unseen or unprintable, at most `limit` characters (cut with an ellipsis).

    >>> plain("USD\u202eC\x1b[31m \x00 pays\nout")
    'USDC[31m pays out'
    """
    seen = _SPACE.sub(" ", text[: limit * _OVERSIZE])
    seen = "".join(c for c in _INVISIBLE.sub("", seen) if unicodedata.category(c) not in _NEVER)
    seen = _SPACE.sub(" ", unicodedata.normalize("NFC", seen)).strip()
    return seen if len(seen) <= limit else seen[: limit - 1].rstrip() + "…"


def from_chain(text: str, limit: int = SHORT) -> str:
    r"""As `plain`, and every letter that is not ASCII is shown as its code point, so that nothing can pass for another name.

    >>> from_chain("USD\u0421")
    'USD\\u{421}'
    """
    shown = "".join(c if c.isascii() else f"\\u{{{ord(c):x}}}" for c in plain(text, limit) if c != "…")
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def paragraphs(text: str) -> str:
    r"""As `plain` line by line, for a body: line breaks and indents stay, everything else that moves a cursor goes.

    >>> paragraphs("a\r\n  b\x07")
    'a\n  b'
    """
    kept = text[: LINE * BODY_LINES].split("\n")[:BODY_LINES]
    return "\n".join(" " * min(8, len(line) - len(line.lstrip(" "))) + plain(line) for line in kept)


def neutral(value: T) -> T:
    """The same value (a struct, container or scalar) with every text in it made harmless; `body` texts keep their lines."""
    return cast("T", _neutral(value))


def _neutral(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return type(value)(**{name: paragraphs(old) if name == "body" else _neutral(old) for name, old in fields.items()})
    if isinstance(value, dict):
        return {_neutral(key): _representable(_neutral(item)) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_neutral, value))
    return plain(value) if type(value) is str else value


def _representable(value: object) -> object:
    """JSON readers lose integers beyond 2**53 and have no word for infinity: such numbers travel as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, int) and abs(value) > EXACT else value


def escaped(text: str) -> str:
    """As Slack's mrkdwn and other light markups want it: three characters, no more.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
