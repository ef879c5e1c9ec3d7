"""The `callTracer` of geth and its kin: nested frames, and with `withLog` each log's place among its frame's calls."""

from collections.abc import Generator

import msgspec

from detectors.execution import (
    BORROWS_CODE,
    CALL,
    CALLCODE,
    CREATE,
    CREATE2,
    CREATES,
    DELEGATECALL,
    MAX_DEPTH,
    SELFDESTRUCT,
    STATICCALL,
    Execution,
    Frame,
    Log,
    Step,
)
from monitor.chains.traces.readings import Origin, too_deep
from monitor.chains.traces.words import Words, data, is_error, quantity, text
from monitor.errors import TraceUnreadable

TRACER = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
"""What to ask a node for."""

TYPES = frozenset((CALL, STATICCALL, DELEGATECALL, CALLCODE, CREATE, CREATE2, SELFDESTRUCT))
A_STRETCH = 500
"""Frames and logs read on end: about a millisecond's worth."""
_LAST = 1 << 62


class CallLog(msgspec.Struct, gc=False):
    """A log of one frame; `position` is the number of child calls before it, absent on old nodes."""

    address: str
    topics: list[str]
    data: str | None = None
    position: str | int | None = None


class CallFrame(msgspec.Struct, gc=False, rename="camel"):
    """One call as the node nests it."""

    type: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    value: str | None = None
    input: str | None = None
    output: str | None = None
    gas_used: str | None = None
    error: msgspec.Raw = msgspec.Raw()
    calls: list["CallFrame"] | None = None
    logs: list[CallLog] | None = None


Unfolding = Generator[None, None, tuple[list[Frame], list[Step]]]
"""Frames and steps in the making; pauses now and then, for whoever must not hold others up."""


def read(root: CallFrame, origin: Origin, words: Words) -> Execution:
    """The execution of a decoded trace. Raises TraceUnreadable: too deep, an unknown call type, a word that is none."""
    frames, steps = flatten(root, words)
    return origin.execution(frames, steps)


def flatten(root: CallFrame, words: Words) -> tuple[list[Frame], list[Step]]:
    """Frames in pre-order and logs in the order they were emitted, at one go."""
    unfolding = unfold(root, words)
    while True:
        try:
            next(unfolding)
        except StopIteration as done:
            found: tuple[list[Frame], list[Step]] = done.value
            return found


def unfold(root: CallFrame, words: Words) -> Unfolding:
    """As `flatten`, by an explicit stack, with a pause every `A_STRETCH` of frames and logs.

    Eight megabytes hold 40,000 of them, which take a tenth of a second.
    """
    frames: list[Frame] = []
    steps: list[Step] = []
    todo: list[tuple[CallFrame | CallLog, int]] = [(root, -1)]
    while todo:
        node, parent = todo.pop()
        if type(node) is CallLog:
            steps.append(_log(node, parent, frames, words))
        else:
            assert isinstance(node, CallFrame)  # noqa: S101 - for the type checker; the stack holds nothing else
            above = frames[parent] if parent >= 0 else None
            here = len(frames)
            frames.append(_frame(node, parent, above, words))
            if node.logs:
                todo.extend((child, here) for child in reversed(_merged(node.calls or [], node.logs)))
            elif node.calls:
                todo.extend([(child, here) for child in reversed(node.calls)])
        if not (len(frames) + len(steps)) % A_STRETCH:
            yield
    return frames, steps


def _frame(node: CallFrame, parent: int, above: Frame | None, words: Words) -> Frame:
    kind, addresses = node.type, words.addresses
    if kind not in TYPES:
        raise TraceUnreadable(f"unknown call type {kind[:40]!r}")
    ok = not is_error(node.error)
    sender, to = addresses[node.from_], addresses[node.to]
    ctx, alive, depth = to, ok, 0
    if above is not None:
        alive, depth = ok and above.alive, above.depth + 1
        if depth > MAX_DEPTH:
            raise too_deep(depth)
        sender = above.ctx or sender
    if kind in BORROWS_CODE or kind == SELFDESTRUCT:
        ctx = sender
    coded = kind not in CREATES and kind != SELFDESTRUCT
    return Frame(
        type=kind,
        sender=sender,
        to=to,
        ctx=ctx,
        value=0 if kind in {STATICCALL, DELEGATECALL} else words.amounts[node.value],
        selector=words.selectors[node.input[:10]] if coded and node.input else None,
        input=data(node.input),
        ok=ok,
        alive=alive,
        parent=parent,
        depth=depth,
        output=data(node.output),
        error=None if ok else text(node.error),
        gas_used=None if node.gas_used is None else quantity(node.gas_used),
    )


def _merged(calls: list[CallFrame], logs: list[CallLog]) -> list[CallFrame | CallLog]:
    """A frame's children and logs in execution order; a log that does not say its place comes last."""
    places = [_LAST if log.position is None else quantity(log.position) for log in logs]
    merged: list[CallFrame | CallLog] = []
    at = 0
    for log, place in sorted(zip(logs, places, strict=True), key=lambda pair: pair[1]):
        until = min(place, len(calls))
        if until > at:
            merged += calls[at:until]
            at = until
        merged.append(log)
    merged += calls[at:]
    return merged


def _log(log: CallLog, frame: int, frames: list[Frame], words: Words) -> Log:
    address = words.addresses[log.address]
    return Log(frame, len(frames), address or "", tuple(topic.lower() for topic in log.topics), data(log.data))
