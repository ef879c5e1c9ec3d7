"""With storage order: conflicts become verdicts; so do refused attempts (R7) and takeovers inside a re-entered call (R8)."""

from collections.abc import Iterator

from detectors.reentrancy import unseen
from detectors.reentrancy.ordered import BALANCES, FOREIGN, Conflict, Ordered
from detectors.reentrancy.verdict import BY_ITSELF, FAILED_CAP, STRUCTURAL, Scale, Verdict

IN_ORDER = 0.3
"""Confidence of a re-entry whose books were seen to be in order (checks, effects, interactions): worth knowing, no more."""


def verdicts(scale: Scale) -> Iterator[Verdict]:
    """Every conflict that holds, every takeover, every refusal; a re-entry without any of them is told as in order."""
    ordered = Ordered(scale.structure).run()
    hurt = set()
    for conflict in ordered.conflicts.values():
        verdict = _conflicting(scale, ordered, conflict)
        if verdict is not None:
            hurt.add(verdict.victims[0])
            yield verdict
    for act, slot, value in ordered.taken:
        verdict = _taken(scale, act, slot, value)
        hurt.add(verdict.victims[0])
        yield verdict
    for act, locked in ordered.refused.items():
        if locked and scale.acts.ctx[act] not in hurt:
            yield _blocked(scale, act)
    for verdict in unseen.verdicts(scale):
        if verdict.victims[0] not in hurt and verdict.kind not in {"read_only", "balance"}:
            yield _in_order(verdict)


def _conflicting(scale: Scale, ordered: Ordered, seen: Conflict) -> Verdict | None:
    structure, acts = scale.structure, scale.acts
    contract = acts.ctx[seen.outer]
    if contract is None:
        return None
    outside = acts.ctx[seen.inner] != contract
    start = seen.inner if outside else acts.parent[seen.inner]
    fellow = structure.outside(seen.outer, start, contract) if outside else structure.sandwich(seen.outer, seen.inner)
    if fellow < 0 or _paid_in(scale, contract, seen):
        return None
    if seen.key[0] == FOREIGN:
        return _shared(scale, contract, fellow, seen)
    consumers, payers = structure.consumers(start, fellow, contract), list[str]()
    if not seen.inner_wrote:
        if not structure.surely(fellow, seen.outer):
            return None
        branch = scale.branch(seen.outer, seen.inner)
        paid = {c: scale.paid_for(c, acts.entry[seen.inner]) for c in consumers}
        consumers = [c for c in consumers if paid[c] or ordered.acted_since(acts.ctx[c], seen.since, branch)]
        payers = [payer for c in consumers for payer in paid[c]]
        if not consumers:  # R6: nobody but the initiator looked, or whoever looked did nothing with it
            return None
    kind = _kind(scale, seen, fellow)
    return scale.weigh(kind, scale.victims(contract, consumers, payers), seen.outer, seen.inner, fellow, seen)


def _paid_in(scale: Scale, contract: str, seen: Conflict) -> bool:
    """Did the inner call only pay in, and the outer one count on from there, with nothing lost? An EntryPoint's prefund does."""
    return seen.reread and scale.deposits(seen.inner) and not scale.money.stakes((contract,)).counts


def _kind(scale: Scale, seen: Conflict, fellow: int) -> str:
    if seen.key[0] in BALANCES:
        return "balance"
    if scale.created(fellow):
        return "create"
    if not seen.inner_wrote:
        return "read_only"
    return "cross_contract" if seen.rule == "R1" and scale.acts.parent[seen.inner] != fellow else "same_contract"


def _shared(scale: Scale, contract: str, fellow: int, seen: Conflict) -> Verdict | None:
    """Books that two contracts keep in a third: the waiting one is the payer, the third the ledger."""
    ledger, _ = seen.key[1] if isinstance(seen.key[1], tuple) else (None, None)
    if not isinstance(ledger, str) or (not seen.inner_wrote and scale.acts.parent[seen.inner] != fellow):
        return None
    inner = scale.acts.ctx[seen.inner]
    victims = tuple(dict.fromkeys(a for a in (contract, ledger, inner) if a is not None and a not in scale.structure.known))
    return scale.shared(victims or (contract,), seen.outer, seen.inner, fellow, seen)


def _taken(scale: Scale, act: int, slot: int, value: int) -> Verdict:
    outer = scale.structure.outers[act][0]
    contract = scale.acts.ctx[act] or ""
    return Verdict(
        kind="delegate",
        victims=(contract,),
        pausable=(contract,),
        confidence=BY_ITSELF if scale.frames[0].ok else FAILED_CAP,
        outer=outer,
        inner=act,
        fellow=scale.structure.sandwich(outer, act),
        structural=STRUCTURAL,
        code=f"{hex(slot)} = {hex(value)}",
    )


def _blocked(scale: Scale, act: int) -> Verdict:
    outer = scale.structure.outers[act][-1]
    contract = scale.acts.ctx[act] or ""
    fellow = scale.structure.sandwich(outer, act)
    return Verdict(kind="blocked", victims=(contract,), pausable=(), confidence=IN_ORDER, outer=outer, inner=act, fellow=fellow)


def _in_order(verdict: Verdict) -> Verdict:
    return Verdict(
        kind=verdict.kind,
        victims=verdict.victims,
        pausable=(),
        confidence=IN_ORDER,
        outer=verdict.outer,
        inner=verdict.inner,
        fellow=verdict.fellow,
        structural=verdict.structural,
        economics=verdict.economics,
        depth=verdict.depth,
        stakes=verdict.stakes,
    )
