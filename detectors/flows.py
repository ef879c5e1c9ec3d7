"""Approvals turned against those who gave them: many owners emptied by one new spender, or a router told whom to rob (D7)."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from detectors._math.undo import Map, Undo
from detectors.base import NOTHING, Detector, Finding, Registry, Watch
from detectors.events import Block, Committed, Event, Reverted
from detectors.execution.books import counts, turn
from detectors.execution.frames import CALL, Execution, Frame
from detectors.execution.ledger import flows
from detectors.execution.parties import YOUNG, cluster
from detectors.execution.trusted import trusted

TRANSFER_FROM = "0x23b872dd"
WALLETS = frozenset(("0x6a761202", "0xb61d27f6", "0x1fad948c", "0x765e827f", "0x1d732756", "0x0042dc53"))
"""Safe's `execTransaction`, `execute` of smart accounts, the EntryPoint's: a wallet does what its owner signed."""

HOUR = 3_600.0
PAIRS = 512
"""Pairs of spender and sink remembered per chain; beyond, those idle longest are forgotten."""

OWNERS = 64
"""Owners remembered per pair: one more changes nothing."""

NOBODY = frozenset[str]()
TOLD, ARBITRARY, COLLECTED, OF_ITS_OWN = 0.9, 0.6, 0.7, 0.85
"""Confidence: a router told whom to rob; the same by a wallet; owners collected; owners of approvals to a watched contract."""


class Pull(NamedTuple):
    """A `transferFrom` of somebody else's tokens: frame, spender, owner, sink."""

    frame: int
    spender: str
    owner: str
    sink: str


class Books:
    """One chain's pulls: (spender, sink) -> ((owner, when), …), revertible."""

    def __init__(self) -> None:
        self.log = Undo()
        self.pulls: Map[Any, tuple[tuple[str, float], ...]] = self.log.map()


