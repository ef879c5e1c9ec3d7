"""The kinds of value a configuration has beyond YAML's: secrets, node URLs, listeners, addresses, durations.

Each knows how to read itself from what was written, and what its pattern is in the JSON Schema. What is secret never shows.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self
from urllib.parse import urlsplit

import msgspec

DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
ADDRESS = r"^0x[0-9a-fA-F]{40}$"
IDENTIFIER = r"^[a-z0-9][a-z0-9._-]*$"
CHAIN_ID = r"^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$"
BLOCK_HASH = r"^0x[0-9a-fA-F]{64}$"
NAME = r"^[a-z][a-z0-9_]*$"
QUESTION = r"^(0x[0-9a-fA-F]{8}([0-9a-fA-F]{64}){0,4}|[A-Za-z_][A-Za-z0-9_]*\(\))$"
REFERENCE = r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+)$"

Seconds = Annotated[float, msgspec.Meta(extra={"read": "duration"}, extra_json_schema={"pattern": DURATION})]
"""Written `60s`, `5m`, `24h`; read as a float of seconds."""

Instant = Annotated[float, msgspec.Meta(extra={"read": "instant"}, extra_json_schema={"pattern": INSTANT})]
"""Written `2030-01-31` (its beginning, UTC) or `2030-01-31T12:00:00Z`; read as unix seconds."""

Digest = Annotated[str, msgspec.Meta(pattern=DIGEST)]
"""The SHA-256 of a secret, which is none itself."""

Address = Annotated[str, msgspec.Meta(extra={"read": "address"}, pattern=ADDRESS)]
"""An EVM address, as written until the checksum is checked, lower case afterwards."""

Question = Annotated[str, msgspec.Meta(extra={"read": "question"}, pattern=QUESTION)]
"""What a contract is asked: `name()`, or call data with its arguments encoded; read as call data, lower case."""

Chain = Annotated[str, msgspec.Meta(pattern=CHAIN_ID, description="CAIP-2, e.g. eip155:1")]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Sources:
    """Where references point: the environment, and files beside the configuration."""

    def __init__(self, env: Mapping[str, str], directory: Path) -> None:
        self._env = env
        self._directory = directory

    def resolve(self, text: str) -> str | None:
        """What `${NAME}` or `file:PATH` stands for, None where the text is no reference.

        Raises ValueError when the variable is not set or the file cannot be read; it never quotes their contents.
        """
        if not re.match(REFERENCE, text):
            return None
        if text.startswith("${"):
            value = self._env.get(text[2:-1], "")
            if not value.strip():
                raise ValueError(f"the environment variable {text[2:-1]} is not set")
            return value.strip()
        path = self._directory / text.removeprefix("file:")
        try:
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ValueError(f"{path} cannot be read: {reason}") from error
        if not value:
            raise ValueError(f"{path} is empty")
        return value


class Secret:
    """A value nobody sees by accident: text, repr and logs of it are `***`, and it neither pickles nor encodes."""

    __slots__ = ("_value",)
    pattern = REFERENCE

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def read(cls, text: str, sources: Sources) -> Self:
        """Raises ValueError for a literal, without repeating it."""
        value = sources.resolve(text)
        if value is None:
            raise ValueError("a secret is not written here; name where it is, as ${VARIABLE} or file:PATH")
        return cls(value)

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class NodeUrl(Secret):
    """A node's WebSocket URL. Its text shows scheme, host and port; path, query and user often carry a key."""

    __slots__ = ()
    pattern = r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+|wss?://.+)$"

    @classmethod
    def read(cls, text: str, sources: Sources) -> Self:
        """A reference, or a literal that carries no key. Raises ValueError, without repeating more than the host."""
        value = sources.resolve(text)
        url = cls(value if value is not None else text)
        try:
            parts, port = urlsplit(url.reveal()), urlsplit(url.reveal()).port
        except ValueError as error:
            raise ValueError("not a URL; expected ws://HOST:PORT or wss://HOST/…") from error
        if parts.scheme not in {"ws", "wss"} or not parts.hostname or port == 0 or re.search(r"\s", url.reveal()):
            raise ValueError("not a WebSocket URL; expected ws://HOST:PORT or wss://HOST/…")
        keyed = parts.path not in {"", "/"} or parts.query or "@" in parts.netloc
        if value is None and keyed and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(f"the URL of {parts.hostname} may carry a key; name where it is, as ${{VARIABLE}} or file:PATH")
        return url

    def __repr__(self) -> str:
        parts = urlsplit(self._value)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        more = "/***" if parts.path not in {"", "/"} or parts.query or "@" in parts.netloc else ""
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{more}"


