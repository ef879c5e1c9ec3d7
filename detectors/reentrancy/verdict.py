"""A verdict: one way a transaction may hurt someone, with the parts of its score. Scoring is here and nowhere else."""

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

from detectors.execution.activations import Activations
from detectors.execution.frames import CALL, CREATES, Frame, Log
from detectors.execution.ledger import NATIVE, ZERO
from detectors.execution.ledger import TRANSFER as MOVED
from detectors.reentrancy.design import Design
from detectors.reentrancy.money import OUTFLOW_SHARE, Money, Stakes
from detectors.reentrancy.ordered import Conflict
from detectors.reentrancy.structure import LOOKS, TRANSFER, TRANSFER_FROM, Structure, argument

STRUCTURAL, CONFLICT, ECONOMICS = 0.3, 0.4, 0.3

DOWNGRADED = 0.1
"""Confidence of a re-entry by design, without any conflict: said, so that nothing is hidden."""

PAID_INSIDE = 0.2
"""Without storage order: U was paid while somebody waited, but whether it came out ahead is unknown."""

BY_ITSELF = 0.85
"""Confidence of what is pause-grade by itself: borrowed code (R8), a spiral that pays more at every turn, an unseen drain."""

FAILED_CAP = 0.49
"""The most a transaction that failed as a whole can mean, and a call back on purpose by which its caller lost nothing."""

UNSEEN_PAUSE_SHARE = 0.05
"""Without storage order, the victim's outflow from which structure and economics together pause."""

SPIRAL = 3
"""Nested paying entries by one selector from which an outflow needs no storage order, where it is seen to be a loss.

A saver may take what is its own in nested bits. Where no balance tells how much left, the flows must: more was taken than had
been put in, or the books are seen to have stood still (`Scale._stood_still`). Else only the order of storage tells.
"""

