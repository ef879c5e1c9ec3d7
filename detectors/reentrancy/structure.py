"""Structure: who re-entered whom, through whose code. Needs the call tree only; nearly every transaction ends here."""

from collections.abc import Iterable, Iterator, Sequence

from detectors.base import Watch
from detectors.execution.activations import Activations
from detectors.execution.frames import BORROWS_CODE, CALL, CREATES, Access, Execution, Frame
from detectors.execution.parties import cluster
from detectors.execution.trusted import trusted

BALANCE_OF, TRANSFER, TRANSFER_FROM = "0x70a08231", "0xa9059cbb", "0x23b872dd"
TOTAL_SUPPLY = "0x18160ddd"
EVERYDAY = frozenset(
    (
        BALANCE_OF,
        TRANSFER,
        TRANSFER_FROM,
        "0x095ea7b3",  # approve
        "0xdd62ed3e",  # allowance
        TOTAL_SUPPLY,
    )
)
TOKEN_CALLS = EVERYDAY | {"0xd0e30db0", "0x2e1a7d4d"}  # deposit and withdraw, of a wrapped coin
"""What everybody asks of a token: it is no sign that two contracts keep their books together."""

NOBODY: frozenset[str | None] = frozenset()

SHALLOW = 48
"""Up to this depth a look along the path is cheaper than keeping a set of what is open."""

NEAR = 4
"""Callers and hosts of an access that are considered, nearest first."""

LOOKS = 64
"""How many repeated contracts on one path are weighed as a sandwich: bounds what a deep tree can cost."""


def glance(frames: Sequence[Frame], party: Iterable[str] = ()) -> bool:
    """May anything here be re-entry, a look at a suspended contract's balance, or borrowed code? Fast, and wide on purpose.

    `party`: who of U is known beyond the sender, the root's target and what is created here.
    """
    root = frames[0]
    mine = {root.sender, root.to, *party}
    path: list[str | None] = []
    for frame in frames:
        depth, ctx = frame.depth, frame.ctx
        del path[depth:]
        if depth > SHALLOW:
            return True
        if ctx in path:
            if path[-1] != ctx:
                return True
            if frame.type in BORROWS_CODE and frame.to != ctx and (frame.to in mine or named(frame.to, frames[frame.parent])):
                return True
        elif depth > 1 and (ctx in mine or (frame.selector == BALANCE_OF and _looks_up(frame, path))):
            return True
        elif frame.type in CREATES:
            mine.add(ctx)
        path.append(ctx)
    return False


def _looks_up(frame: Frame, path: list[str | None]) -> bool:
    """Does somebody read the balance of a contract that waits further up?"""
    holder = argument(frame)
    return holder is not None and holder in path and path[-1] != holder


def named(code: str | None, entry: Frame) -> bool:
    """Is this address written in the call data of the frame?"""
    return code is not None and entry.input is not None and code[2:] in entry.input


def argument(frame: Frame, index: int = 0) -> str | None:
    """The address in the `index`-th word of the call data, None when it is not there."""
    data = frame.input
    end = 74 + 64 * index
    return "0x" + data[end - 40 : end] if data is not None and len(data) >= end else None


