"""Plain data into frozen structs, with every problem at once, each under its full path.

msgspec stops at the first problem and does not name the keys of a mapping, so structs, mappings and lists are walked here and
only leaves are left to it.
"""

import difflib
import re
import types
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from monitor.config.kinds import BLOCK_HASH, CHAIN_ID, CUSTOM, DIGEST, IDENTIFIER, READ, REFERENCE, Secret, Sources, quoted
from monitor.config.layout import File, Receiver
from monitor.config.loader import Path

_SECRET_NAMES = ("secret", "token", "password", "key", "dsn")
_PATTERNS = {
    IDENTIFIER: "not a name: {}; use lower case letters, digits, dots, dashes and underscores, a letter or digit first",
    BLOCK_HASH: "not a block's hash: {}; write 0x and 64 hex digits",
    DIGEST: "not a digest: {}; write sha256: and 64 hex digits, as seawall token create prints it",
    CHAIN_ID: "not a chain id: {}; write it as CAIP-2 does, like eip155:1",
}
INVALID: Any = object()
"""Stands for what could not be converted; the problem is noted."""


class Converter:
    """Walks data along a type. `problems` collects what is wrong, by path."""

    def __init__(self, sources: Sources) -> None:
        self.problems: list[tuple[Path, str]] = []
        self._sources = sources

    def convert(self, value: Any, kind: Any, path: Path) -> Any:  # noqa: ANN401 - any data against any type
        """The value as this type, or INVALID."""
        plain, metas = _plain(kind)
        if plain is Receiver:
            return self._receiver(value, path)
        if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            return self._struct(value, plain, path)
        if get_origin(plain) in {Union, types.UnionType}:
            (plain,) = (option for option in get_args(plain) if option is not type(None))
            return None if value is None else self.convert(value, plain, path)
        if get_origin(plain) in {dict, Mapping}:
            return self._mapping(value, plain, metas, path)
        if get_origin(plain) is tuple:
            return self._list(value, plain, metas, path)
        return self._leaf(value, plain, metas, path)

    def root(self, value: Any) -> File:  # noqa: ANN401 - any data
        """The whole file, with defaults in place of what is wrong, so that cross-checks can still look at the rest."""
        found = self._fields(value, File, ()) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.wrong((), "expected a mapping that starts with version: 1" if value is not None else "the file is empty")
        usable: dict[str, Any] = {"version": 1, "chains": {}}
        return File(**usable | {name: item for name, item in found.items() if item is not INVALID})

    def wrong(self, path: Path, what: str) -> Any:  # noqa: ANN401 - it returns the one INVALID
        """Note a problem."""
        self.problems.append((path, what))
        return INVALID

    def _struct(self, value: Any, kind: type[msgspec.Struct], path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            return self.wrong(path, f"expected a mapping, not {_sort(value)}")
        found = self._fields(value, kind, path)
        return INVALID if INVALID in found.values() else kind(**found)

    def _fields(self, value: dict[str, Any], kind: type[msgspec.Struct], path: Path) -> dict[str, Any]:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        for name in value.keys() - fields.keys():
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(fields)}"
            self.wrong((*path, name), f"unknown key; {hint}")
        found: dict[str, Any] = {}
        for name, field in fields.items():
            if name in value:
                found[field.name] = self.convert(value[name], field.type, (*path, name))
            elif field.required:
                found[field.name] = self.wrong((*path, name), "missing")
            elif get_origin(_plain(field.type)[0]) is Mapping:
                found[field.name] = types.MappingProxyType({})
        return found

    def _mapping(self, value: Any, kind: Any, metas: list[msgspec.Meta], path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            return self.wrong(path, f"expected a mapping, not {_sort(value)}")
        key_kind, value_kind = get_args(kind)
        self._sized(value, metas, path)
        found = {}
        for key, inner in value.items():
            self._leaf(key, *_plain(key_kind), (*path, key))
            if (converted := self.convert(inner, value_kind, (*path, key))) is not INVALID:
                found[key] = converted
        return found if get_origin(kind) is dict else types.MappingProxyType(found)

    def _list(self, value: Any, kind: Any, metas: list[msgspec.Meta], path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, list):
            return self.wrong(path, f"expected a list, not {_sort(value)}")
        self._sized(value, metas, path)
        converted = [self.convert(item, get_args(kind)[0], (*path, index)) for index, item in enumerate(value)]
        return tuple(item for item in converted if item is not INVALID)

    def _sized(self, value: dict[str, Any] | list[Any], metas: list[msgspec.Meta], path: Path) -> None:
        if any(meta.min_length is not None and len(value) < meta.min_length for meta in metas):
            self.wrong(path, "needs at least one")
        if any(meta.max_length is not None and len(value) > meta.max_length for meta in metas):
            self.wrong(path, f"too many: {len(value)}")

    def _leaf(self, value: Any, kind: Any, metas: list[msgspec.Meta], path: Path) -> Any:  # noqa: ANN401
        if kind is Any:
            return _frozen(value)
        if kind in CUSTOM:
            return self._custom(value, kind, path)
        if (options := _options(kind)) and value not in options:
            return self.wrong(path, f"{quoted(value)} is not one of: {', '.join(map(str, options))}")
        try:
            for reader in (READ[meta.extra["read"]] for meta in metas if meta.extra and "read" in meta.extra):
                value = reader(value)
            checked = [meta for meta in metas if not meta.extra]
            return msgspec.convert(value, Annotated[kind, *checked] if checked else kind)
        except msgspec.ValidationError as error:
            return self.wrong(path, _said(error, value))
        except ValueError as error:
            return self.wrong(path, str(error))

    def _custom(self, value: Any, kind: Any, path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            return self.wrong(path, "expected text")
        try:
            return kind.read(value, self._sources)
        except ValueError as error:
            return self.wrong(path, str(error))

    def _receiver(self, value: Any, path: Path) -> Any:  # noqa: ANN401
        """A receiver's other keys are its channel's arguments: what is a reference, or named like a secret, becomes one."""
        if not isinstance(value, dict):
            return self.wrong(path, f"expected a mapping, not {_sort(value)}")
        channel = self.convert(value.get("channel", path[-1]), msgspec.structs.fields(Receiver)[0].type, (*path, "channel"))
        options = {name: self._option(name, item, (*path, name)) for name, item in value.items() if name != "channel"}
        return Receiver(channel=channel, options=types.MappingProxyType(options))

    def _option(self, name: str, value: Any, path: Path) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return tuple(self._option(name, item, (*path, index)) for index, item in enumerate(value))
        if isinstance(value, str) and (name.endswith(_SECRET_NAMES) or re.match(REFERENCE, value)):
            return self._custom(value, Secret, path)
        return _frozen(value)


def _plain(kind: Any) -> tuple[Any, list[msgspec.Meta]]:  # noqa: ANN401 - any type
    if get_origin(kind) is Annotated:
        plain, *metas = get_args(kind)
        return plain, metas
    return kind, []


def _options(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(option.value for option in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _frozen(value: Any) -> Any:  # noqa: ANN401 - any data
    if isinstance(value, dict):
        return types.MappingProxyType({key: _frozen(item) for key, item in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _sort(value: object) -> str:
    """What sort of thing was written. Its text is not repeated: where a mapping belongs, it may be a secret."""
    sorts = {str: "text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "nothing"}
    return sorts.get(type(value), "a number")


def _said(error: msgspec.ValidationError, value: object) -> str:
    """A complaint of msgspec in our words."""
    text = str(error)
    for pattern, ours in _PATTERNS.items():
        if pattern in text:
            return ours.format(quoted(value))
    text = text.removesuffix(" - at `$`").replace("`", "")
    return f"{text[:1].lower()}{text[1:]}: {quoted(value)}"
