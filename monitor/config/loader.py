"""YAML as people mean it: addresses stay text, `on` is a word, a key stands once, and every value knows its line.

Plain YAML turns an unquoted 40-digit `0x…` into a number and `on` into true, and lets the second of two equal keys win in
silence. Aliases, anchors and tags are refused: a configuration is read by people as it stands.
"""

import math
import re
from typing import Any

import msgspec
import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

Path = tuple[str | int, ...]

_LONGEST = 1_000_000
_DEEPEST = 32


class Document(msgspec.Struct, frozen=True):
    """Plain data, the line of each path in it (from 1), and what was wrong with the YAML itself."""

    data: Any
    lines: dict[Path, int]
    problems: list[tuple[Path, str]]

    def line(self, path: Path) -> int:
        """Where this path is written, or the nearest thing above it that is."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Resolver(Resolver):
    """YAML's own guesses, without those that surprise: true, false, null, decimal numbers, and all else is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's name and shape


for _tag, _pattern, _first in (
    ("bool", r"(?:true|false)$", "tf"),
    ("null", r"(?:null|~|)$", ["n", "~", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-+0123456789"),
):
    _Resolver.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class _Loader(Reader, Scanner, Parser, Composer, SafeConstructor, _Resolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        _Resolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Refuse what hides a value from its reader, before it is built."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        named = isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None
        if named or getattr(event, "tag", None) is not None:
            what = "anchors and aliases" if named else "tags"
            raise yaml.MarkedYAMLError(problem=f"{what} are not used here; write the value out", problem_mark=event.start_mark)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_DEEPEST} levels", problem_mark=event.start_mark)
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read(text: str) -> Document:
    """Read one YAML document. Raises ValueError, with line and column, when it is none."""
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST:,} characters; is it the right file?")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    document = Document(None, {}, [])
    data = _build(loader, node, (), document) if node is not None else None
    return Document(data, document.lines, document.problems)


def _build(loader: _Loader, node: Node, path: Path, document: Document) -> object:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, SequenceNode):
        return [_build(loader, item, (*path, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)  # noqa: S101 - YAML has no fourth kind
    value = loader.construct_object(node)
    if isinstance(value, float) and not math.isfinite(value):
        document.problems.append((path, "not a finite number"))
        return 0.0
    if isinstance(value, str) and not _encodes(value):
        document.problems.append((path, "half a surrogate pair is no character; write it as \\U and eight digits, or as itself"))
        return ""
    return value


def _encodes(text: str) -> bool:
    """Is it Unicode? A quoted scalar can spell half a character, which nothing downstream can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mapping(loader: _Loader, node: MappingNode, path: Path, document: Document) -> dict[str, object]:
    built: dict[str, object] = {}
    for key, value in node.value:
        mark = key.start_mark
        place = f"(line {mark.line + 1}, column {mark.column + 1})"
        if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str" or not _encodes(key.value):
            document.problems.append((path, f"a key must be text; put it in quotes {place}"))
            continue
        inner = (*path, key.value)
        if key.value in built:
            document.problems.append((inner, f"stands twice; the second is {place}"))
            continue
        document.lines[inner] = mark.line + 1
        built[key.value] = _build(loader, value, inner, document)
    return built
