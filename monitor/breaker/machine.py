"""The breaker's state machine: a table of legal transitions, and what a decision makes of a breaker. Pure."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from detectors.base import Finding
from detectors.events import Stage
from monitor.breaker.holds import HUMAN, Decision, Hold, Level, Mode, State, strictest

TRANSITIONS: dict[State, frozenset[State]] = {
    State.CLOSED: frozenset({State.OPEN, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.OPEN: frozenset({State.HALF_OPEN, State.CLOSED, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.HALF_OPEN: frozenset({State.OPEN, State.CLOSED, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.FORCED_OPEN: frozenset({State.CLOSED, State.OPEN}),
    State.FORCED_CLOSED: frozenset({State.CLOSED, State.OPEN, State.FORCED_OPEN}),
}

KEPT_FINDINGS = 32
"""Newest findings kept per integration, for the risk score, corroboration and the page."""


KEPT_TRIPS = 64
"""Newest automatic trips remembered, for the flap latch."""

BUDGET_WINDOW = 3600.0
"""Seconds over which pauses founded on pending evidence alone are added up."""


KEPT_UNSETTLED = 256
"""Findings kept while a reorganisation may still take their block back: what is forgotten cannot be retracted."""


class Retraction(msgspec.Struct, frozen=True, kw_only=True):
    """A finding is taken back: the block it rested on was replaced, and the new branch does not hold what it was about.

    `until` is when the hold made of it has counted down (unix seconds), None without one.
    """

    kind: ClassVar[str] = "retraction"
    by: ClassVar[str] = "follower"
    durable: ClassVar[bool] = True

    integration: str
    at: float
    finding: Finding
    reason: str
    until: float | None = None


class IllegalTransitionError(ValueError):
    """A decision that the table or the holds do not allow."""


class Spent(msgspec.Struct, frozen=True):
    """A stretch of time (unix seconds) that was paused on pending evidence alone, and who answers for what was feared."""

    senders: tuple[str, ...]
    since: float
    until: float


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One integration as the journal tells it. `revision` is the sequence of the record that last changed it.

    `tripped` are the times of its newest automatic trips on block evidence since a person last resumed it; `feared_since` is when
    the present stretch on pending evidence alone began, `spent` the earlier ones.
    """

    integration: str
    mode: Mode = Mode.SHADOW
    state: State = State.CLOSED
    since: float = 0.0
    revision: int = 0
    reason: str = ""
    holds: dict[str, Hold] = {}
    share: float = 1.0
    stepped_at: float = 0.0
    trips: int = 0
    tripped: tuple[float, ...] = ()
    feared_since: float | None = None
    spent: tuple[Spent, ...] = ()
    bypass_until: float | None = None
    findings: tuple[Finding, ...] = ()
    orphans: dict[str, int] = {}
    """Findings (by id) whose block was replaced, with the height the new branch must reach without them."""
    retracted: tuple[Retraction, ...] = ()
    shadowed: dict[str, Stage] = {}
    """Findings (by id) of shadowed detectors that would have paused, with the stage they were told at."""

    @property
    def automatic(self) -> list[Hold]:
        """Holds that detectors own."""
        return [hold for hold in self.holds.values() if not hold.forced]

    @property
    def forced(self) -> list[Hold]:
        """Holds that were ordered."""
        return [hold for hold in self.holds.values() if hold.forced]

    @property
    def standing(self) -> list[Hold]:
        """The holds that readers are told of: what was ordered always, what detectors found where they may turn the flag."""
        enforced = self.mode is Mode.ENFORCE and self.state is not State.FORCED_CLOSED
        return [hold for hold in self.holds.values() if hold.forced or enforced]

    @property
    def level(self) -> Level | None:
        """How much is taken away; None when nothing is."""
        return strictest(self.standing)

    @property
    def paused(self) -> bool:
        """Are readers to be told `pause`? An ordered hold counts in shadow mode too."""
        return self.level not in {None, Level.THROTTLE}

    @property
    def allowed(self) -> float:
        """The share of traffic that may pass, 0..1."""
        if self.state is State.HALF_OPEN and self.mode is Mode.ENFORCE:
            return self.share
        return min((hold.share for hold in self.standing), default=1.0)

    @property
    def would_pause(self) -> bool:
        """Would enforcing have paused where shadow did not?"""
        return self.mode is Mode.SHADOW and self.state in {State.OPEN, State.HALF_OPEN}


def rests_at(holds: dict[str, Hold], bypass_until: float | None) -> State:
    """The state that a set of holds means by itself, without half-open probing. A bypass suppresses automatic holds only.

    >>> rests_at({}, None)
    <State.CLOSED: 'closed'>
    """
    if any(hold.forced for hold in holds.values()):
        return State.FORCED_OPEN
    if bypass_until is not None:
        return State.FORCED_CLOSED
    return State.OPEN if holds else State.CLOSED


