"""The call path as a picture: one line a call, indented like the calls, drawn here and escaped here. No script, no link.

Colours are never the only sign: every mark is a word. The whole path stands in the description too, for who cannot see it.
"""

from html import escape

from alerts.text import from_chain
from detectors.base import Finding
from detectors.execution.path import Call, CallTree

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_LINE, _INDENT, _CHARACTER, _MARGIN = 22, 18, 7.3, 14
_DEEPEST = 16
"""Levels that are indented; what lies deeper stands under the last of them."""

_STYLE = (
    "text{font:12px ui-monospace,monospace;fill:#1c2733}.pays{fill:#a3200d;font-weight:700}.stale{fill:#8a4b00;font-weight:700}"
    ".failed{fill:#667}path{fill:none;stroke:#8a97a6}rect{fill:#fff}"
    "@media(prefers-color-scheme:dark){rect{fill:#11171d}text{fill:#dbe4ec}.pays{fill:#ff8f7d}.stale{fill:#ffc27a}.failed{fill:#9aa}}"
)


def drawn(tree: CallTree, finding: Finding) -> bytes:
    """A whole SVG document, UTF-8."""
    levels, lines = list[int](), [said(call) for call in tree.calls]
    for call in tree.calls:
        levels.append(min(_DEEPEST, levels[call.parent] + 1) if call.parent >= 0 else 0)
    width = max((_INDENT * level + _CHARACTER * len(line) for level, line in zip(levels, lines, strict=True)), default=0)
    width, height = round(width) + 2 * _MARGIN + 12, _LINE * len(lines) + 2 * _MARGIN
    title = escape(f"Call path of {from_chain(finding.kind)} at {from_chain(finding.subject)}")
    told = escape("; ".join(f"level {level}: {line}" for level, line in zip(levels, lines, strict=True)))
    body = "".join(
        _edge(number, call, levels) + _text(number, levels[number], call, lines[number]) for number, call in enumerate(tree.calls)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t d" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><title id="t">{title}</title><desc id="d">{told}</desc><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}"/>{body}</svg>'
    ).encode()


def said(call: Call) -> str:
    """One call as a line of text that moves no cursor.

    >>> said(Call(3, 1, "CALL", "0x" + "a0" * 20, "", "0x3ccfd60b", "5", False, ("victim",), between=2, left_out=1))
    'CALL 0xa0a0a0…a0a0 0x3ccfd60b, 5 wei [victim] (2 calls between, 1 below not shown)'
    """
    runs = f" running {_short(call.code)}" if call.code else ""
    function = f" {from_chain(call.function, 12)}" if call.function else ""
    value = f", {from_chain(call.value, 80)} wei" if call.value not in {"", "0"} else ""
    marks = [*call.marks, *(["failed"] if call.failed else [])]
    counted = [f"{call.between} calls between"] if call.between else []
    counted += [f"{call.left_out} below not shown"] if call.left_out else []
    return (
        f"{from_chain(call.type, 16)} {_short(call.contract)}{runs}{function}{value}"
        + (f" [{', '.join(marks)}]" if marks else "")
        + (f" ({', '.join(counted)})" if counted else "")
    )


def _short(address: str) -> str:
    shown = from_chain(address, 64)
    return shown if len(shown) <= 14 else f"{shown[:8]}…{shown[-4:]}"


def _text(number: int, level: int, call: Call, line: str) -> str:
    sort = "failed" if call.failed else "pays" if {"pays", "moves a token"} & {*call.marks} else ""
    sort = sort or ("stale" if any("slot" in mark for mark in call.marks) else "")
    x, y = _MARGIN + _INDENT * level + 6, _MARGIN + _LINE * number + 15
    styled = f' class="{sort}"' if sort else ""
    return f'<text x="{x}" y="{y}"{styled}>{escape(line)}</text>'


def _edge(number: int, call: Call, levels: list[int]) -> str:
    if call.parent < 0:
        return ""
    x = _MARGIN + _INDENT * levels[call.parent]
    top, y = _MARGIN + _LINE * call.parent + 20, _MARGIN + _LINE * number + 11
    return f'<path d="M{x} {top}V{y}H{_MARGIN + _INDENT * levels[number] + 2}"/>'