class Flows(Detector):
    """`owners`: so many different ones emptied by a new spender into one sink within an hour are a drain.

    >>> from detectors.base import Watch
    >>> from detectors.events import Stage
    >>> router, coin, thief, owner = ("0x" + x * 20 for x in ("b0", "c0", "e1", "d1"))
    >>> spend = TRANSFER_FROM + "".join(a[2:].rjust(64, "0") for a in (owner, thief, "0x64"))
    >>> def told(payload):
    ...     ask = Frame("CALL", thief, router, router, 0, "0x1cff79cd", "0x1cff79cd" + payload, True, True, -1, 0)
    ...     do = Frame("CALL", router, coin, coin, 0, TRANSFER_FROM, spend, True, True, 0, 1)
    ...     return Execution(chain="eip155:1", at=1.0, tx="0x1", stage=Stage.PENDING, frames=[ask, do])
    >>> guard = Flows({"eip155:1": Watch(watched=frozenset({router}))})
    >>> [(f.kind, f.severity.value) for f in guard.observe(told(spend[2:]))], list(guard.observe(told("00")))
    ([('arbitrary_call', 'critical')], [])
    """

    name: ClassVar[str] = "flows"
    summary: ClassVar[str] = "Tokens that owners had approved are taken from them by somebody they did not ask."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "arbitrary_call": "A contract spends anybody's approvals at a stranger's word: everyone who approved it can be emptied.",
        "approvals": "One new spender moved the tokens of many owners to one place within an hour.",
    }

    def __init__(self, registry: Registry | None = None, *, owners: int = 5) -> None:
        if not 1 < owners <= OWNERS:
            raise ValueError(f"owners must be above 1 and at most {OWNERS}, not {owners}")
        self.registry = registry or {}
        self.owners = owners
        self._harmless = {
            chain: (watch.trusted | trusted(chain)) - (watch.watched or frozenset()) for chain, watch in self.registry.items()
        }
        self._books: dict[str, Books] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Judge an execution's pulls; keep those that were mined."""
        if isinstance(event, Execution):
            pulls = _pulls(event)
            return list(self._judge(event, pulls)) if pulls else ()
        books = self._books.get(event.chain)
        if isinstance(event, Block):
            if books is None:
                books = self._books[event.chain] = Books()
            books.log.open(event.position.height)
        elif isinstance(event, Committed | Reverted) and books is not None:
            turn(books.log, event)
        return ()

    def _judge(self, event: Execution, pulls: list[Pull]) -> Iterator[Finding]:
        watch = self.registry.get(event.chain, NOTHING)
        harmless = self._harmless.get(event.chain, NOBODY)
        pulls = [pull for pull in pulls if pull.spender not in harmless]
        told = [pull for pull in pulls if watch.watches(pull.spender) and _told(event, watch, pull)]
        if told and (unpaid := _unpaid(event, told)):
            yield self._arbitrary(event, watch, unpaid)
        young = [pull for pull in pulls if pull.spender in (watch.watched or ()) or _young(event, pull.spender)]
        yield from self._collected(event, watch, young)

    def _arbitrary(self, event: Execution, watch: Watch, told: list[Pull]) -> Finding:
        spender = told[0].spender
        owners = sorted({pull.owner for pull in told if pull.spender == spender})
        wallet = any(frame.selector in WALLETS for frame in event.frames if frame.ctx == spender)
        return self.find(
            event,
            kind="arbitrary_call",
            victims=(spender, *owners[:OWNERS]),
            confidence=ARBITRARY if wallet else TOLD,
            title=f"{spender} was told to spend what {owners[0]} had approved to it",
            evidence={"owner": owners[0], "owners": len(owners), "sink": told[0].sink, "token": _token(event, told[0])},
            stage=event.stage,
            watched=watch.watches(spender),
            tx=event.tx,
            position=event.position,
        )

    def _collected(self, event: Execution, watch: Watch, pulls: list[Pull]) -> Iterator[Finding]:
        books = self._books.get(event.chain)
        for spender, sink in sorted({(pull.spender, pull.sink) for pull in pulls}):
            mine = {p.owner: event.at for p in pulls if (p.spender, p.sink) == (spender, sink)}
            past = books.pulls.get((spender, sink), ()) if books is not None else ()
            recent = {owner: at for owner, at in past if at > event.at - HOUR}
            owners = recent | mine
            if books is not None and counts(event):
                books.pulls[spender, sink] = tuple(sorted(owners.items(), key=lambda each: (each[1], each[0]))[-OWNERS:])
                self._prune(books)
            if self._step(len(owners)) > self._step(len(recent)):
                yield self._many(event, watch, spender, sink, sorted(owners))

    def _many(self, event: Execution, watch: Watch, spender: str, sink: str, owners: list[str]) -> Finding:
        known = spender in (watch.watched or ())
        return self.find(
            event,
            kind="approvals",
            victims=(spender, *owners) if known else (*owners, spender),
            confidence=OF_ITS_OWN if known else COLLECTED,
            title=f"{spender} moved tokens of {len(owners)} owners to {sink} within an hour",
            evidence={"spender": spender, "sink": sink, "owners": len(owners), "window_seconds": int(HOUR)},
            stage=event.stage,
            watched=any(watch.watches(victim) for victim in (spender, *owners)),
            tx=event.tx,
            position=event.position,
        )

    def _step(self, count: int) -> int:
        """How often it is worth saying: at the limit, and at every doubling of it."""
        return (count // self.owners).bit_length()

    @staticmethod
    def _prune(books: Books) -> None:
        if len(books.pulls) > PAIRS:
            for pair in sorted(books.pulls, key=lambda pair: (books.pulls[pair][-1][1], pair))[: PAIRS // 2]:
                del books.pulls[pair]


def _pulls(event: Execution) -> list[Pull]:
    """Calls that moved tokens of somebody who neither signed nor stands above the call."""
    frames = event.frames
    if len(frames) < 2:
        return []  # whoever signs a pull himself is no contract told to
    found = []
    for i in [i for i, frame in enumerate(frames) if frame.selector == TRANSFER_FROM]:
        frame = frames[i]
        data, spender = frame.input, frames[frame.parent].ctx
        if not frame.alive or frame.type != CALL or frame.parent < 0 or data is None or len(data) < 202 or spender is None:
            continue
        owner = "0x" + data[34:74]
        if owner not in {spender, frames[0].sender} and not _waits(frames, i, owner):
            found.append(Pull(i, spender, owner, "0x" + data[98:138]))
    return found


def _told(event: Execution, watch: Watch, pull: Pull) -> bool:
    """Was it a stranger's word that made the spender pull?"""
    return _told_to(event.frames, pull) or _called_back(event, watch, pull)


def _called_back(event: Execution, watch: Watch, pull: Pull) -> bool:
    """Did whom the spender had asked call it back, naming an owner to be charged, and did what came stay on that side?

    A pool's callback is charged to whoever asked the router. One that names somebody else is no pool, whatever it calls itself.
    """
    frames, entry = event.frames, event.frames[pull.frame].parent
    while (above := frames[entry].parent) >= 0 and frames[above].ctx == pull.spender:
        entry = above
    if above < 0 or pull.owner[2:] not in (frames[entry].input or "") or not _waits(frames, above, pull.spender):
        return False
    caller = frames[above].ctx
    if caller in watch.trusted or caller in (watch.watched or ()) or caller in trusted(event.chain):
        return False
    party = cluster(event, watch)
    return pull.sink == caller or pull.sink in party or flows(event).party_gain(party).get(_token(event, pull), 0) > 0


def _waits(frames: list[Frame], at: int, contract: str) -> bool:
    """Does this contract stand above the frame?"""
    while (at := frames[at].parent) >= 0:
        if frames[at].ctx == contract:
            return True
    return False


def _told_to(frames: list[Frame], pull: Pull) -> bool:
    """Was the very call handed to the spender in its own call data? Nothing of it is the spender's decision then."""
    at, payload = frames[pull.frame].parent, (frames[pull.frame].input or "")[2:202]
    while at >= 0 and frames[at].ctx == pull.spender:
        if payload in (frames[at].input or ""):
            return True
        at = frames[at].parent
    return False


def _unpaid(event: Execution, told: list[Pull]) -> list[Pull]:
    """Those whose owner got nothing for it: a marketplace's order is handed over verbatim, too, but it is paid."""
    paid = {frame.to for frame in event.frames if frame.value and frame.alive}
    told = [pull for pull in told if pull.owner not in paid]
    if not told:
        return []
    ledger = flows(event)
    return [pull for pull in told if not any(amount > 0 for amount in ledger.assets(pull.owner).values())]


def _young(event: Execution, spender: str) -> bool:
    code = event.context.codes.get(spender)
    return code is not None and code.age is not None and 0 <= code.age < YOUNG


def _token(event: Execution, pull: Pull) -> str:
    return event.frames[pull.frame].ctx or ""
