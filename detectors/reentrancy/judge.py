"""From pairs and conflicts to verdicts: class, victims, score parts. One verdict is one way the transaction may hurt someone."""

from collections.abc import Iterator

import msgspec

from detectors.execution.frames import BORROWS_CODE, CALL, CREATES, Log
from detectors.reentrancy.money import Money, Stakes
from detectors.reentrancy.ordered import BALANCES, TRANSFER, TRANSFER_FROM, Conflict, Ordered
from detectors.reentrancy.structure import Structure, argument

STRUCTURAL, CONFLICT, ECONOMICS = 0.3, 0.4, 0.3
BY_ITSELF = 0.85
"""Confidence of what is pause-grade by itself: borrowed code (R8), a spiral that pays more at every turn."""

FAILED_CAP = 0.49
"""The most a transaction that failed as a whole can mean."""

UNSEEN_PAUSE_SHARE = 0.05
"""Without storage order, the victim's outflow from which structure and economics together pause."""

MINT = "0x40c10f19"

SPIRAL = 3
"""Nested entries by one selector from which rising outflow needs no storage order."""

CALLBACKS = frozenset(
    (
        "0x10d1e85c",  # uniswapV2Call
        "0xfa461e33",  # uniswapV3SwapCallback
        "0xe9cbafb0",  # uniswapV3FlashCallback
        "0x91dd7346",  # unlockCallback, Uniswap V4
        "0x23e30c8b",  # onFlashLoan, ERC-3156
        "0xf04f2707",  # receiveFlashLoan, Balancer
        "0x920f5c84",  # executeOperation, Aave V2
        "0x1b11d0ff",  # executeOperation, Aave V3 simple
    )
)
"""Callbacks by design: whoever receives one was lent to on purpose, so being between is no sign by itself."""

REPAYS = frozenset(("0xa9059cbb", "0x23b872dd", "0x573ade81", "0x0e752702", "0x4e4d9fea"))
"""transfer, transferFrom, repay (Aave), repayBorrow (Compound, token and ether)."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One judged way of harm. `outer`, `inner`: activations; `fellow`: the outsider between; score parts as earned."""

    kind: str
    victims: tuple[str, ...]
    outer: int
    inner: int
    fellow: int
    structural: float
    conflict: float
    stakes: Stakes | None
    confidence: float
    depth: int = 2
    seen: Conflict | None = None
    code: str | None = None

    @property
    def economics(self) -> float:
        """The economic part of the score."""
        return ECONOMICS if self.stakes is not None and self.stakes.counts else 0.0


