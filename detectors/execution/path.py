"""The call path a finding rests on: the few frames a person must see to follow the money, as a small tree. Pure.

Everything in it was written by whoever made the transaction: contracts and selectors are text to show, never to trust.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from detectors.execution.frames import Access, Execution, Frame, Log

MOST_NODES = 40
"""Frames shown of one path; what lies between is counted, not shown."""

_ALIKE = 3
"""Frames shown that say the same of the same function of the same contract: the tenth round of a spiral tells nothing new."""

_HEAD = 8
"""Of a path longer than there is room for, so many frames from the top are kept; the rest of the room goes to its end."""

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


class Call(msgspec.Struct, frozen=True, gc=False):
    """One frame shown. `parent` is the place of its caller in the tree (-1: the root), `between` counts the frames between them.

    `frame` is its number in the whole trace, `contract` whose storage it uses, `code` whose code it runs where that is another's,
    `function` its selector (none: a plain transfer), `value` in wei as decimal text. `marks` say why it is shown. `left_out`
    counts the frames below it that are not.
    """

    frame: int
    parent: int
    type: str
    contract: str
    code: str
    function: str
    value: str
    failed: bool
    marks: tuple[str, ...] = ()
    between: int = 0
    left_out: int = 0


class CallTree(msgspec.Struct, frozen=True, gc=False):
    """The path in the order it ran, callers before whom they call. `frames` is how many the whole transaction had."""

    calls: tuple[Call, ...]
    frames: int


def call_tree(execution: Execution, victims: Sequence[str], evidence: Mapping[str, str | int | float]) -> CallTree:
    """The frames on the way to what was lost: where the stale slot was touched, what left the victims, how they were entered.

    At most `MOST_NODES`. The `slot` of the evidence is found again where the execution recorded storage in order.

    >>> from detectors.events import Stage
    >>> frames = [Frame("CALL", "0xe1", "0xa0", "0xa0", 0, "0x01020304", None, True, True, -1, 0),
    ...           Frame("CALL", "0xa0", "0xb0", "0xb0", 0, "0x3ccfd60b", None, True, True, 0, 1),
    ...           Frame("CALL", "0xb0", "0xa0", "0xa0", 9, None, None, True, True, 1, 2)]
    >>> deed = Execution(chain="eip155:1", at=0.0, tx="0x1", stage=Stage.INCLUDED, frames=frames)
    >>> [(call.parent, call.contract, call.value, call.marks) for call in call_tree(deed, ("0xb0",), {}).calls]
    [(-1, '0xa0', '0', ()), (0, '0xb0', '0', ('victim',)), (1, '0xa0', '9', ('pays',))]
    """
    frames, marks = execution.frames, dict[int, tuple[str, ...]]()
    for frame, mark in _telling(execution, frozenset(victims), evidence):
        marks[frame] = (*marks.get(frame, ()), mark)
    shown = sorted(_chosen(frames, list(marks)))
    place = {frame: number for number, frame in enumerate(shown)}
    below = _left_out(frames, place)
    return CallTree(tuple(_call(frames, frame, place, marks.get(frame, ()), below[frame]) for frame in shown), len(frames))


def _telling(execution: Execution, victims: frozenset[str], evidence: Mapping[str, str | int | float]) -> list[tuple[int, str]]:
    """Of the frames worth showing, the first few of those that say the same."""
    marked, alike = list(dict.fromkeys(_marked(execution, victims, evidence))), Counter[tuple[str, str | None, str | None]]()
    few = set[tuple[int, str]]()
    for number, mark in sorted(marked):
        frame = execution.frames[number]
        alike[same := (mark, frame.ctx, frame.selector)] += 1
        if alike[same] <= _ALIKE:
            few.add((number, mark))
    return [one for one in marked if one in few]


def _marked(
    execution: Execution, victims: frozenset[str], evidence: Mapping[str, str | int | float]
) -> Iterator[tuple[int, str]]:
    """Frames worth showing with the reason, the most telling first."""
    for step in execution.steps:
        if isinstance(step, Access) and execution.frames[step.frame].ctx in victims and _stale(step, evidence):
            yield step.frame, "writes the slot" if step.op.endswith("store") else "reads the slot"
    for number, frame in enumerate(execution.frames):
        if frame.alive and frame.value > 0 and frame.sender in victims and frame.ctx not in victims:
            yield number, "pays"
    for step in execution.steps:
        if isinstance(step, Log) and step.topics[:1] == (_TRANSFER,) and _holder(step.topics) in victims:
            yield step.frame, "moves a token"
    for number, frame in enumerate(execution.frames):
        entered = frame.parent < 0 or execution.frames[frame.parent].ctx != frame.ctx
        if frame.ctx in victims and entered:
            yield number, "victim"


def _stale(step: Access, evidence: Mapping[str, str | int | float]) -> bool:
    """Is this a step at the slot that the evidence names? One inside a mapping is named by its key, and known by its value."""
    slot = str(evidence.get("slot", ""))
    if " of " not in slot:
        return slot == hex(step.slot)
    return str(step.value) == str(evidence.get("written" if step.op.endswith("store") else "read"))


def _holder(topics: Sequence[str]) -> str:
    """Who a Transfer log says the tokens were taken from."""
    return "0x" + topics[1][-40:] if len(topics) > 1 else ""


def _chosen(frames: Sequence[Frame], wanted: Sequence[int]) -> set[int]:
    """The frames shown: those wanted, with their callers, as long as there is room. The root is always one."""
    chosen = {0} if frames else set[int]()
    for frame in wanted:
        path, at = list[int](), frame
        while at >= 0 and at not in chosen:
            path.append(at)
            at = frames[at].parent
        room = MOST_NODES - len(chosen)
        if len(path) <= room:
            chosen.update(path)
        elif len(chosen) == 1:  # the first is deeper than there is room for: its beginning and its end
            chosen.update(path[-_HEAD:])
            chosen.update(path[: room - _HEAD])
        elif room:
            chosen.add(frame)
    return chosen


def _left_out(frames: Sequence[Frame], place: Mapping[int, int]) -> dict[int, int]:
    """For every frame shown, the frames not shown whose nearest shown caller it is."""
    below = dict.fromkeys(place, 0)
    nearest = [0] * len(frames)
    for number, frame in enumerate(frames):
        nearest[number] = number if number in place else nearest[max(frame.parent, 0)]
        if number not in place:
            below[nearest[number]] += 1
    return below


def _call(frames: Sequence[Frame], number: int, place: Mapping[int, int], marks: tuple[str, ...], left_out: int) -> Call:
    frame, above, between = frames[number], frames[number].parent, 0
    while above >= 0 and above not in place:
        above, between = frames[above].parent, between + 1
    return Call(
        frame=number,
        parent=place[above] if above >= 0 else -1,
        type=frame.type,
        contract=frame.ctx or "unknown",
        code=frame.to if frame.to is not None and frame.to != frame.ctx else "",
        function=frame.selector or "",
        value=str(frame.value),
        failed=not frame.alive,
        marks=marks,
        between=between,
        left_out=left_out,
    )
