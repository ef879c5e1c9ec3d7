"""The page's words: escaping, clocks, shapes. Whatever the browser is shown goes through here and is made harmless here."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from html import escape

from alerts.text import from_chain, plain

SHAPES = {"run": "●", "limited": "◆", "pause": "■", "unknown": "▲"}
"""Each state has a word, a colour and a shape; any one of them is enough to tell it."""

_HEX = re.compile(r"\b0x[0-9a-f]{40,64}\b")
_LONGEST = 600
_REMEMBERED = 4096
"""Texts kept as they are shown: the board is made again several times a second, of the same sentences."""


def shape(state: str) -> str:
    """The state's shape, for eyes only: the word beside it says the same."""
    return f'<span class="shape" aria-hidden="true">{SHAPES[state]}</span>'


@lru_cache(_REMEMBERED)
def text(sentence: str) -> str:
    """A sentence of ours, its long hex shortened to be read; the whole is there for whoever points at it or copies it.

    >>> text("<b> lost 0x" + "ab" * 20)
    '&lt;b&gt; lost <abbr title="0xabababababababababababababababababababab">0xababab…abab</abbr>'
    """
    said = escape(plain(sentence, _LONGEST))
    return _HEX.sub(lambda found: f'<abbr title="{found[0]}">{found[0][:8]}…{found[0][-4:]}</abbr>', said)


@lru_cache(_REMEMBERED)
def foreign(value: object) -> str:
    """A value that may come from a chain: one line, every letter that is not ASCII as its code point."""
    return escape(from_chain(str(value), 200))


def badge(word: str, sort: str = "") -> str:
    """A word in a frame."""
    return f'<span class="badge {escape(sort)}">{escape(word)}</span>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names with their values; a `path` has arrows of ours in it."""
    shown = "".join(
        f"<div><dt>{foreign(name)}</dt><dd>{text(str(value)) if name == 'path' else foreign(value)}</dd></div>"
        for name, value in pairs
    )
    return f'<dl class="facts">{shown}</dl>'


def section(name: str, title: str, inner: str) -> str:
    """A part of the page under its heading."""
    return f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">{escape(title)}</h2>{inner}</section>'


def table(name: str, titles: Iterable[str], rows: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A table of cells that are HTML already; each row is (key, cells), its first cell the row's heading. May be scrolled."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(f'<tr id="{escape(key)}">{_cells(tuple(cells))}</tr>' for key, cells in rows)
    return (
        f'<div class="scroll" role="group" aria-labelledby="h-{name}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(cells: tuple[str, ...]) -> str:
    return f'<th scope="row">{cells[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in cells[1:])


def when(at: float, now: float, *, exact: bool = False) -> str:
    """A moment (unix seconds): today's as a clock, older ones with their date; `exact` to the millisecond."""
    try:
        told = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return escape(f"{at:g}")
    clock = f"{told:%H:%M:%S}" + (f".{told.microsecond // 1000:03d}" if exact else "")
    shown = f"{clock} UTC" if abs(now - at) < 86_400 else f"{told:%Y-%m-%d} {clock} UTC"
    return f'<time datetime="{told.isoformat(timespec="milliseconds")}">{shown}</time>'


def lasted(seconds: float) -> str:
    """A length of time as people say it.

    >>> lasted(0.0042), lasted(1.5), lasted(42), lasted(330), lasted(7300), lasted(200_000)
    ('4 ms', '1.5 s', '42 s', '5 min 30 s', '2 h 1 min', '2 d 7 h')
    """
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, below, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"
