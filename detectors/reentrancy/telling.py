"""What a finding says: a title for the person paged, and the numbers it rests on."""

from collections.abc import Hashable

from detectors.execution.frames import Frame
from detectors.reentrancy.structure import Structure
from detectors.reentrancy.verdict import Verdict

HOPS = 6
"""Contracts shown of a path; the middle of a longer one is elided."""

SAFE = 2**53
"""Larger integers are told as decimal text, so that no reader rounds them."""

SAYS = {
    "same_contract": "{victim} was re-entered by {fellow} before its books were settled",
    "cross_contract": "{fellow} reached {victim} through another contract while {victim} was paying",
    "read_only": "{consumer} acted on what {victim} showed in the middle of a payment to {fellow}",
    "balance": "{victim} was used by {fellow} while its holdings were on the move",
    "create": "{victim} was re-entered by {fellow}, a contract it was just creating or being created in its call",
    "delegate": "{victim} ran or installed code of {fellow} in its own storage",
    "blocked": "{fellow} tried to re-enter {victim}; its lock refused",
}


def short(address: str | None) -> str:
    """An address as people recognise it."""
    return "?" if address is None else address if len(address) <= 14 else f"{address[:8]}…{address[-4:]}"


def number(value: int | None) -> int | str:
    """A number as evidence holds it."""
    return "unknown" if value is None else value if abs(value) < SAFE else str(value)


def title(structure: Structure, verdict: Verdict) -> str:
    """One sentence: who did what to whom."""
    told = SAYS[verdict.kind].format(
        victim=short(verdict.victims[0]),
        consumer=short(verdict.victims[-1]),
        fellow=short(structure.acts.ctx[verdict.fellow]) if verdict.fellow >= 0 else short(verdict.code),
    )
    return told + "; not judged fully: storage order is missing" if verdict.held_back else told


def evidence(structure: Structure, verdict: Verdict) -> dict[str, str | int | float]:
    """Score parts, the call path, what was read and written, what was lost."""
    told: dict[str, str | int | float] = {
        "structural": verdict.structural,
        "conflict": verdict.conflict,
        "economics": round(verdict.economics, 4),
        "depth": verdict.depth,
    }
    if verdict.outer >= 0:
        told["path"] = path(structure, verdict)
        told["outer_selector"] = _entry(structure, verdict.outer).selector or "none"
        told["inner_selector"] = _entry(structure, verdict.inner).selector or "none"
    if verdict.seen is not None:
        seen = verdict.seen
        told["rule"] = seen.rule
        told["slot"] = _slot(seen.key[1])
        told["space"] = seen.key[0]
        told["read"] = number(seen.read)
        told["written"] = number(seen.written)
        told["left_by_inner"] = number(seen.left)
        told["reread"] = int(seen.reread)
    if verdict.code is not None:
        told["code"] = verdict.code
    if verdict.stakes is not None:
        told["economics_by"] = verdict.stakes.why
        if verdict.stakes.share is not None:
            told["outflow_share"] = round(verdict.stakes.share, 6)
        if verdict.stakes.asset is not None:
            told["asset"] = verdict.stakes.asset
            told["gain"] = number(verdict.stakes.gain)
    return told


def path(structure: Structure, verdict: Verdict) -> str:
    """The contracts from the waiting activation to the inner one."""
    acts = structure.acts
    hops = [verdict.inner, *acts.between(verdict.outer, verdict.inner), verdict.outer][::-1]
    shown = [short(acts.ctx[act]) for act in hops]
    if len(shown) > HOPS:
        shown = [*shown[: HOPS // 2], "…", *shown[-HOPS // 2 :]]
    return " → ".join(shown)


def _slot(key: Hashable) -> str:
    if isinstance(key, int):
        return hex(key)
    if isinstance(key, tuple):
        return " of ".join(_slot(part) for part in reversed(key))
    return str(key) or "ether"


def _entry(structure: Structure, act: int) -> Frame:
    return structure.frames[structure.acts.entry[act]]
