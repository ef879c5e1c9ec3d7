"""A smart-account bundle holds operations of people who know nothing of each other: what one does must not hide another's."""

from msgspec.structs import replace

from detectors.execution.frames import Execution
from detectors.execution.parties import HANDLE_OPS, INNER_HANDLE_OP

MOST = 8
"""Operations that are looked at one by one; a larger bundle is judged as a whole."""


def operations(execution: Execution) -> list[Execution]:
    """The bundle as a whole, and once for each of its operations, with what the others did taken out (as if it had failed)."""
    frames = execution.frames
    if frames[0].selector not in HANDLE_OPS:
        return [execution]
    spans = [
        (i, _end(execution, i))
        for i, frame in enumerate(frames)
        if frame.alive
        and frame.parent >= 0
        and frame.selector in INNER_HANDLE_OP
        and frames[frame.parent].selector not in INNER_HANDLE_OP
    ]
    if not 1 < len(spans) <= MOST:
        return [execution]
    return [execution, *(_alone(execution, span, spans) for span in spans)]


def _end(execution: Execution, first: int) -> int:
    """The frame number after the last one nested in `first`."""
    depth = execution.frames[first].depth
    following = (i for i in range(first + 1, len(execution.frames)) if execution.frames[i].depth <= depth)
    return next(following, len(execution.frames))


def _alone(execution: Execution, mine: tuple[int, int], spans: list[tuple[int, int]]) -> Execution:
    frames = list(execution.frames)
    for first, end in spans:
        if (first, end) != mine:
            frames[first:end] = [replace(frame, alive=False) for frame in frames[first:end]]
    return replace(execution, frames=frames)