MINT = "0x40c10f19"
HANDS_OVER = frozenset((TRANSFER, MINT))


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One judged way of harm. `outer`, `inner`, `fellow`: activations (-1: not that kind of harm); score parts as earned.

    `victims`: the contract first. `pausable`: those of them whose being watched lets this pause.
    """

    kind: str
    victims: tuple[str, ...]
    pausable: tuple[str, ...]
    confidence: float
    outer: int = -1
    inner: int = -1
    fellow: int = -1
    structural: float = 0.0
    conflict: float = 0.0
    economics: float = 0.0
    depth: int = 1
    stakes: Stakes | None = None
    seen: Conflict | None = None
    code: str | None = None
    held_back: bool = False
    """A pause was near, and only the order of storage, which is missing, could tell it from honest business."""

    @property
    def grave(self) -> tuple[float, bool]:
        """Of several on the same thing, the greatest is told; of equals, the one that says what it lacks."""
        return self.confidence, self.held_back


class Scale:
    """Weighs pairs of one transaction: structural 0.3 + conflict 0.4 + economics 0.3, and the rules that stand by themselves."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.acts = structure.acts
        self.frames = structure.frames
        self.money = Money(structure)
        self.deeds, self.rewards, self.handed = _rewards(structure, self.money.ours)
        self.money.handed = bool(self.rewards)
        self.design = Design(structure, self.money)
        self.payers = _payers(structure)
        self.mints = _mints(structure)
        self.turns = _turns(self.acts, self.frames, self.payers)
        self._payments: dict[int, list[tuple[str, str]]] | None = None
        self._pockets: dict[str, bool] = {}

    def weigh(
        self, kind: str, victims: tuple[str, ...], outer: int, inner: int, fellow: int, seen: Conflict | None = None
    ) -> Verdict:
        """The verdict on `inner` having come back to, or looked at, what `outer` waits in."""
        branch = self.branch(outer, inner)
        own = self.design.sells_itself(outer, fellow, branch)
        anew = seen is None or seen.reread
        meant = self.design.expected(outer, inner, fellow, branch) or (anew and self.design.lent_on(outer, inner, fellow, branch))
        meant = meant and not self.design.abused(outer, branch)
        structural = 0.0 if own or meant else STRUCTURAL
        stakes = self.money.stakes(victims)
        if not self.structure.surely(fellow, outer) and not stakes.counts:
            structural = 0.0
        if own:
            stakes = msgspec.structs.replace(stakes, counts=False, why="own", loser=None)
        if seen is not None and not own and not stakes.counts:
            if self._overwrote_a_debit(seen):
                stakes = msgspec.structs.replace(stakes, counts=True, why="debit")
            elif self._minted_twice(outer, inner) and self.money.costless(victims):
                stakes = msgspec.structs.replace(stakes, counts=True, why="minted")
            elif self._misled(seen, outer, branch) and (share := self.money.bleeds(victims[1:])) > OUTFLOW_SHARE:
                stakes = msgspec.structs.replace(stakes, counts=True, why="misled", share=share)
        conflict, economics = CONFLICT if seen is not None else 0.0, ECONOMICS if stakes.counts else 0.0
        confidence, turns = structural + conflict + economics, self._turns(inner)
        if structural and seen is None and not stakes.counts and self._paid_inside(inner, fellow):
            economics, stakes = PAID_INSIDE, msgspec.structs.replace(stakes, why="paid")
            confidence = structural + economics
        confidence = max(confidence, DOWNGRADED)
        much = stakes.share is None or stakes.share >= UNSEEN_PAUSE_SHARE
        drained = seen is None and economics > 0 and stakes.share is not None and much
        spiral = structural > 0 and turns >= SPIRAL and (seen is not None or much)
        held_back = spiral and seen is None and stakes.share is None and not self._lost(inner)
        if structural and (drained or (spiral and not held_back)):
            confidence = max(confidence, BY_ITSELF)
        if (meant and anew) or not self.frames[0].ok:
            confidence = min(confidence, FAILED_CAP)
        return Verdict(
            kind=kind,
            victims=victims if stakes.loser is None or stakes.loser in victims else (*victims, stakes.loser),
            pausable=victims,
            confidence=confidence,
            outer=outer,
            inner=inner,
            fellow=fellow,
            structural=structural,
            conflict=conflict,
            economics=economics,
            depth=max(turns, len(self.acts.tracked(inner)) + 1),
            stakes=stakes,
            seen=seen,
            held_back=held_back,
        )

    def shared(
        self, victims: tuple[str, ...], host: int, inner: int, fellow: int, seen: Conflict | None = None
    ) -> Verdict | None:
        """Books kept in a third contract, between `host` and who came while it waited.

        Of strangers only with a loss: protocols call each other back, and keep books together, all day long.
        """
        if not self.structure.ours(fellow) and not self.money.stakes(victims).counts:
            return None
        return self.weigh("cross_contract", victims, host, inner, fellow, seen)

    def victims(self, contract: str, consumers: list[int], payers: Iterable[str] = ()) -> tuple[str, ...]:
        """The contract, those who paid for them, and those who acted on what it showed."""
        others = [ctx for c in consumers if (ctx := self.acts.ctx[c]) is not None and ctx not in self.structure.known]
        return tuple(dict.fromkeys((contract, *(payer for payer in payers if payer not in others), *others)))

    def paid_for(self, consumer: int, look: int) -> list[str]:
        """Who, asked by this consumer after its look (a frame), handed U something and got nothing for it?

        A lender's cash may lie in a treasury, and the lender write nothing itself. A pool that was paid its price is none.
        """
        found = dict[str, None]()
        first = bisect_left(self.handed, (look, len(self.acts), ""))
        for _, act, payer in self.handed[first : first + LOOKS]:
            below = consumer < act <= self.acts.last[consumer] and not self.structure.between_us(consumer, act)
            if below and payer != self.acts.ctx[consumer] and self._out_of_pocket(payer):
                found[payer] = None
        return list(found)

    def _out_of_pocket(self, payer: str) -> bool:
        if payer not in self._pockets:
            self._pockets[payer] = payer not in self.structure.known and self.money.robbed(payer)
        return self._pockets[payer]

    def branch(self, outer: int, inner: int) -> int:
        """The activation directly below `outer` on the way to `inner`."""
        at = inner
        while self.acts.parent[at] != outer:
            at = self.acts.parent[at]
        return at

    def created(self, fellow: int) -> bool:
        """Is the outsider a contract that is just being created?"""
        return self.frames[self.acts.entry[fellow]].type in CREATES

    def deposits(self, act: int) -> bool:
        """Did this call bring ether in, and take nothing out?"""
        entry = self.frames[self.acts.entry[act]]
        return entry.type == CALL and entry.value > 0 and act not in self.payers and act not in self.rewards

    def _paid_inside(self, inner: int, fellow: int) -> bool:
        """Did the inner call, or who made it for the outsider, hand anything to U or the outsider, or have it paid for a look?"""
        consumers = self.structure.consumers(self.acts.parent[inner], fellow, self.acts.ctx[inner])
        if not self.rewards.isdisjoint((inner, *consumers)):
            return True
        return self.acts.static[inner] and any(self.paid_for(one, self.acts.entry[inner]) for one in consumers)

    def _lost(self, inner: int) -> bool:
        """Without a balance or storage order: do the flows show that what left was not all its taker's own?"""
        return self.money.overdrawn(self.acts.ctx[inner]) or self._stood_still(inner)

    def _stood_still(self, inner: int) -> bool:
        """Was one question, asked `SPIRAL` times nested, answered with one and the same payment that it does not name?

        The sum then came out of the contract's own books, and they said the same again: nothing had been written off yet.
        """
        entry = self.frames[self.acts.entry[inner]]
        paid, same, at = self._payment(inner), 1, inner
        if not paid or entry.input is None or any(amount in entry.input for _, amount in paid):
            return False
        for _ in range(LOOKS):
            at = self.acts.outer[at]
            if at < 0 or same >= SPIRAL:
                break
            asked = self.frames[self.acts.entry[at]]
            same += (asked.selector, asked.input) == (entry.selector, entry.input) and self._payment(at) == paid
        return same >= SPIRAL

    def _payment(self, act: int) -> list[tuple[str, str]]:
        """What an activation itself paid, in order: (asset, amount as a word of call data) of ether, and of tokens of its own."""
        if self._payments is None:
            self._payments = _payments(self.structure)
        return self._payments.get(act, [])

    def _overwrote_a_debit(self, seen: Conflict) -> bool:
        """The inner call was paid and debited, and the outer one wrote the entry back to at least what it had been."""
        if seen.rule != "R2" or seen.read is None or seen.left is None or seen.written is None:
            return False
        return seen.left < seen.read <= seen.written and seen.inner in self.payers

    def _misled(self, seen: Conflict, outer: int, branch: int) -> bool:
        """Did consumers look while the books were torn: some of them changed already, or shares made or burnt, the rest not?

        What they were given for what they paid was then priced by a lie. A look at books of which nothing has changed yet (a
        flash swap's reserves) shows what was true a moment ago, and is no sign of a loss.
        """
        if seen.inner_wrote:
            return False
        return seen.torn or self.money.remade(self.acts.entry[outer], self.acts.entry[branch])

    def _minted_twice(self, outer: int, inner: int) -> bool:
        """Did both calls of one contract mint something of its own for U or the outsider?"""
        contract = self.acts.ctx[outer]
        return contract == self.acts.ctx[inner] and outer in self.mints and inner in self.mints

    def _turns(self, inner: int) -> int:
        """How many nested entries by the inner call's selector moved value out of a contract that ended with less."""
        selector, contract = self.frames[self.acts.entry[inner]].selector, self.acts.ctx[inner]
        if selector is None or contract is None or not self.money.falls(contract):
            return 0
        return self.turns[inner]


