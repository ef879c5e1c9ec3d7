"""What is known of one party adds up: paid by a mixer, a contract made, probes that failed, then money that moves (D9)."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, ClassVar

import msgspec

from detectors.base import NOTHING, Detector, Finding, Registry, Watch
from detectors.events import Block, Committed, Event, PoolState, Price, Reverted
from detectors.execution.books import Books, attend, counts, known
from detectors.execution.frames import CREATES, STATICCALL, Execution
from detectors.execution.ledger import flows, kept_at_home
from detectors.execution.outflow import outflows
from detectors.execution.parties import YOUNG, cluster
from detectors.execution.trusted import trusted

MIXERS = frozenset(
    (
        "0x12d66f87a04a9e220743712ce6d9bb1b5616b8fc",  # Tornado Cash, 0.1 ether
        "0x47ce0c6ed5b0ce3d3a51fdb1c52dc66a7c3c2936",  # 1 ether
        "0x910cbd523d972eb0a6f4cae4618ad62622b39dbf",  # 10 ether
        "0xa160cdab225685da1d56aa342ad8841c3b53f291",  # 100 ether
    )
)
CALLBACKS = ("10d1e85c", "fa461e33", "e9cbafb0", "23e30c8b", "f04f2707", "920f5c84", "1b11d0ff")
"""Flash-loan and flash-swap callbacks as they stand in the code of a contract that answers them."""

DAY = 86_400.0
PARTIES = 2_048
"""Parties remembered per chain; beyond, those heard of longest ago are forgotten."""

FUNDED, DEPLOYED, ANSWERS, PROBED, MOVED = 0.35, 0.15, 0.25, 0.2, 0.5
"""What each piece of evidence is worth by itself, 0..1: none warns alone, and no two of the first three do."""

PROBES = 4
"""More failed probes than this add nothing."""

ENOUGH, MOST = 0.5, 0.79
"""From here on it is said; and the most it can be, since it is a story about a party and no mechanism."""

SOME = 0.01
"""The part of a balance that must leave unpaid for money to have moved."""


class Story(msgspec.Struct, frozen=True):
    """What is known of one party: when it was last heard of, and the evidence. Probes are failed ones at watched contracts."""

    at: float
    funded: bool = False
    deployed: bool = False
    answers: bool = False
    probes: int = 0
    moved: bool = False

    @property
    def score(self) -> float:
        """Noisy-or: each piece may be honest by itself, all of them are so only together.

        >>> Story(0.0, deployed=True, probes=2).score, Story(0.0, funded=True, deployed=True, answers=True).score
        (0.456, 0.585625)
        """
        honest = 1.0
        for true, weight in (
            (self.funded, FUNDED),
            (self.deployed, DEPLOYED),
            (self.answers, ANSWERS),
            (self.moved, MOVED),
        ):
            honest *= 1.0 - weight * true
        honest *= (1.0 - PROBED) ** min(self.probes, PROBES)
        return round(1.0 - honest, 6)

    @property
    def told(self) -> str:
        """In words, in the order of an attack."""
        parts = {
            "paid by a mixer": self.funded,
            "made a contract": self.deployed,
            "that answers flash loans": self.answers,
            f"failed {self.probes} times at watched contracts": self.probes,
            "took value unpaid for": self.moved,
        }
        return ", ".join(part for part, true in parts.items() if true)


NEW = Story(0.0)


class Stories(Books):
    """The books; party -> Story; contract -> (when, by whom) it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.of = self.log.map()
        self.maker = self.log.map()


