"""Sanctions: a listed party takes part in a transaction that touches a watched contract. Exact matches only.

The lists come as events, so a tape holds what was matched against, and a replay says the same.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from detectors.base import NOTHING, Detector, Finding, Registry
from detectors.events import Event, PartyList
from detectors.execution import Execution

WARNS, PAUSES = 0.6, 0.9
"""Confidence by action. A match is certain; what it means for the integration is the operator's to say."""

MOST_NAMED = 4
"""Listed parties named in one finding; the others are counted."""

MOST_VICTIMS = 8

_ADDRESS_WORD = "0x" + "0" * 24

Term = tuple[float | None, float | None]
"""From and until when it holds, unix seconds; None: always."""


class Sanctions(Detector):
    """Screens every party of a transaction that touches a watched contract: who signed it, who was called, who was paid.

    `action`: `warn` tells; `pause` pauses the integration as well, once the transaction would succeed.

    >>> from detectors.base import Watch
    >>> from detectors.events import Party, Stage
    >>> from detectors.execution import Frame
    >>> screen = Sanctions({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> news = PartyList(chain="eip155:1", at=1.0, name="ofac", version="7", parties=(Party("0xbad", since=100.0),))
    >>> list(screen.observe(news))
    []
    >>> def paid(at, sender):
    ...     root = Frame("CALL", sender, "0xb0", "0xb0", 5, None, "0x", True, True, -1, 0)
    ...     return Execution(chain="eip155:1", at=at, tx="0x1", stage=Stage.PENDING, frames=[root])
    >>> [(f.kind, f.severity.value, f.evidence["party"], f.evidence["role"]) for f in screen.observe(paid(200.0, "0xbad"))]
    [('sanctioned_party', 'warning', '0xbad', 'signed it')]
    >>> list(screen.observe(paid(50.0, "0xbad"))), list(screen.observe(paid(200.0, "0xgood")))
    ([], [])
    """

    name: ClassVar[str] = "sanctions"
    summary: ClassVar[str] = "A party on a sanctions list takes part in a transaction that touches a watched contract."
    wants: ClassVar[tuple[type[Event], ...]] = (PartyList, Execution)
    kinds: ClassVar[dict[str, str]] = {
        "sanctioned_party": "Paying through the contract may mean dealing with a listed party: a matter for compliance, at once."
    }

    def __init__(self, registry: Registry | None = None, action: str = "warn") -> None:
        if action not in {"warn", "pause"}:
            raise ValueError(f"action must be warn or pause, not {action!r}")
        self.registry = registry or {}
        self.action = action
        self._lists: dict[tuple[str, str], tuple[str, dict[str, tuple[Term, ...]]]] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Take a list up, or screen an execution."""
        if isinstance(event, PartyList):
            self._take(event)
        elif self._lists and isinstance(event, Execution) and event.frames:
            return self._screened(event)
        return ()

    def _take(self, news: PartyList) -> None:
        """A list in a new version takes the whole place of the old one."""
        known: dict[str, tuple[Term, ...]] = {}
        for party in news.parties:
            if party.chain is None or party.chain == news.chain:
                known[party.address] = (*known.get(party.address, ()), (party.since, party.until))
        self._lists[news.chain, news.name] = (news.version, known)

    def _screened(self, event: Execution) -> Iterator[Finding]:
        watch = self.registry.get(event.chain, NOTHING)
        touched = tuple(dict.fromkeys(f.ctx for f in event.frames if f.ctx is not None and watch.watches(f.ctx)))[:MOST_VICTIMS]
        if not touched:
            return
        roles = _parties(event)
        found = [
            (party, role, name, version)
            for (chain, name), (version, known) in sorted(self._lists.items())
            if chain == event.chain
            for party, role in roles.items()
            if party in known and _holds(known[party], event.at)
        ]
        if not found:
            return
        stands = event.frames[0].alive
        confidence = PAUSES if self.action == "pause" and stands else WARNS
        evidence: dict[str, str | int | float] = dict(zip(("party", "role", "list", "version"), found[0], strict=True))
        evidence |= {"parties": len({party for party, *_ in found}), "succeeds": int(stands), "action": self.action}
        if others := [f"{party} {role} ({name})" for party, role, name, _ in found[1:MOST_NAMED]]:
            evidence["also"] = "; ".join(others)
        yield self.find(
            event,
            kind="sanctioned_party",
            victims=touched,
            confidence=confidence,
            title=f"{found[0][0]} is on the list {found[0][2]} and {found[0][1]} in a transaction that touches {touched[0]}",
            evidence=evidence,
            stage=event.stage,
            watched=True,
            tx=event.tx,
            position=event.position,
        )


def _holds(terms: Iterable[Term], at: float) -> bool:
    """Is one of these in force?"""
    return any((since is None or since <= at) and (until is None or at < until) for since, until in terms)


def _parties(event: Execution) -> dict[str, str]:
    """Everybody who takes part, each by the first role seen: callers and callees, and whoever a log names."""
    roles: dict[str, str] = {}
    root = event.frames[0]
    if root.sender is not None:
        roles[root.sender] = "signed it"
    for frame in event.frames:
        for address, role in ((frame.ctx, "was called"), (frame.to, "ran its code"), (frame.sender, "called")):
            if address is not None:
                roles.setdefault(address, role)
        if frame.input is not None and not event.logged:
            for word in _words(frame.input):
                roles.setdefault(word, "was named in call data")
    for step in event.steps:
        for topic in getattr(step, "topics", ())[1:]:
            if topic.startswith(_ADDRESS_WORD):
                roles.setdefault("0x" + topic[-40:], "was named in an event")
    return roles


def _words(data: str) -> Iterator[str]:
    """Addresses among the arguments: all that tells who was paid where a trace has no logs."""
    for at in range(10, len(data) - 63, 64):
        word = data[at : at + 64]
        if word.startswith("0" * 24):
            yield "0x" + word[24:]