def after_change(breaker: Breaker, place: tuple[Hold, ...] = (), release: tuple[str, ...] = ()) -> State:
    """Where the breaker comes to rest when these holds are placed and released; half-open stays unless something new trips it."""
    kept = {key: hold for key, hold in breaker.holds.items() if key not in release} | {hold.id: hold for hold in place}
    rest = rests_at(kept, breaker.bypass_until)
    new = any(hold.id not in breaker.holds for hold in place)
    return State.HALF_OPEN if breaker.state is State.HALF_OPEN and rest is State.OPEN and not new else rest


def apply(breaker: Breaker, decision: Decision, sequence: int) -> Breaker:
    """The breaker after a journaled decision. Raises IllegalTransitionError for one the table forbids."""
    if decision.before is not breaker.state:
        raise IllegalTransitionError(f"{breaker.integration}: decided at {decision.before}, but it is {breaker.state}")
    if decision.after is not decision.before and decision.after not in TRANSITIONS[decision.before]:
        raise IllegalTransitionError(f"{breaker.integration}: {decision.before} does not go to {decision.after}")
    holds = {key: hold for key, hold in breaker.holds.items() if key not in decision.release}
    holds |= {hold.id: hold for hold in decision.place}
    if decision.after is State.CLOSED and holds:
        raise IllegalTransitionError(f"{breaker.integration}: cannot close over {len(holds)} holds")
    if decision.after in {State.OPEN, State.HALF_OPEN, State.FORCED_OPEN} and not holds:
        raise IllegalTransitionError(f"{breaker.integration}: {decision.after} without a hold")
    if decision.after is State.FORCED_CLOSED and any(hold.forced for hold in holds.values()):
        raise IllegalTransitionError(f"{breaker.integration}: a bypass cannot suppress what a person ordered")
    moved = decision.after is not decision.before
    tripped = _trips(breaker, decision, holds)
    resumed = decision.after is State.CLOSED and decision.by.startswith(HUMAN)
    times = () if resumed else (*breaker.tripped, decision.at)[-KEPT_TRIPS:] if tripped else breaker.tripped
    feared_since, spent = _feared(breaker, decision, holds)
    return msgspec.structs.replace(
        with_findings(breaker, decision.findings),
        state=decision.after,
        since=decision.at if moved else breaker.since,
        revision=sequence,
        reason=decision.reason if moved else breaker.reason,
        holds=holds,
        share=_share(breaker, decision),
        stepped_at=decision.at if decision.share is not None else breaker.stepped_at,
        trips=breaker.trips + tripped,
        tripped=times,
        feared_since=feared_since,
        spent=spent,
        bypass_until=(decision.bypass_until or breaker.bypass_until) if decision.after is State.FORCED_CLOSED else None,
    )


def with_findings(breaker: Breaker, findings: Sequence[Finding]) -> Breaker:
    """The breaker knowing these too, each by its newest word; one found in a block again has its block back."""
    seen = {finding.id: finding for finding in (*breaker.findings, *findings)}
    stand = {finding.id for finding in findings if finding.position is not None}
    orphans = {key: until for key, until in breaker.orphans.items() if key not in stand}
    kept = tuple(seen.values())
    if len(kept) > KEPT_FINDINGS:
        loose = {f.id for f in kept if f.id in orphans or (f.position is not None and f.stage is not Stage.FINAL)}
        newest = {f.id for f in kept[-KEPT_FINDINGS:]}
        kept = tuple(f for f in kept if f.id in loose or f.id in newest)[-KEPT_UNSETTLED:]
    return msgspec.structs.replace(breaker, findings=kept, orphans=orphans)


def _share(breaker: Breaker, decision: Decision) -> float:
    if decision.after in {State.CLOSED, State.FORCED_CLOSED}:
        return 1.0
    if decision.after is not State.HALF_OPEN:
        return 0.0
    return breaker.share if decision.share is None else decision.share


def _trips(breaker: Breaker, decision: Decision, holds: dict[str, Hold]) -> bool:
    """Is this a new automatic trip on block evidence: the first such hold, or another one while probing?"""
    if decision.after is not State.OPEN:
        return False
    if decision.before is State.HALF_OPEN:
        return any(not hold.pending for hold in decision.place)
    before = any(not hold.pending for hold in breaker.automatic)
    return not before and any(not hold.pending and not hold.forced for hold in holds.values())


def _feared(breaker: Breaker, decision: Decision, holds: dict[str, Hold]) -> tuple[float | None, tuple[Spent, ...]]:
    """Since when only pending evidence stops the integration, and the earlier stretches of the last hour.

    A stretch that ends because the feared transaction was mined and hurt was no false alarm, and is not counted.
    """
    stops = [hold for hold in holds.values() if hold.stops]
    fears = decision.after is State.OPEN and bool(stops) and all(hold.pending for hold in stops)
    spent = tuple(one for one in breaker.spent if one.until > decision.at - BUDGET_WINDOW)
    since = breaker.feared_since
    if fears or since is None:
        return (decision.at if since is None else since) if fears else None, spent
    if any(not hold.pending and not hold.forced for hold in holds.values()):
        return None, spent
    senders = tuple(sorted({hold.sender for hold in breaker.automatic}))
    return None, (*spent, Spent(senders, since, decision.at))