class Listen:
    """Where to listen: a host and a port (0: any free one)."""

    __slots__ = ("host", "port")
    pattern = r"^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):[0-9]{1,5}$"

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    @classmethod
    def read(cls, text: str, _: Sources) -> Self:
        """Raises ValueError unless it is `HOST:PORT`."""
        host, _sep, port = text.rpartition(":")
        if not re.match(cls.pattern, text) or int(port) > 65535:
            raise ValueError(f'not HOST:PORT: "{text}"')
        return cls(host.strip("[]"), int(port))

    @property
    def everywhere(self) -> bool:
        """Does it listen on every address of the machine?"""
        return self.host in {"0.0.0.0", "::", "*"}  # noqa: S104 - recognised, not bound

    def __repr__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listen) and (other.host, other.port) == (self.host, self.port)

    def __hash__(self) -> int:
        return hash((self.host, self.port))


CUSTOM: tuple[type[Secret | NodeUrl | Listen], ...] = (Secret, NodeUrl, Listen)


def duration(value: object) -> float:
    """Seconds of a written duration. Raises ValueError.

    >>> duration("5m"), duration("1.5s"), duration("24h")
    (300.0, 1.5, 86400.0)
    """
    if not isinstance(value, str) or not re.match(DURATION, value) or len(value) > 20:
        raise ValueError(f"not a duration: {quoted(value)}; write a number and a unit (ms, s, m, h, d), like 60s or 24h")
    number, unit = re.split(r"(?<=[0-9])(?=[a-z])", value)
    return float(number) * _UNITS[unit]


def instant(value: object) -> float:
    """Unix seconds of a written time. Raises ValueError.

    >>> instant("2030-01-02"), instant("2030-01-02T03:04:05Z")
    (1893542400.0, 1893553445.0)
    """
    advice = f"not a time: {quoted(value)}; write it like 2030-01-31 or 2030-01-31T12:00:00Z"
    if not isinstance(value, str) or not re.match(INSTANT, value):
        raise ValueError(advice)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(advice) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def written(seconds: float) -> str:
    """The shortest way to write a whole number of seconds.

    >>> written(300.0), written(90.0), written(86400.0), written(0.5)
    ('5m', '90s', '24h', '500ms')
    """
    for unit in ("h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"


def address(value: object) -> str:
    """An address in lower case. Raises ValueError when it is none, or mixes cases and its checksum (EIP-55) does not fit.

    >>> address("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640")
    '0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640'
    """
    if not isinstance(value, str) or not re.match(ADDRESS, value):
        raise ValueError(f"not an address: {quoted(value)}")
    digits = value[2:]
    if digits not in {digits.lower(), digits.upper()} and not _checksummed(value):
        raise ValueError(f'the checksum of "{value}" does not fit: a letter is wrong, or in the wrong case (EIP-55)')
    return value.lower()


def question(value: object) -> str:
    """Call data of a question. Raises ValueError.

    >>> question("totalBorrows()"), question("0x47BD3718")
    ('0x47bd3718', '0x47bd3718')
    """
    if not isinstance(value, str) or not re.match(QUESTION, value):
        raise ValueError(f"not a question: {quoted(value)}; write name() for a function without arguments, else its call data")
    if value.startswith("0x"):
        return value.lower()
    from eth_utils.crypto import keccak  # noqa: PLC0415 - slow to import, needed only where questions are asked

    return "0x" + keccak(text=value)[:4].hex()


def _checksummed(value: str) -> bool:
    from eth_utils.address import is_checksum_address  # noqa: PLC0415 - 0.2 s, needed only where cases are mixed

    return bool(is_checksum_address(value))


READ: dict[str, Callable[[object], Any]] = {"duration": duration, "instant": instant, "address": address, "question": question}
"""Readers of the kinds that become a plain value, by the name in their `extra`."""


def quoted(value: object) -> str:
    """A value as it was written, short enough for one line."""
    text = msgspec.json.encode(value).decode() if not isinstance(value, str) else f'"{value}"'
    return ascii(text)[1:-1] if len(text) <= 60 else ascii(text[:60])[1:-1] + "…"
