"""JSON-RPC on the wire: envelopes, and the one place where foreign errors become ours.

Only the envelope is parsed here; a result stays raw until the one who asked decodes it into the type it expects. A node is not
trusted: its words are cut and flattened before they enter a message, and URLs are shown without what may be a key.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException

from monitor.errors import NodeError, NodeGarbled, NodeOversize, NodeSilent, NodeUnreachable, RpcRefused

FOREIGN = (WebSocketException, OSError, EOFError, ValueError)
"""What connecting, sending and receiving may raise (timeouts and TLS are OSErrors, odd host names ValueErrors)."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a node's bytes may raise: odd shapes, text that is no UTF-8, nesting too deep."""

NOTHING = msgspec.Raw(b"")
_NULL = b"null"
_WORDS = 160
"""Characters of a node's own text that enter a message."""

METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
METHOD_NOT_SUPPORTED = -32004
THROTTLED = frozenset((-32005, -32016, -32097, 429))
"""Limit exceeded (EIP-1474), rate limits of public nodes, and HTTP's number where a provider puts it into the code."""

_UNKNOWN_VARIANT = "untagged enum"
"""anvil answers -32602 with serde's words for a method it does not know (over WebSocket)."""
_TOO_BIG = 1009
"""RFC 6455 §7.4.1: the message is bigger than the receiver takes."""
_NO_PONG = 1011
"""What websockets closes with when a ping stays unanswered."""

_DEEP_REPLY = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*([0-9]{1,18})\s*,\s*"result"\s*:\s*')


class Push(msgspec.Struct, gc=False):
    """The `params` of a notification."""

    subscription: str | int
    result: msgspec.Raw = NOTHING


class Envelope(msgspec.Struct, gc=False):
    """A reply or a notification. `result` and `error` are raw; empty means absent."""

    id: int | str | None = None
    result: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    params: Push | None = None


class Fault(msgspec.Struct, gc=False):
    """A JSON-RPC error object as nodes really send it."""

    code: int = 0
    message: str = ""


_envelope = msgspec.json.Decoder(Envelope)
_batch = msgspec.json.Decoder(list[Envelope])
_fault = msgspec.json.Decoder(Fault)
encode = msgspec.json.Encoder().encode
decode_envelope = _envelope.decode
"""Bytes to Envelope. Raises what is UNREADABLE."""


def decode_odd(data: bytes) -> list[Envelope]:
    """What `decode_envelope` refused: a batch's array, or a reply nested deeper than the decoder goes (its result stays raw).

    Raises NodeGarbled for anything else.
    """
    if data[:1] == b"[":
        try:
            return _batch.decode(data)
        except UNREADABLE:
            raise NodeGarbled("a batch that is not one of JSON-RPC replies") from None
    end = data.rstrip()
    if (deep := _DEEP_REPLY.match(data)) and len(end) > 5000 and end.endswith(b"}"):
        return [Envelope(id=int(deep[1]), result=msgspec.Raw(end[deep.end() : -1]))]
    raise NodeGarbled("a frame that is not JSON-RPC")


@lru_cache(maxsize=256)
def _decoder(expected: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401 - any type msgspec knows
    return msgspec.json.Decoder(expected)


def decode_result(raw: msgspec.Raw, expected: Any, what: str) -> Any:  # noqa: ANN401 - the caller's type decides
    """A raw result as `expected` (None: plain values). Raises NodeGarbled naming `what` and the place that does not fit."""
    try:
        return (_decoder(Any if expected is None else expected)).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NodeGarbled(f"{what}: the answer has not the promised shape ({said(str(error))}); is this node in order?") from None
    except RecursionError:
        raise NodeGarbled(f"{what}: the answer nests too deeply to be read") from None


def refusal(raw: msgspec.Raw, what: str) -> RpcRefused:
    """The node's error object as our error; a malformed one counts as code 0 with its raw text."""
    try:
        fault = _fault.decode(raw)
    except UNREADABLE:
        fault = Fault(0, bytes(raw)[:_WORDS].decode("utf-8", "replace"))
    missing = fault.code in {METHOD_NOT_FOUND, METHOD_NOT_SUPPORTED}
    missing = missing or (fault.code == INVALID_PARAMS and _UNKNOWN_VARIANT in fault.message)
    missing = missing or "not implemented" in fault.message.lower()
    throttled = fault.code in THROTTLED
    return RpcRefused(f"{what}: {said(fault.message)} (code {fault.code})", fault.code, unsupported=missing, throttled=throttled)


def absent(raw: msgspec.Raw) -> bool:
    """No such member in the envelope, or null."""
    return len(raw) == 0 or (len(raw) == len(_NULL) and bytes(raw) == _NULL)


def said(text: str) -> str:
    r"""A node's text, cut, on one line, without control characters.

    >>> said("no\nsuch\x1b[31m thing" + "!" * 500)[:20]
    'no such [31m thing!!'
    """
    shown = "".join(c if c.isprintable() else " " for c in text[:_WORDS])
    return shown + ("…" if len(text) > _WORDS else "")


def shown(url: str) -> str:
    """A URL for messages: scheme, host and port; user, path and query may carry a key and are left out.

    >>> shown("wss://me:secret@node.example/v3/0123abcd?key=1"), shown("ws://127.0.0.1:8545")
    ('wss://node.example/…', 'ws://127.0.0.1:8545')
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(a URL that cannot be read)"
    more = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.hostname or '?'}{port}{more}"


def translated(error: BaseException, what: str) -> NodeError:
    """A foreign exception of connecting, sending or receiving as ours. `what` is what was attempted, on what."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, InvalidStatus) and error.response.status_code == 429:
        return RpcRefused(f"{what}: too many requests (HTTP 429); waiting", 429, throttled=True)
    if isinstance(error, ConnectionClosed):
        return _closed(error, what)
    if isinstance(error, TimeoutError):
        return NodeSilent(f"{what}: no answer in time; is the node stuck or the way there broken?")
    return NodeUnreachable(f"{what}: {_reason(error)}")


def again(error: NodeError) -> NodeError:
    """The same error for one more receiver: an exception raised twice would collect both tracebacks."""
    if isinstance(error, RpcRefused):
        return RpcRefused(str(error), error.code, unsupported=error.unsupported, throttled=error.throttled)
    return type(error)(str(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code} instead of a WebSocket; are the URL and its key right?"
    if isinstance(error, InvalidURI):
        return "not a WebSocket URL"
    if isinstance(error, InvalidHandshake | EOFError):
        return "something answers there, but not a WebSocket server; is it the node's WebSocket port?"
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}; is the node up?"
    return type(error).__name__


def _closed(error: ConnectionClosed, what: str) -> NodeError:
    ours = error.sent.code if error.sent is not None else None
    theirs = error.rcvd.code if error.rcvd is not None else None
    if ours == _TOO_BIG:
        return NodeOversize(f"{what}: a message over our size limit; ask for less")
    if ours == _NO_PONG:
        return NodeSilent(f"{what}: no answer to a ping; is the node stuck or the way there broken?")
    return NodeUnreachable(f"{what}: the connection was closed{f' with code {theirs}' if theirs else ''}; is the node up?")
