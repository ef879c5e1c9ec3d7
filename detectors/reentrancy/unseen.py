"""Without storage order: what the call tree, the logs and the flows allow to say."""

from collections.abc import Iterator

from detectors.execution.frames import Log
from detectors.reentrancy.structure import TRANSFER, TRANSFER_FROM, argument
from detectors.reentrancy.verdict import Scale, Verdict

MINT = "0x40c10f19"


def verdicts(scale: Scale) -> Iterator[Verdict]:
    """Each sandwiched pair that lived, once for every class and set of victims."""
    met: set[tuple[str, tuple[str, ...], int]] = set()
    structure = scale.structure
    for inner, outers in structure.outers.items():
        if not structure.alive[scale.acts.entry[inner]]:
            continue
        for outer in outers:
            found = _pair(scale, outer, inner)
            if found is not None and (found.kind, found.victims, round(100 * found.confidence)) not in met:
                met.add((found.kind, found.victims, round(100 * found.confidence)))
                yield found
    for host, (inner, fellow) in structure.shared.items():
        contract, ledger = scale.acts.ctx[host], scale.acts.ctx[inner]
        if contract is not None and ledger is not None and structure.alive[scale.acts.entry[inner]]:
            callers = structure.consumers(scale.acts.parent[inner], fellow, ledger)
            victims = scale.victims(contract, [inner, *callers])
            yield scale.weigh("cross_contract", victims, host, inner, fellow)
    for outer, reader, frame in structure.looks:
        contract = scale.acts.ctx[outer]
        fellow = structure.outside(outer, reader, contract)
        if contract is None or frame < 0:
            continue
        branch = scale.branch(outer, reader)
        consumers = [c for c in structure.consumers(reader, fellow, contract) if _moved_on(scale, c, frame, branch)]
        if consumers:
            yield scale.weigh("balance", scale.victims(contract, consumers), outer, reader, fellow)


def _pair(scale: Scale, outer: int, inner: int) -> Verdict | None:
    structure, acts = scale.structure, scale.acts
    contract, fellow = acts.ctx[outer], structure.sandwich(outer, inner)
    if contract is None:
        return None
    consumers = structure.consumers(acts.parent[inner], fellow, contract)
    if acts.static[inner]:
        branch = scale.branch(outer, inner)
        consumers = [consumer for consumer in consumers if _moved_on(scale, consumer, acts.entry[inner], branch)]
        return scale.weigh("read_only", scale.victims(contract, consumers), outer, inner, fellow) if consumers else None
    direct = acts.parent[inner] == fellow
    kind = "create" if scale.created(fellow) else "same_contract" if direct else "cross_contract"
    return scale.weigh(kind, scale.victims(contract, consumers), outer, inner, fellow)


def _moved_on(scale: Scale, consumer: int, look: int, branch: int) -> bool:
    """After its look (a frame), did the consumer's contract send U value, or say in an event that it changed?"""
    contract, structure = scale.acts.ctx[consumer], scale.structure
    following = scale.acts.last[branch] + 1
    end = scale.acts.entry[following] if following < len(scale.acts) else len(scale.frames)
    if any(_pays_us(scale, i, contract) for i in range(look + 1, end)):
        return True
    return any(
        isinstance(step, Log)
        and step.address == contract
        and step.before > look
        and structure.alive[step.frame]
        and scale.acts.encloses(branch, scale.acts.of[step.frame])
        for step in structure.execution.steps
    )


def _pays_us(scale: Scale, i: int, contract: str | None) -> bool:
    frame, party = scale.frames[i], scale.structure.party
    if frame.parent < 0 or scale.frames[frame.parent].ctx != contract or not scale.structure.alive[i]:
        return False
    if frame.selector in (TRANSFER, MINT):
        return argument(frame) in party
    return bool(frame.value and frame.ctx in party) or (frame.selector == TRANSFER_FROM and argument(frame, 1) in party)