class Structure:
    """A flagged transaction: its activations, its initiator U, and the pairs (O, I) with an outsider of ours between (R3, R4).

    `outers[I]` are the activations O of the same contract that wait while I runs, sandwiched; `peers[I]` those that wait
    without an outsider between (lending peers, proxies): there I acts for O. `fellows` are the outsiders between. `looks`: (who
    waits, who reads its balance, reading frame). `hosts`: strangers to U that wait for one of U and may keep books in a third
    contract; `shared[host]` says where the call tree shows one. `alive[frame]` treats a failed root as if it had succeeded, so
    that a failed attempt can be described.
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
        self._serves: list[int] = []
        self._visitor: list[int] = []
        self._paid: dict[int, set[str | None]] = {}
        self.operated = self._operated()
        self._first: list[int] = []
        self._index()
        self._payments()
        self.outers: dict[int, tuple[int, ...]] = {}
        self.peers: dict[int, tuple[int, ...]] = {}
        self.fellows: set[int] = set()
        for inner, outer in enumerate(self.acts.outer):
            if outer >= 0:
                self._pair(inner)
        self.looks = tuple(self._looking())
        hosts = self._hosting()
        self.shared = {host: found for host in self._outermost(hosts) if (found := self._shared(host)) is not None}
        self.hosts = hosts if execution.ordered else frozenset(self.shared)

    @property
    def suspicious(self) -> bool:
        """Is there anything that storage order decides: a sandwiched pair, a look at a waiting balance, books kept elsewhere?"""
        return bool(self.outers or self.looks or self.hosts)

    def _index(self) -> None:
        """Per activation: the nearest above (or itself) that is ours, that was open before, that visits; and whom it pays."""
        acts = self.acts
        for me, ctx in enumerate(acts.ctx):
            above = acts.parent[me]
            strange = ctx is not None and ctx not in self.known
            self._mine.append(me if strange and ctx in self.party else self._mine[above] if above >= 0 else -1)
            serves = strange and ctx in self.operated
            self._serves.append(me if serves else self._serves[above] if above >= 0 else -1)
            again = strange and acts.outer[me] >= 0
            self._again.append(me if again else self._again[above] if above >= 0 else -1)
            self._first.append(acts.far[me][0] if acts.far[me] else me)
            # Whoever called the host before it was called by it comes as a visitor; a host that is called back does not.
            comes = self._mine[me] == me or (again and self._first[me] < self._first[above])
            self._visitor.append(me if comes else self._visitor[above] if above >= 0 else -1)

    def _operated(self) -> frozenset[str]:
        """Contracts that U calls by name, tokens' everyday calls aside: provenance (R4) as far as the trace itself shows it.

        That is how an attacker's second contract looks which was made earlier; a protocol that U merely uses looks the same, so
        being operated counts as a sandwich only together with an economic loss, and never for reads (liquidators operate the
        very markets that ask each other).
        """
        return frozenset(
            frame.ctx
            for frame in self.frames
            if frame.type == CALL
            and frame.parent >= 0
            and frame.ctx is not None
            and frame.selector is not None
            and frame.selector not in EVERYDAY
            and self.frames[frame.parent].ctx in self.party
            and frame.ctx not in self.party
            and frame.ctx not in self.known
        )

    def _payments(self) -> None:
        """Whom each activation sends ether, or tokens of its own."""
        for i, frame in enumerate(self.frames):
            if frame.parent >= 0 and self.alive[i] and frame.type == CALL:
                to = frame.ctx if frame.value else argument(frame) if frame.selector == TRANSFER else None
                if to is not None:
                    self._paid.setdefault(self.acts.of[frame.parent], set()).add(to)

    def surely(self, fellow: int, outer: int) -> bool:
        """Is this outsider one by R3 or by known provenance, rather than only because U operates it?"""
        return self._mine[fellow] == fellow or (self._again[fellow] == fellow and self._first[fellow] < outer)

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

    def _looking(self) -> Iterator[tuple[int, int, int]]:
        """Somebody who may lose by it reads the balance of a contract that waits: (who waits, who reads, reading frame or -1)."""
        for i, frame in enumerate(self.frames):
            if frame.selector == BALANCE_OF and frame.parent >= 0 and self.alive[i]:
                yield from self._look(argument(frame), self.acts.of[frame.parent], i)
        if self.execution.ordered:
            for step in self.execution.steps:
                if isinstance(step, Access) and step.op == "balance" and self.alive[step.frame]:
                    yield from self._look(step.address, self.acts.of[step.frame], -1)

    def _look(self, holder: str | None, reader: int, frame: int) -> Iterator[tuple[int, int, int]]:
        if holder is None or holder == self.acts.ctx[reader] or not self.may_lose(holder):
            return
        at = self.acts.parent[reader]
        for _ in range(LOOKS):
            if at < 0:
                return
            if self.acts.ctx[at] == holder:
                fellow = self.outside(at, reader, holder)
                if fellow >= 0 and self.consumers(reader, fellow, holder):
                    yield at, reader, frame
                return
            at = self.acts.parent[at]

    def consumers(self, start: int, fellow: int, contract: str | None) -> list[int]:
        """Who, from `start` up to the outsider, may act on what was seen: not static, not U, not the contract. Nearest first."""
        found = []
        at = start
        while at > fellow:
            ctx = self.acts.ctx[at]
            if not self.acts.static[at] and ctx != contract and ctx not in self.party:
                found.append(at)
            at = self.acts.parent[at]
        return found

    def _hosting(self) -> frozenset[int]:
        """Activations of strangers to U that wait while a visitor, called by them, runs."""
        parents = {self.acts.parent[me] for me, visitor in enumerate(self._visitor) if visitor == me}
        return frozenset(act for act in parents if act >= 0 and self._mine[act] != act)

    def ours(self, act: int) -> bool:
        """Is this an activation of U?"""
        return self._mine[act] == act

    def _outermost(self, hosts: frozenset[int]) -> Iterator[int]:
        """The hosts that wait inside fewer than `NEAR` others, in order: each activation is then looked at a few times only."""
        inside: list[int] = []
        for host in sorted(hosts):
            while inside and not self.acts.encloses(inside[-1], host):
                inside.pop()
            if len(inside) < NEAR:
                yield host
            inside.append(host)

    def _shared(self, host: int) -> tuple[int, int] | None:
        """By the call tree: a third contract serves the host, then somebody under U while it waits, then the host again.

        (the third contract's activation under U, the one of U between), None when there is no such contract.
        """
        acts, before = self.acts, set[str | None]()
        met: dict[str | None, tuple[int, int]] = {}
        for act in range(host + 1, acts.last[host] + 1):
            ctx, selector = acts.ctx[act], self.frames[acts.entry[act]].selector
            if (visitor := self._visitor[act]) > host:
                if ctx in before and selector not in TOKEN_CALLS and visitor != act:
                    met.setdefault(ctx, (act, visitor))
            elif ctx in met and not acts.static[act]:
                return met[ctx]
            elif not met and selector not in TOKEN_CALLS:
                before.add(ctx)
        return None

    def on_behalf(self, act: int) -> tuple[list[int], list[int]]:
        """Who has an access in `act` made: the strangers above it (nearest first) up to a visitor, and the hosts above that.

        Both bounded: the nearest `NEAR` callers, the hosts of the nearest visitors.
        """
        ours = self._visitor[act]
        chain: list[int] = []
        if ours == act:
            return [], []
        at = self.acts.parent[act]
        while at > ours and len(chain) < NEAR:
            chain.append(at)
            at = self.acts.parent[at]
        waiting: list[int] = []
        here = self.acts.ctx[act]
        for _ in range(2 * NEAR):
            if ours < 0:
                break
            at = self.acts.parent[ours]
            if at in self.hosts and self.acts.ctx[at] != here:
                waiting.append(at)
            ours = self._visitor[at] if at >= 0 else -1
        return chain, waiting

    def may_lose(self, contract: str | None) -> bool:
        """Can this contract be a victim? The initiator's own contracts cannot, except the one the transaction was sent to."""
        if contract is None or contract not in self.party:
            return contract is not None
        return contract == self.frames[0].to or contract in (self.watch.watched or ())

    def sandwich(self, outer: int, inner: int) -> int:
        """R3 and R4: the outsider's activation strictly between, the nearest to `inner` (U before others); -1 if there is none.

        An outsider is neither the contract itself nor trusted, and either one of U (which holds what R4 asks of provenance:
        made in this transaction, by the same hand, or lately) or also a caller of `outer`.
        """
        contract, start = self.acts.ctx[inner], self.acts.parent[inner]
        ours = self._mine[start]
        for _ in range(LOOKS):
            if ours <= outer or self.acts.ctx[ours] != contract:
                break
            ours = self._mine[self.acts.parent[ours]]
        if ours > outer:  # one of U explains the sandwich better than any protocol that happens to wait twice
            return ours
        if self.acts.ctx[outer] in self.party:  # sent straight to it: who stands above is then no sign of an attacker
            return self._twice(outer, inner)
        found = self._repeated(outer, start, contract)
        if found < 0:
            found = self._served(outer, start)
        return found if found >= 0 else self._twice(outer, inner)

    def _twice(self, outer: int, inner: int) -> int:
        """The nearest contract between that is paid by both, by the inner one while the outer one pays it.

        It need not be anybody's: whoever is paid again in the middle of being paid is the one to look at. As with what U
        operates, that counts only together with an economic loss.
        """
        twice = self._paid.get(outer, NOBODY) & self._paid.get(inner, NOBODY)
        at = self.acts.parent[inner] if twice else -1
        for _ in range(LOOKS):
            if at <= outer:
                return -1
            if self.acts.ctx[at] in twice and self.acts.ctx[at] not in self.known:
                return at
            at = self.acts.parent[at]
        return -1

    def _served(self, outer: int, start: int) -> int:
        """The nearest contract between that U operates in this transaction."""
        at = self._serves[start]
        return at if at > outer else -1

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
        return ours if ours > outer else self._repeated(outer, start, contract)

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