class Judge:
    """Judges one flagged transaction, with storage order where it has been recorded and without where not."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.acts = structure.acts
        self.frames = structure.frames
        self._money: Money | None = None
        self._payers = payers(structure)

    @property
    def money(self) -> Money:
        """The flows, worked out when first asked for."""
        if self._money is None:
            self._money = Money(self.structure)
        return self._money

    def verdicts(self) -> Iterator[Verdict]:
        """Every verdict, in no particular order; the caller keeps the strongest for each kind and victim."""
        if self.structure.execution.ordered:
            yield from self._with_storage()
        else:
            yield from self._without_storage()

    # with storage order -------------------------------------------------------------------------------------------------------

    def _with_storage(self) -> Iterator[Verdict]:
        ordered = Ordered(self.structure).run()
        for conflict in ordered.conflicts.values():
            verdict = self._conflicting(conflict, ordered)
            if verdict is not None:
                yield verdict

    def _conflicting(self, seen: Conflict, ordered: Ordered) -> Verdict | None:
        contract = self.acts.ctx[seen.outer]
        outside = self.acts.ctx[seen.inner] != contract
        fellow = self._fellow(seen.outer, seen.inner, outside=outside)
        if contract is None or fellow < 0:
            return None
        consumers = self._consumers(seen.inner, fellow, contract, outside=outside)
        direct = self.acts.parent[seen.inner] == fellow
        if not seen.inner_wrote:
            consumers = [c for c in consumers if _acted(ordered, self.acts.ctx[c], seen, self._branch(seen.outer, seen.inner))]
            if not consumers:
                return None
        victims = self._victims(contract, consumers)
        kind = self._kind(seen, fellow, crossed=not direct, read_only=not seen.inner_wrote)
        structural = 0.0 if self._sanctioned(seen.outer, seen.inner, fellow) else STRUCTURAL
        return self._scored(kind, victims, seen.outer, seen.inner, fellow, structural=structural, seen=seen)

    def _kind(self, seen: Conflict, fellow: int, *, crossed: bool, read_only: bool) -> str:
        if seen.key[0] in BALANCES:
            return "balance"
        if self.frames[self.acts.entry[fellow]].type in CREATES:
            return "create"
        if read_only:
            return "read_only"
        return "cross_contract" if crossed and seen.rule == "R1" else "same_contract"

    # without ------------------------------------------------------------------------------------------------------------------

    def _without_storage(self) -> Iterator[Verdict]:
        met: set[tuple[str, tuple[str, ...], bool]] = set()
        for inner, outers in self.structure.outers.items():
            if not self.structure.alive[self.acts.entry[inner]]:
                continue
            for outer in outers:
                found = self._unseen(outer, inner)
                if found is None or (found[0], found[1], bool(found[2])) in met:
                    continue
                met.add((found[0], found[1], bool(found[2])))
                kind, victims, structural, fellow = found
                yield self._scored(kind, victims, outer, inner, fellow, structural=structural)

    def _unseen(self, outer: int, inner: int) -> tuple[str, tuple[str, ...], float, int] | None:
        """What the call tree alone says of a pair."""
        contract = self.acts.ctx[outer]
        fellow = self._fellow(outer, inner, outside=False)
        if contract is None or fellow < 0:
            return None
        consumers = self._consumers(inner, fellow, contract, outside=False)
        structural = 0.0 if self._sanctioned(outer, inner, fellow) else STRUCTURAL
        if self.acts.static[inner]:
            branch = self._branch(outer, inner)
            consumers = [consumer for consumer in consumers if self._moved_on(consumer, inner, branch)]
            return ("read_only", self._victims(contract, consumers), structural, fellow) if consumers else None
        if self.frames[self.acts.entry[fellow]].type in CREATES:
            return "create", self._victims(contract, consumers), structural, fellow
        kind = "same_contract" if self.acts.parent[inner] == fellow else "cross_contract"
        return kind, self._victims(contract, consumers), structural, fellow

    def _moved_on(self, consumer: int, inner: int, branch: int) -> bool:
        """Without storage: after its look, did the consumer's contract send U value or say (in an event) that it changed?"""
        contract, party = self.acts.ctx[consumer], self.structure.party
        first, end = self.acts.entry[inner], self._end(branch)
        for i in range(first + 1, end):
            frame = self.frames[i]
            if frame.parent >= 0 and self.frames[frame.parent].ctx == contract and self.structure.alive[i]:
                if frame.value and frame.ctx in party:
                    return True
                if frame.selector in (TRANSFER, MINT) and argument(frame) in party:
                    return True
                if frame.selector == TRANSFER_FROM and argument(frame, 1) in party:
                    return True
        for step in self.structure.execution.steps:
            if isinstance(step, Log) and first < step.before - 1 < end and self.structure.alive[step.frame]:
                if step.address == contract and self.acts.encloses(branch, self.acts.of[step.frame]):
                    return True
        return False

    # shared -------------------------------------------------------------------------------------------------------------------

    def _fellow(self, outer: int, inner: int, *, outside: bool) -> int:
        if outside:
            return self.structure.outside(outer, inner, self.acts.ctx[outer])
        return self.structure.sandwich(outer, inner)

    def _branch(self, outer: int, inner: int) -> int:
        """The activation directly below `outer` on the way to `inner`."""
        at = inner
        while self.acts.parent[at] != outer:
            at = self.acts.parent[at]
        return at

    def _end(self, act: int) -> int:
        """The frame number after the last one of `act` and all nested in it."""
        following = self.acts.last[act] + 1
        return self.acts.entry[following] if following < len(self.acts) else len(self.frames)

    def _consumers(self, inner: int, fellow: int, contract: str, *, outside: bool) -> list[int]:
        """Who, between the look and the outsider, may act on what was seen: not static, not U, not the contract. Nearest first."""
        found = []
        at = inner if outside else self.acts.parent[inner]
        while at > fellow:
            ctx = self.acts.ctx[at]
            if not self.acts.static[at] and ctx != contract and ctx not in self.structure.party:
                found.append(at)
            at = self.acts.parent[at]
        return found

    def _victims(self, contract: str, consumers: list[int]) -> tuple[str, ...]:
        others = [ctx for c in consumers if (ctx := self.acts.ctx[c]) is not None and ctx not in self.structure.known]
        return tuple(dict.fromkeys((contract, *others)))

    def _sanctioned(self, outer: int, inner: int, fellow: int) -> bool:
        """A flash loan or swap callback that the contract itself made, and whose receiver itself came back (section of downgrades)."""
        frame = self.frames[self.acts.entry[fellow]]
        if frame.selector not in CALLBACKS or self.acts.ctx[self.acts.parent[fellow]] != self.acts.ctx[outer]:
            return False
        return self.acts.parent[inner] == fellow or self.frames[self.acts.entry[inner]].selector in REPAYS

    def _scored(
        self,
        kind: str,
        victims: tuple[str, ...],
        outer: int,
        inner: int,
        fellow: int,
        *,
        structural: float,
        seen: Conflict | None = None,
    ) -> Verdict:
        stakes = self.money.stakes(victims)
        conflict = CONFLICT if seen is not None else 0.0
        confidence = structural + conflict + (ECONOMICS if stakes.counts else 0.0)
        depth = self._spiral(outer, inner)
        if seen is None and structural and stakes.counts and (stakes.share or 0.0) >= UNSEEN_PAUSE_SHARE:
            confidence = max(confidence, BY_ITSELF)
        if structural and depth >= SPIRAL:
            confidence = max(confidence, BY_ITSELF)
        if not self.frames[0].ok:
            confidence = min(confidence, FAILED_CAP)
        return Verdict(
            kind=kind,
            victims=victims,
            outer=outer,
            inner=inner,
            fellow=fellow,
            structural=structural,
            conflict=conflict,
            stakes=stakes,
            confidence=confidence,
            depth=depth,
            seen=seen,
        )

    def _spiral(self, outer: int, inner: int) -> int:
        """How many nested entries by the inner call's selector there are, and every one of them paid somebody of ours."""
        selector = self.frames[self.acts.entry[inner]].selector
        turns = self.acts.nesting(inner, selector, self.frames) if selector is not None else []
        return len(turns) if all(turn in self._payers for turn in turns) else min(len(turns), SPIRAL - 1)


