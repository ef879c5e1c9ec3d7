"""R8: a contract runs somebody else's code in its own storage. No re-entry is needed to lose everything that way."""

from collections.abc import Iterator

from msgspec.structs import replace

from detectors.execution.frames import BORROWS_CODE, CREATES, Frame
from detectors.reentrancy.structure import LOOKS, Structure, named
from detectors.reentrancy.verdict import BY_ITSELF, ECONOMICS, FAILED_CAP, Scale, Verdict

LENT_CODE = 0.6
"""Confidence when code that a caller chose was run, and much is gone, but not to U as far as can be seen."""


def verdicts(structure: Structure) -> Iterator[Verdict]:
    """Each contract outside U that runs code of U; or code that its caller named, and is the poorer for it.

    A proxy that forwards its own call data to its implementation borrows nothing, unless that code was made just now. Wallets
    run code that their owners name every day: there only the loss tells.
    """
    fresh = {frame.ctx for frame in structure.frames if frame.type in CREATES}
    scale: Scale | None = None
    weighed: set[str] = set()
    for i, frame in enumerate(structure.frames):
        if frame.type not in BORROWS_CODE or frame.to is None or frame.ctx is None or frame.to == frame.ctx:
            continue
        if frame.ctx in structure.party or not structure.alive[i]:
            continue
        act = structure.acts.of[i]
        entry = structure.frames[structure.acts.entry[act]]
        forwards = frame.to not in fresh and (frame.selector, frame.input) == (entry.selector, entry.input)
        if forwards:
            continue
        if frame.to in structure.party:
            yield _verdict(structure, frame, act, BY_ITSELF)
        elif _strange(structure, frame.to) and (named(frame.to, entry) or frame.to in structure.operated):
            weighed.add(frame.ctx)
            if len(weighed) > LOOKS and frame.ctx not in (structure.watch.watched or ()):
                continue  # an attacker can make any number of wallets; what is watched is always weighed
            scale = scale or Scale(structure)
            stakes = scale.money.stakes((frame.ctx,))
            if stakes.counts:
                found = _verdict(structure, frame, act, BY_ITSELF if stakes.gain > 0 else LENT_CODE)
                yield replace(found, economics=ECONOMICS, stakes=stakes)


def _strange(structure: Structure, code: str) -> bool:
    """Does nobody vouch for this code?"""
    return code not in structure.known and code not in (structure.watch.watched or ())


def _verdict(structure: Structure, frame: Frame, act: int, confidence: float) -> Verdict:
    victim = frame.ctx or ""
    return Verdict(
        kind="delegate",
        victims=(victim,),
        pausable=(victim,),
        confidence=confidence if structure.frames[0].ok else FAILED_CAP,
        inner=act,
        code=frame.to,
    )
