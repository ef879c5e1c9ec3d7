"""The table of hostile input is held to the tests: each row names at least one that exists, and no hostile test is left out."""

import ast
import re

from tests.support.parts import ROOT

_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }


def _rows() -> list[str]:
    lines = (ROOT / "docs" / "hostile-input.md").read_text().splitlines()
    return [line for line in lines if line.startswith("| ") and not line.startswith("| what comes")]


def test_every_row_names_a_test_that_exists() -> None:
    assert len(_rows()) >= 25
    for row in _rows():
        named = _NAMED.findall(row)
        assert named, f"no test: {row}"
        for path, name in named:
            assert name in _tests(path), f"{path} has no {name}"


def test_every_hostile_test_is_in_the_table() -> None:
    named = set(_NAMED.findall("\n".join(_rows())))
    for path in ("tests/hostile/test_siege.py", "tests/hostile/test_words.py"):
        assert {(path, name) for name in _tests(path)} <= named