def _turns(acts: Activations, frames: list[Frame], payers: set[int]) -> list[int]:
    """For each activation: itself and those of the same contract and entry around it, counting the ones that paid."""
    counts: list[int] = []
    for act, outer in enumerate(acts.outer):
        selector = frames[acts.entry[act]].selector
        at = outer
        for _ in range(LOOKS):
            if at < 0 or frames[acts.entry[at]].selector == selector:
                break
            at = acts.outer[at]
        counts.append((act in payers) + (counts[at] if at >= 0 and frames[acts.entry[at]].selector == selector else 0))
    return counts


def _payers(structure: Structure) -> set[int]:
    """Activations that sent ether, or tokens of their own, to another contract or account."""
    paid = set()
    for i, frame in enumerate(structure.frames):
        if frame.parent < 0 or not structure.alive[i]:
            continue
        pays = frame.value and frame.type == CALL and frame.ctx not in structure.known
        payer = structure.frames[frame.parent].ctx
        if frame.selector == TRANSFER_FROM:
            pays = pays or argument(frame) == payer
        if pays or frame.selector == TRANSFER:
            paid.add(structure.acts.of[frame.parent])
    return paid


def _payments(structure: Structure) -> dict[int, list[tuple[str, str]]]:
    """Activation -> what it paid to another contract or account, in order: (asset, amount as a word of call data)."""
    paid: dict[int, list[tuple[str, str]]] = {}
    for i, frame in enumerate(structure.frames):
        if frame.parent < 0 or not structure.alive[i] or frame.type != CALL:
            continue
        mine = paid.setdefault(structure.acts.of[frame.parent], [])
        if frame.value and frame.ctx not in structure.known:
            mine.append((NATIVE, f"{frame.value:064x}"))
        if frame.selector == TRANSFER and frame.input is not None and len(frame.input) >= 138:
            mine.append((frame.ctx or "", frame.input[74:138]))
    return paid


