"""Storage order by a JavaScript tracer of our own: a flat list of events, nested on our side and checked against callTracer.

It costs the node tens of microseconds an opcode, so only what the structural prefilter flags is asked for.
"""

import msgspec

from detectors.execution import CREATES, DELEGATECALL, MAX_DEPTH, SELFDESTRUCT, STATICCALL, Access, Execution, Frame, Log, Step
from monitor.chains.traces.calltracer import TYPES
from monitor.chains.traces.readings import too_deep
from monitor.chains.traces.script import SCRIPT
from monitor.chains.traces.words import Words, data, quantity
from monitor.errors import TraceUnreadable

TRACER = {"tracer": SCRIPT}
"""What to ask a node for."""


class Enter(msgspec.Struct, array_like=True, tag_field="event", tag="e", gc=False):
    """A frame begins. `to` is the beneficiary for SELFDESTRUCT."""

    type: str
    to: str
    value: str
    input: str


class Exit(msgspec.Struct, array_like=True, tag_field="event", tag="x", gc=False):
    """The innermost frame ends."""

    ok: int
    gas_used: float | None
    output: str | None


class Touched(msgspec.Struct, array_like=True, tag_field="event", tag="t", gc=False):
    """A storage, transient or balance access; the value is null when the frame ended before it was seen."""

    op: str
    key: str
    value: str | None


class Emitted(msgspec.Struct, array_like=True, tag_field="event", tag="l", gc=False):
    """A log; data is null when large."""

    topics: list[str]
    data: str | None


class Recording(msgspec.Struct, rename={"from_": "from"}, gc=False):
    """What the script returns; everything but the events is about the root frame."""

    events: list[Enter | Exit | Touched | Emitted]
    whole: bool
    ok: bool
    type: str
    from_: str
    to: str | None
    value: str
    input: str


def read(recording: Recording, first: Execution, words: Words) -> Execution:
    """The second look at a transaction: `first` with its storage in order.

    A recording whose frames are not those of `first` (type, to, selector, in pre-order) is not believed: what comes back is
    `first`, still without storage. Raises TraceUnreadable on words that are none.
    """
    frames, steps, whole = flatten(recording, first, words)
    complete = first.complete and whole
    if whole and [_shape(frame) for frame in frames] != [_shape(frame) for frame in first.frames]:
        return msgspec.structs.replace(first, supersedes=True)
    return msgspec.structs.replace(
        first, frames=frames, steps=steps, storage="ordered", logged=True, complete=complete, supersedes=True
    )


def _shape(frame: Frame) -> tuple[str, str | None, str | None]:
    """What two tracers must agree on. Where a failed creation would have been they do not."""
    failed = frame.type in CREATES and not frame.ok
    return frame.type, None if failed else frame.to, frame.selector


def flatten(recording: Recording, first: Execution, words: Words) -> tuple[list[Frame], list[Step], bool]:
    """Frames and steps of a recording, and whether all of it is there. The root is that of `first`, which both tracers show."""
    reader = _Reader(words, recording, first)
    for event in recording.events:
        reader.take(event)
    return reader.done(), reader.steps, recording.whole and len(reader.path) == 1


class _Reader:
    """Half-read frames on a stack: whether a frame is alive is known only once all its ancestors have ended."""

    def __init__(self, words: Words, recording: Recording, first: Execution) -> None:
        self.words = words
        root = first.frames[0]
        if (recording.type, words.addresses[recording.from_]) != (root.type, root.sender):
            raise TraceUnreadable("the storage trace is of another transaction than the call trace")
        ok = recording.ok and root.ok
        self.frames = [msgspec.structs.replace(root, ok=ok, alive=ok)]
        self.steps: list[Step] = []
        self.path = [0]

    def take(self, event: Enter | Exit | Touched | Emitted) -> None:
        match event:
            case Touched():
                self.touch(event)
            case Enter():
                self.enter(event)
            case Exit():
                self.exit(event)
            case Emitted():
                self.emit(event)

    def enter(self, event: Enter) -> None:
        if event.type not in TYPES:
            raise TraceUnreadable(f"unknown call type {event.type[:40]!r}")
        parent, words = self.path[-1], self.words
        above, depth = self.frames[parent], len(self.path)
        if depth > MAX_DEPTH:
            raise too_deep(depth)
        to = words.addresses[event.to]
        own = event.type in CREATES or event.type in {"CALL", STATICCALL}
        coded = event.type not in CREATES and event.type != SELFDESTRUCT
        frame = Frame(
            type=event.type,
            sender=above.ctx,
            to=to,
            ctx=to if own else above.ctx,
            value=0 if event.type in {DELEGATECALL, STATICCALL} else words.amounts[event.value],
            selector=words.selectors[event.input[:10]] if coded else None,
            input=data(event.input),
            ok=True,
            alive=True,
            parent=parent,
            depth=depth,
        )
        self.path.append(len(self.frames))
        self.frames.append(frame)

    def exit(self, event: Exit) -> None:
        if len(self.path) == 1:
            raise TraceUnreadable("the storage trace ends more frames than it began")
        here = self.path.pop()
        frame = self.frames[here]
        gas = None if event.gas_used is None else int(event.gas_used)
        output = data(event.output) if frame.type not in CREATES else None
        self.frames[here] = msgspec.structs.replace(
            frame, ok=bool(event.ok), output=output, error=None if event.ok else "failed", gas_used=gas
        )

    def touch(self, event: Touched) -> None:
        if event.value is None:
            return
        balance = event.op == "balance"
        address = self.words.addresses[event.key] if balance else None
        slot = 0 if balance else quantity(event.key)
        self.steps.append(Access(event.op, self.path[-1], len(self.frames), slot, quantity(event.value), address))

    def emit(self, event: Emitted) -> None:
        here = self.path[-1]
        topics = tuple(topic.lower() for topic in event.topics)
        self.steps.append(Log(here, len(self.frames), self.frames[here].ctx or "", topics, event.data))

    def done(self) -> list[Frame]:
        """The frames, each alive iff it and all above it succeeded."""
        frames = self.frames
        for i, frame in enumerate(frames):
            alive = frame.ok and (i == 0 or frames[frame.parent].alive)
            if alive is not frame.alive:
                frames[i] = msgspec.structs.replace(frame, alive=alive)
        return frames
