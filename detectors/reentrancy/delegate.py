"""R8: a contract runs somebody else's code in its own storage. No re-entry is needed to lose everything that way."""

from collections.abc import Iterator

from detectors.execution.frames import BORROWS_CODE, CREATES
from detectors.reentrancy.structure import Structure
from detectors.reentrancy.verdict import BY_ITSELF, FAILED_CAP, Verdict


def verdicts(structure: Structure) -> Iterator[Verdict]:
    """Each contract outside U that runs code of U.

    A proxy that forwards its own call data to its implementation borrows nothing, unless that code was made just now.
    """
    fresh = {frame.ctx for frame in structure.frames if frame.type in CREATES}
    for i, frame in enumerate(structure.frames):
        if frame.type not in BORROWS_CODE or frame.to is None or frame.ctx is None or frame.to == frame.ctx:
            continue
        if frame.to not in structure.party or frame.ctx in structure.party or not structure.alive[i]:
            continue
        act = structure.acts.of[i]
        entry = structure.frames[structure.acts.entry[act]]
        if frame.to in fresh or (frame.selector, frame.input) != (entry.selector, entry.input):
            confidence = BY_ITSELF if structure.frames[0].ok else FAILED_CAP
            yield Verdict(
                kind="delegate", victims=(frame.ctx,), pausable=(frame.ctx,), confidence=confidence, inner=act, code=frame.to
            )
