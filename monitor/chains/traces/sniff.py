"""Which dialect is this? A recorded file may be any of them, alone, in a JSON-RPC envelope, in a list, or one per line."""

from collections.abc import Callable, Iterator

import msgspec

from detectors.events import Position
from detectors.execution import Execution
from monitor.chains.traces import calltracer, interchange, parity
from monitor.chains.traces.readings import Origin, Reading, Unreadable
from monitor.chains.traces.words import Words, decode, is_error, text
from monitor.errors import TraceUnreadable

_MARKS = (b'"calls"', b'"steps"', b'"traceAddress"')
_ROWS, _NEAR = b'"traceAddress"', 4096
_WRAPPED = (b'"jsonrpc"', b'"txHash"')
"""What marks a list of rows, and how far into it one need look: a row with longer call data is told by decoding it."""

_NO_EXECUTION = (
    "holds no execution: want callTracer output, trace_block or trace_transaction rows, or the seawall.execution format"
)


class _Document(msgspec.Struct, rename="camel", gc=False):
    """The keys that tell dialects apart, undecoded, save for the rows of a block: they are many, and read in this one pass."""

    format: msgspec.Raw = msgspec.Raw()
    traces: list[parity.Row] | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    tx_hash: str | None = None
    type: msgspec.Raw = msgspec.Raw()
    trace_address: msgspec.Raw = msgspec.Raw()
    number: int | None = None


def read(data: bytes, origin: Origin | str, words: Words | None = None) -> Iterator[Reading]:
    """Every execution of a document, in order, and what could not be read, as Unreadable. Never raises on any bytes.

    `origin` is at least the name of the file. Call `allow_deep()` once before, or deep traces stay unread.
    """
    origin = Origin(source=origin) if isinstance(origin, str) else origin
    words = words or Words()
    words.bound()
    if not data.strip():
        yield Unreadable(source=origin.source, reason="empty", execution=False)
        return
    try:
        yield from _read(data, origin, words)
    except TraceUnreadable as error:
        if "trailing" in str(error):
            yield from _lines(data, origin, words)
        else:
            yield _unread(data, origin, error)


def _unread(data: bytes, origin: Origin, error: TraceUnreadable) -> Unreadable:
    """Deep is an execution we cannot judge when it looks like one at all; other garbage is none."""
    whole = bytes(data)
    execution = error.deep and any(mark in whole for mark in _MARKS)
    reason = str(error) if execution or not error.deep else "not JSON: brackets nested without end"
    return Unreadable(source=origin.source, tx=origin.tx, reason=reason, execution=execution)


def _lines(data: bytes, origin: Origin, words: Words) -> Iterator[Reading]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        place = msgspec.structs.replace(origin, tx=f"{origin.source}#{number}")
        try:
            yield from _read(line, place, words)
        except TraceUnreadable as error:
            yield _unread(line, place, TraceUnreadable(f"line {number}: {error}", deep=error.deep))


def _read(data: bytes, origin: Origin, words: Words) -> Iterator[Reading]:
    if data[:64].lstrip()[:1] == b"[":
        yield from _list(data, origin, words)
    else:
        yield from _object(data, origin, words)


def _list(data: bytes, origin: Origin, words: Words) -> Iterator[Reading]:
    head = data[:_NEAR]
    if _ROWS in head and not any(mark in head for mark in _WRAPPED):
        yield from parity.read(decode(data, list[parity.Row]), origin, words)
        return
    items = decode(data, list[msgspec.Raw])
    if not items:
        raise TraceUnreadable(f"an empty list {_NO_EXECUTION}")
    first = decode(items[0], _Document)
    if first.trace_address:
        yield from parity.read(decode(data, list[parity.Row]), origin, words)
        return
    if first.result and origin.position is None:
        origin = msgspec.structs.replace(origin, position=Position(0, origin.source))
    for index, item in enumerate(map(bytes, items)):
        place = msgspec.structs.replace(origin, index=index, tx=f"{origin.source}#{index}")
        try:
            yield from _object(item, place, words)
        except TraceUnreadable as error:
            yield _unread(item, place, TraceUnreadable(f"item {index}: {error}", deep=error.deep))


def _object(data: bytes, origin: Origin, words: Words) -> Iterator[Reading]:
    document = decode(data, _Document)
    if document.tx_hash:
        origin = msgspec.structs.replace(origin, tx=document.tx_hash.lower())
    if document.format:
        wire = decode(data, interchange.WireExecution)
        origin = interchange.placed(wire, origin)
        yield _one(lambda: interchange.read(wire, origin, words), origin)
    elif document.traces is not None:
        yield from parity.read(document.traces, origin, words)
    elif document.result and bytes(document.result) != b"null":
        yield from _read(bytes(document.result), origin, words)
    elif document.type:
        root = decode(data, calltracer.CallFrame)
        yield _one(lambda: calltracer.read(root, origin, words), origin)
    elif is_error(document.error):
        said = (text(document.error) or "")[:120]
        yield Unreadable(source=origin.source, tx=origin.tx, reason=f"the node gave an error instead of a trace: {said}")
    else:
        raise TraceUnreadable(_NO_EXECUTION)


def _one(make: Callable[[], Execution], origin: Origin) -> Reading:
    try:
        return make()
    except TraceUnreadable as error:
        return origin.unreadable(error)