def _mints(structure: Structure) -> set[int]:
    """Activations that made something new of their own contract, a token or a piece, and gave it to somebody."""
    made = set()
    for step in structure.execution.steps:
        if not isinstance(step, Log) or not structure.alive[step.frame] or len(step.topics) < 3 or step.topics[0] != MOVED:
            continue
        source, taker = ("0x" + topic[-40:] for topic in step.topics[1:3])
        if source == ZERO != taker:
            made.add(structure.acts.of[step.frame])
    return made


def _rewards(
    structure: Structure, ours: frozenset[str | None]
) -> tuple[dict[str | None, list[tuple[int, int]]], set[int], list[tuple[int, int, str]]]:
    """What strangers did that can be seen without storage.

    (contract -> (position, activation) whenever it handed something to U or an outsider, or emitted an event, in order;
    the activations that handed over ether, tokens, or a mint of their own; (position, activation, payer) of each payment).
    """
    acts, frames = structure.acts, structure.frames
    deeds: dict[str | None, list[tuple[int, int]]] = {}
    rewards = set()
    handed = list[tuple[int, int, str]]()
    for i, frame in enumerate(frames):
        giver = frames[frame.parent].ctx if frame.parent >= 0 else None
        if giver is None or not structure.alive[i] or giver in ours:
            continue
        to = argument(frame, 1) if frame.selector == TRANSFER_FROM else argument(frame) if frame.selector in HANDS_OVER else None
        if to in ours or (frame.value and frame.type == CALL and frame.ctx in ours):
            rewards.add(acts.of[frame.parent])
            deeds.setdefault(giver, []).append((i, acts.of[frame.parent]))
            payer = argument(frame) if frame.selector == TRANSFER_FROM else giver
            if payer is not None and payer not in ours:
                handed.append((i, acts.of[frame.parent], payer))
    for step in structure.execution.steps:
        if isinstance(step, Log) and structure.alive[step.frame]:
            deeds.setdefault(step.address, []).append((step.before, acts.of[step.frame]))
            if len(step.topics) >= 3 and step.topics[0] == MOVED and step.address not in ours:
                source, taker = ("0x" + topic[-40:] for topic in step.topics[1:3])
                if taker in ours and source in (ZERO, step.address):
                    rewards.add(acts.of[step.frame])
    for done in deeds.values():
        done.sort()
    return deeds, rewards, handed
