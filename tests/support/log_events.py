"""Every event that is logged, as the code says it: its name, its levels, its fields."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.parts import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception"}


class Logged(NamedTuple):
    """One call. `exception` is the level error with a traceback; fields end with `…` where more are spread into them."""

    event: str
    level: str
    fields: tuple[str, ...]
    place: str


def logged() -> Iterator[Logged]:
    """All calls of the packages that log."""
    for path in sorted(one for package in ("monitor", "alerts") for one in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _logs(node.func):
                yield from _calls(node, path)


def _logs(function: ast.expr) -> bool:
    named = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "log"
    return named and isinstance(function, ast.Attribute) and function.attr in LEVELS


def _calls(node: ast.Call, path: Path) -> Iterator[Logged]:
    assert isinstance(node.func, ast.Attribute)
    place = f"{path.relative_to(ROOT)}:{node.lineno}"
    first = node.args[0] if node.args else None
    options = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    fields = tuple(sorted(one.arg for one in node.keywords if one.arg)) + ("…",) * any(one.arg is None for one in node.keywords)
    for option in options:
        assert isinstance(option, ast.Constant), f"{place}: an event's name is written out, so that it can be found"
        yield Logged(str(option.value), node.func.attr, fields, place)