def payers(structure: Structure) -> set[int]:
    """Activations that sent ether or a token of their own contract's to U or to one of the outsiders between."""
    acts, frames = structure.acts, structure.frames
    ours = structure.party | {acts.ctx[fellow] for fellow in structure.fellows}
    paid = set()
    for i, frame in enumerate(frames):
        if frame.value and frame.type == CALL and frame.parent >= 0 and frame.ctx in ours and structure.alive[i]:
            paid.add(acts.of[frame.parent])
        if frame.selector == TRANSFER and frame.parent >= 0 and argument(frame) in ours and structure.alive[i]:
            paid.add(acts.of[frame.parent])
    return paid


def _acted(ordered: Ordered, contract: str | None, seen: Conflict, branch: int) -> bool:
    """Did `contract` change state or pay U after the look, before control returned to O?"""
    last = ordered.acts.last[branch]
    return any(clock > seen.since and branch <= act <= last for clock, act in ordered.acted.get(contract, ()))


def borrowed(structure: Structure) -> Iterator[tuple[int, str, str]]:
    """R8: frames in which a contract that can lose runs code of U in its own storage: (frame, contract, code).

    A proxy that forwards its own call data to its implementation is not borrowing, unless that code was made just now.
    """
    fresh = {frame.ctx for frame in structure.frames if frame.type in CREATES}
    for i, frame in enumerate(structure.frames):
        if frame.type not in BORROWS_CODE or frame.to not in structure.party or frame.to == frame.ctx or frame.ctx is None:
            continue
        if not structure.alive[i] or frame.ctx in structure.party or frame.to is None:
            continue
        entry = structure.frames[structure.acts.entry[structure.acts.of[i]]]
        if frame.to in fresh or (frame.selector, frame.input) != (entry.selector, entry.input):
            yield i, frame.ctx, frame.to