class Risk(Detector):
    """`mixers`: contracts whose payments hide where money comes from, beside those known by heart.

    >>> from detectors.base import Watch
    >>> from detectors.events import Position, Stage
    >>> from detectors.execution.frames import Frame
    >>> guard = Risk({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> _ = guard.observe(Block(chain="eip155:1", at=1.0, position=Position(1, "0x1"), timestamp=1.0))
    >>> def mined(n, *frames):
    ...     return Execution(chain="eip155:1", at=1.0, tx=f"0x{n}", stage=Stage.INCLUDED, frames=list(frames),
    ...                      position=Position(1, "0x1"))
    >>> root = Frame("CALL", "0xe1", "0xa0", "0xa0", 0, "0x12345678", "0x", False, False, -1, 0)
    >>> probe = Frame("CALL", "0xa0", "0xb0", "0xb0", 0, "0x3ccfd60b", "0x", False, False, 0, 1)
    >>> [list(guard.observe(mined(n, root, probe))) for n in range(3)]
    [[], [], []]
    >>> _ = guard.observe(mined(9, Frame("CREATE", "0xe1", "0xa0", "0xa0", 0, None, "0x23e30c8b", True, True, -1, 0)))
    >>> [[f.kind for f in guard.observe(mined(n, root, probe))] for n in range(10, 12)]
    [[], ['story']]
    """

    name: ClassVar[str] = "risk"
    summary: ClassVar[str] = "One party does what attackers do before and while they attack."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, PoolState, Price, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "story": "A party with an attacker's history is at work on the contract: look before it succeeds.",
    }

    def __init__(self, registry: Registry | None = None, *, mixers: Iterable[str] = ()) -> None:
        self.registry = registry or {}
        self.mixers = MIXERS | {mixer.lower() for mixer in mixers}
        self._books: dict[str, Stories] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Add to the stories of whoever acts; tell one that has become loud enough."""
        if isinstance(event, Execution):
            return self._execution(event)
        attend(self._books, event, Stories)
        return ()

    def _execution(self, event: Execution) -> list[Finding]:
        watch = self.registry.get(event.chain, NOTHING)
        books = self._books.get(event.chain) if watch.watched else None
        if books is None or not event.frames:
            return []  # without a list of what is watched, nothing can be probed
        actor = self._actor(event, books)
        if actor is None or actor in watch.trusted or actor in trusted(event.chain):
            return []
        now = books.now(event)
        if counts(event):
            self._note(event, books, now)
        before = _fresh(books.of.get(actor, NEW), now)
        named = watch.watched or frozenset()
        touched = sorted({f.ctx for f in event.frames if f.ctx in named and f.type != STATICCALL and f.ctx is not None})
        story = self._told(event, books, watch, before, touched, now)
        if story is before:
            return []
        if counts(event):
            _keep(books, actor, story)
        if not touched or story.score < ENOUGH or not self._louder(before, story):
            return []
        return [self._find(event, watch, actor, story, touched)]

    @staticmethod
    def _actor(event: Execution, books: Stories) -> str | None:
        """Whose deed it is: the maker of the contract that is called, else the sender."""
        root = event.frames[0]
        made: tuple[float, str] | None = books.maker.get(root.to)
        return made[1] if made is not None else root.sender

    def _note(self, event: Execution, books: Stories, now: float) -> None:
        """Who was paid by a mixer, and who made what."""
        for frame in event.frames:
            if not frame.alive:
                continue
            if frame.value and frame.to is not None and frame.sender in self.mixers:
                story = _fresh(books.of.get(frame.to, NEW), now)
                _keep(books, frame.to, msgspec.structs.replace(story, at=now, funded=True))
            if frame.type in CREATES and frame.to is not None and event.sender is not None:
                books.maker[frame.to] = (now, event.sender)
                _halve(books.maker, lambda made: float(made[0]))

    def _told(
        self, event: Execution, books: Stories, watch: Watch, story: Story, touched: list[str], now: float
    ) -> Story:  # fmt: skip
        """The story with what this transaction adds."""
        if any(frame.type in CREATES and frame.alive for frame in event.frames):
            answers = any(_answers(frame.input) for frame in event.frames if frame.type in CREATES)
            story = msgspec.structs.replace(story, at=now, deployed=True, answers=story.answers or answers)
        if not touched:
            return story
        if not event.frames[0].alive and self._own(event, books):
            return msgspec.structs.replace(story, at=now, probes=story.probes + 1)
        if story.score > 0 and self._moved(event, books, watch, touched):
            return msgspec.structs.replace(story, at=now, moved=True)
        return story

    @staticmethod
    def _own(event: Execution, books: Stories) -> bool:
        """Does it act through a contract of its own? Anybody's swap through a router fails now and then."""
        to = event.frames[0].to
        code = event.context.codes.get(to or "")
        return to in books.maker or (code is not None and code.age is not None and 0 <= code.age < YOUNG)

    def _moved(self, event: Execution, books: Stories, watch: Watch, touched: list[str]) -> bool:
        ledger, party = flows(event), cluster(event, watch)
        return any(
            not flow.paid and not flow.doubtful and (flow.share or 0.0) > SOME
            for address in touched
            if any(amount < 0 for amount in ledger.assets(address).values())
            for flow in outflows(ledger, known(event, books, address), kept_at_home(ledger, watch, party, address))
        )

    @staticmethod
    def _louder(before: Story, story: Story) -> bool:
        """Is there more to say than was said?"""
        return story.score > before.score or (story.moved and not before.moved)

    def _find(self, event: Execution, watch: Watch, actor: str, story: Story, touched: list[str]) -> Finding:
        evidence: dict[str, str | int | float] = {
            "party": actor,
            "paid_by_mixer": int(story.funded),
            "made_contract": int(story.deployed),
            "answers_flash_loans": int(story.answers),
            "failed_probes": story.probes,
            "value_moved": int(story.moved),
        }
        return self.find(
            event,
            kind="story",
            victims=tuple(touched),
            confidence=min(MOST, story.score),
            title=f"{actor} at work on {touched[0]}: {story.told}",
            evidence=evidence,
            stage=event.stage,
            watched=any(watch.watches(address) for address in touched),
            tx=event.tx,
            position=event.position,
        )


def _fresh(story: Story, now: float) -> Story:
    """What is older than a day is forgotten, but for who made a contract."""
    return story if now - story.at < DAY else NEW


def _answers(code: str | None) -> bool:
    return code is not None and any(name in code for name in CALLBACKS)


def _keep(books: Stories, actor: str, story: Story) -> None:
    books.of[actor] = story
    _halve(books.of, lambda kept: float(kept.at))


def _halve(many: MutableMapping[str, Any], age: Callable[[Any], float]) -> None:
    """Forget the oldest half when there are too many."""
    if len(many) > PARTIES:
        for key in sorted(many, key=lambda key: (age(many[key]), key))[: PARTIES // 2]:
            del many[key]
