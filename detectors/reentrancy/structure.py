"""Structure: who re-entered whom, through whose code. Needs the call tree only; nearly every transaction ends here."""

from collections.abc import Sequence

from detectors.base import Watch
from detectors.execution.activations import Activations
from detectors.execution.frames import BORROWS_CODE, CREATES, Execution, Frame
from detectors.execution.parties import cluster
from detectors.execution.trusted import trusted

BALANCE_OF = "0x70a08231"

SHALLOW = 48
"""Up to this depth a look along the path is cheaper than keeping a set of what is open."""

LOOKS = 64
"""How many repeated contracts on one path are weighed as a sandwich: bounds what a deep tree can cost."""


def glance(frames: Sequence[Frame], codes: bool) -> bool:
    """May anything here be re-entry, a look at a suspended contract's balance, or borrowed code? Fast, and wide on purpose.

    `codes`: the shell knows ages or deployers, so code from anywhere may be the initiator's.
    """
    root = frames[0]
    mine = {root.sender, root.to}
    path: list[str | None] = []
    for frame in frames:
        depth, ctx = frame.depth, frame.ctx
        del path[depth:]
        if depth > SHALLOW:
            return True
        if ctx in path:
            if path[-1] != ctx:
                return True
            if frame.type in BORROWS_CODE and (codes or frame.to in mine) and frame.to != ctx:
                return True
        elif frame.selector == BALANCE_OF and depth > 1 and _looks_up(frame, path):
            return True
        elif frame.type in CREATES:
            mine.add(ctx)
        path.append(ctx)
    return False


def _looks_up(frame: Frame, path: list[str | None]) -> bool:
    """Does somebody read the balance of a contract that waits further up?"""
    holder = argument(frame)
    return holder is not None and holder in path and path[-1] != holder


def argument(frame: Frame, index: int = 0) -> str | None:
    """The address in the `index`-th word of the call data, None when it is not there."""
    data = frame.input
    end = 74 + 64 * index
    return "0x" + data[end - 40 : end] if data is not None and len(data) >= end else None


class Structure:
    """A flagged transaction: its activations, its initiator U, and the pairs (O, I) with an outsider of ours between (R3, R4).

    `outers[I]` are the activations O of the same contract that wait while I runs, sandwiched; `peers[I]` those that wait
    without an outsider between (lending peers, proxies): there I acts for O. `fellows` are the outsiders between. `alive[frame]` treats a failed root as if it had
    succeeded, so that a failed attempt can be described.
    """

    def __init__(self, execution: Execution, watch: Watch) -> None:
        self.execution = execution
        self.frames = execution.frames
        self.watch = watch
        self.party = cluster(execution, watch)
        self.acts = Activations(execution.frames)
        self.alive = _alive(execution.frames)
        self.known = trusted(execution.chain) | watch.trusted
        self._mine: list[int] = []
        self._again: list[int] = []
        self._first: list[int] = []
        self._index()
        self.outers: dict[int, tuple[int, ...]] = {}
        self.peers: dict[int, tuple[int, ...]] = {}
        self.fellows: set[int] = set()
        for inner, outer in enumerate(self.acts.outer):
            if outer >= 0:
                self._pair(inner)

    @property
    def suspicious(self) -> bool:
        """Is there anything to judge: a sandwiched pair, an outsider's look at a waiting contract's balance, borrowed code?"""
        return bool(self.outers)

    def _index(self) -> None:
        """Per activation: the nearest one above (or itself) that is ours, and the nearest whose contract was open before."""
        acts = self.acts
        for me, ctx in enumerate(acts.ctx):
            above = acts.parent[me]
            strange = ctx is not None and ctx not in self.known
            self._mine.append(me if strange and ctx in self.party else self._mine[above] if above >= 0 else -1)
            again = strange and acts.outer[me] >= 0
            self._again.append(me if again else self._again[above] if above >= 0 else -1)
            self._first.append(acts.far[me][0] if acts.far[me] else me)

    def _pair(self, inner: int) -> None:
        contract = self.acts.ctx[inner]
        if not self.may_lose(contract):
            return
        tracked = self.acts.tracked(inner)
        fellows = {outer: fellow for outer in tracked if (fellow := self.sandwich(outer, inner)) >= 0}
        sandwiched = tuple(fellows)
        if sandwiched:
            self.fellows.update(fellows.values())
            self.outers[inner] = sandwiched
        if len(sandwiched) < len(tracked):
            self.peers[inner] = tuple(outer for outer in tracked if outer not in sandwiched)

    def may_lose(self, contract: str | None) -> bool:
        """Can this contract be a victim? The initiator's own contracts cannot, except the one the transaction was sent to."""
        if contract is None or contract not in self.party:
            return contract is not None
        return contract == self.frames[0].to or contract in (self.watch.watched or ())

    def sandwich(self, outer: int, inner: int) -> int:
        """R3 and R4: the activation nearest to `inner`, strictly between, that belongs to an outsider; -1 when there is none.

        An outsider is neither the contract itself nor trusted, and either one of U (which holds what R4 asks of provenance:
        made in this transaction, by the same hand, or lately) or also a caller of `outer`.
        """
        contract, start = self.acts.ctx[inner], self.acts.parent[inner]
        ours = self._mine[start]
        while ours > outer and self.acts.ctx[ours] == contract:
            ours = self._mine[self.acts.parent[ours]]
        if self.acts.ctx[outer] in self.party:  # sent straight to it: who stands above is then no sign of an attacker
            return ours if ours > outer else -1
        return max(ours if ours > outer else -1, self._repeated(outer, start, contract))

    def _repeated(self, outer: int, start: int, contract: str | None) -> int:
        """The nearest contract between that also waits above `outer`."""
        at = self._again[start]
        for _ in range(LOOKS):
            if at <= outer:
                return -1
            if self.acts.ctx[at] != contract and self._first[at] < outer:
                return at
            at = self._again[self.acts.parent[at]]
        return -1

    def outside(self, outer: int, start: int, contract: str | None) -> int:
        """As `sandwich`, for a reader that is no activation of the contract: the path from `start` (inclusive) up to `outer`."""
        ours = self._mine[start]
        return max(ours if ours > outer else -1, self._repeated(outer, start, contract))

    def between_us(self, outer: int, start: int) -> bool:
        """Does one of U stand below `outer`, down to and including `start`?"""
        return self._mine[start] > outer


def _alive(frames: Sequence[Frame]) -> list[bool]:
    if frames[0].ok:
        return [frame.alive for frame in frames]
    alive = [True]
    for frame in frames[1:]:
        alive.append(frame.ok and alive[frame.parent])
    return alive
