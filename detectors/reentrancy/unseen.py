"""Without storage order: what the call tree, the logs and the flows allow to say."""

from bisect import bisect_right
from collections.abc import Iterator

from detectors.reentrancy.verdict import Scale, Verdict

DEEDS = 64
"""How many deeds of a consumer after its look are considered."""


def verdicts(scale: Scale) -> Iterator[Verdict]:
    """Each sandwiched pair that lived, once for every class and set of victims."""
    met = set[tuple[str, tuple[str, ...], int, bool]]()
    structure = scale.structure
    for inner, outers in structure.outers.items():
        if not structure.alive[scale.acts.entry[inner]]:
            continue
        for outer in dict.fromkeys((outers[0], outers[-1])):
            found = _pair(scale, outer, inner)
            if found is None:
                continue
            name = (found.kind, found.victims, round(100 * found.confidence), found.held_back)
            if name not in met:
                met.add(name)
                yield found
    yield from _shared(scale)
    for outer, reader, frame in structure.looks:
        contract = scale.acts.ctx[outer]
        fellow = structure.outside(outer, reader, contract)
        if contract is None or frame < 0:
            continue
        consumers = [c for c in structure.consumers(reader, fellow, contract) if _moved_on(scale, c, frame, outer, fellow)]
        if consumers:
            payers = [payer for consumer in consumers for payer in scale.paid_for(consumer, frame)]
            yield scale.weigh("balance", scale.victims(contract, consumers, payers), outer, reader, fellow)


def _shared(scale: Scale) -> Iterator[Verdict]:
    """Books that two contracts keep in a third, as far as the call tree shows it."""
    structure = scale.structure
    for host, (inner, fellow) in structure.shared.items():
        contract, ledger = scale.acts.ctx[host], scale.acts.ctx[inner]
        if contract is not None and ledger is not None and structure.alive[scale.acts.entry[inner]]:
            callers = structure.consumers(scale.acts.parent[inner], fellow, ledger)
            victims = scale.victims(contract, [inner, *callers])
            found = scale.shared(victims, host, inner, fellow)
            if found is not None:
                yield found


def _pair(scale: Scale, outer: int, inner: int) -> Verdict | None:
    structure, acts = scale.structure, scale.acts
    contract, fellow = acts.ctx[outer], structure.sandwich(outer, inner)
    sure = structure.surely(fellow, outer)
    if contract is None or not (sure or (acts.last[inner] > inner and not acts.static[inner])):
        return None  # merely operated: a peer that is asked something is how lending works
    consumers = structure.consumers(acts.parent[inner], fellow, contract)
    if acts.static[inner]:
        consumers = [consumer for consumer in consumers if _moved_on(scale, consumer, acts.entry[inner], outer, fellow)]
        payers = [payer for consumer in consumers for payer in scale.paid_for(consumer, acts.entry[inner])]
        return scale.weigh("read_only", scale.victims(contract, consumers, payers), outer, inner, fellow) if consumers else None
    direct = acts.parent[inner] == fellow
    kind = "create" if scale.created(fellow) else "same_contract" if direct else "cross_contract"
    return scale.weigh(kind, scale.victims(contract, consumers), outer, inner, fellow)


def _moved_on(scale: Scale, consumer: int, look: int, outer: int, fellow: int) -> bool:
    """After its look (a frame), did the consumer send U value, have it sent, or say in an event that it changed?

    Where no events were recorded, one that could change (it is not static) may have: the flows must then tell.
    """
    if not scale.structure.execution.logged:
        return True
    branch = scale.branch(outer, fellow)
    deeds = scale.deeds.get(scale.acts.ctx[consumer], ())
    first = bisect_right(deeds, (look, len(scale.acts)))
    own = any(branch <= act <= scale.acts.last[branch] for _, act in deeds[first : first + DEEDS])
    return own or bool(scale.paid_for(consumer, look))
