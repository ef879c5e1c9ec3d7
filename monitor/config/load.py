"""From a file to a configuration, or to everything that is wrong with it."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from monitor.config import checks, loader
from monitor.config.convert import Converter
from monitor.config.kinds import CUSTOM, DURATION, INSTANT, Sources, written
from monitor.config.layout import Config, File, Policy, Receiver
from monitor.errors import ConfigError


def load(path: Path | str, env: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration file. Raises ConfigError with every problem, each under its path and line."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start})"]) from error
    return parse(text, str(path), env)


def parse(text: str, source: str, env: Mapping[str, str]) -> Config:
    """Check a configuration's text. `source` names it and is where relative `file:` references start. Raises ConfigError."""
    try:
        document = loader.read(text)
    except ValueError as error:
        raise ConfigError([f"{source}: {error}"]) from error
    converter = Converter(Sources(env, Path(source).parent))
    file = converter.root(document.data)
    found = [*document.problems, *converter.problems]
    blamed = {path[:length] for path, _ in found for length in range(1, len(path) + 1)}
    # What was dropped for a mistake of its own is not missed a second time.
    found += [(path, what) for path, what in checks.problems(file, document.data) if path not in blamed]
    if found:
        raise ConfigError(_lines(document, found, source))
    policies = MappingProxyType({checks.DEFAULT_POLICY: Policy()} | dict(file.policies))
    parts = {name: getattr(file, name) for name in File.__struct_fields__} | {"policies": policies}
    return Config(**parts, source=source, hash=_hash(document.data))


def _hash(data: object) -> str:
    """Names what was written: the same in another order or with other comments. Secrets are not in it."""
    return hashlib.sha256(msgspec.json.encode(data, order="deterministic")).hexdigest()[:16]


def _lines(document: loader.Document, found: Iterable[checks.Problem], source: str) -> list[str]:
    numbered = ((document.line(path), path, what) for path, what in found)
    placed = {(line, f"{show(path) or source}: {what} (line {line})") for line, path, what in numbered}
    return [text for _, text in sorted(placed)]


def show(path: loader.Path) -> str:
    """A path as people write it.

    >>> show(("integrations", "aave", "contracts", 2, "address"))
    'integrations.aave.contracts[2].address'
    """
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{ascii(step)[1:-1]}" for step in path)
    return shown.removeprefix(".")


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file, for editors and for review."""
    made = msgspec.json.schema(File, schema_hook=_kind)
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "Seawall configuration"
    definitions = made["$defs"]
    definitions[Receiver.__name__] = {
        "title": "Receiver",
        "description": "Someone to tell: a channel (by default the receiver's name), and its constructor's arguments.",
        "type": "object",
        "properties": {"channel": {"type": "string"}},
    }
    for definition in definitions.values():
        for node in definition.get("properties", {}).values():
            for option in (node, *node.get("anyOf", ())):
                if option.get("pattern") in {DURATION, INSTANT}:
                    _as_text(option)
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made, order="sorted"))
    return plain


def _kind(kind: type) -> dict[str, Any]:
    if kind not in CUSTOM:
        raise NotImplementedError(kind)
    return {"type": "string", "pattern": next(custom.pattern for custom in CUSTOM if custom is kind)}


def _as_text(node: dict[str, Any]) -> None:
    """A duration or a time is a float to us, and text to who writes it."""
    node["type"] = "string"
    for bound in ("exclusiveMinimum", "minimum"):
        node.pop(bound, None)
    if "default" in node:
        node["default"] = written(node["default"])
