"""The breaker's state machine: a table of legal transitions and a fold that applies decisions. Pure."""

import msgspec

from detectors.base import Finding
from detectors.events import Position
from monitor.breaker.holds import Decision, Hold, Mode, State

TRANSITIONS: dict[State, frozenset[State]] = {
    State.CLOSED: frozenset({State.OPEN, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.OPEN: frozenset({State.HALF_OPEN, State.CLOSED, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.HALF_OPEN: frozenset({State.OPEN, State.CLOSED, State.FORCED_OPEN, State.FORCED_CLOSED}),
    State.FORCED_OPEN: frozenset({State.CLOSED, State.OPEN, State.FORCED_CLOSED}),
    State.FORCED_CLOSED: frozenset({State.CLOSED, State.OPEN, State.FORCED_OPEN}),
}

KEPT_FINDINGS = 32
"""Newest findings kept per integration, for the risk score, corroboration and the page."""


class IllegalTransitionError(ValueError):
    """A decision that the table or the holds do not allow."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One integration as the journal tells it. `revision` is the sequence of the record that last changed it."""

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
    bypass_until: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def automatic(self) -> list[Hold]:
        """Holds that detectors own."""
        return [hold for hold in self.holds.values() if not hold.human]

    @property
    def paused(self) -> bool:
        """Are readers to be told `pause`? A person's hold counts in shadow mode too."""
        if self.state is State.FORCED_OPEN:
            return True
        return self.mode is Mode.ENFORCE and self.state in {State.OPEN, State.HALF_OPEN}

    @property
    def would_pause(self) -> bool:
        """Would enforcing have paused where shadow did not?"""
        return self.mode is Mode.SHADOW and self.state in {State.OPEN, State.HALF_OPEN}


def rests_at(holds: dict[str, Hold], bypass_until: float | None) -> State:
    """The state that a set of holds means by itself, without half-open probing.

    >>> rests_at({}, None)
    <State.CLOSED: 'closed'>
    """
    if any(hold.human for hold in holds.values()):
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
    moved = decision.after is not decision.before
    tripped = decision.after is State.OPEN and moved and any(not hold.pending for hold in decision.place)
    seen = {finding.id: finding for finding in (*breaker.findings, *decision.findings)}
    return msgspec.structs.replace(
        breaker,
        state=decision.after,
        since=decision.at if moved else breaker.since,
        revision=sequence,
        reason=decision.reason if moved else breaker.reason,
        holds=holds,
        share=_share(breaker, decision),
        stepped_at=decision.at if decision.share is not None else breaker.stepped_at,
        trips=breaker.trips + tripped,
        bypass_until=(decision.bypass_until or breaker.bypass_until) if decision.after is State.FORCED_CLOSED else None,
        findings=tuple(seen.values())[-KEPT_FINDINGS:],
    )


def _share(breaker: Breaker, decision: Decision) -> float:
    if decision.after in {State.CLOSED, State.FORCED_CLOSED}:
        return 1.0
    if decision.after is not State.HALF_OPEN:
        return 0.0
    return breaker.share if decision.share is None else decision.share


class Noted(msgspec.Struct, frozen=True):
    """A finding that changed no flag, kept for corroboration, the page and the audit."""

    integration: str
    finding: Finding


class Cursor(msgspec.Struct, frozen=True):
    """Every block of `chain` up to `position` has been processed."""

    chain: str
    position: Position


class Fold:
    """All breakers and cursors, as the journal tells them. Changes only through `apply_record`, with records in sequence."""

    def __init__(self, modes: dict[str, Mode]) -> None:
        self.modes = modes
        self.breakers: dict[str, Breaker] = {name: Breaker(integration=name, mode=mode) for name, mode in modes.items()}
        self.cursors: dict[str, Position] = {}
        self.head = 0

    def breaker(self, integration: str) -> Breaker:
        """The breaker of an integration; one that the configuration no longer names keeps its history in enforce mode."""
        return self.breakers.get(integration) or Breaker(integration=integration, mode=Mode.ENFORCE)

    def apply_record(self, kind: str, body: bytes, sequence: int) -> Decision | None:
        """Fold one journal record and give back the decision it is, if it is one. Kinds not about state only move the head."""
        decision = None
        if kind == "decision":
            decision = msgspec.json.decode(body, type=Decision)
            self.breakers[decision.integration] = apply(self.breaker(decision.integration), decision, sequence)
        elif kind == "finding":
            noted = msgspec.json.decode(body, type=Noted)
            breaker = self.breaker(noted.integration)
            seen = {finding.id: finding for finding in breaker.findings} | {noted.finding.id: noted.finding}
            self.breakers[noted.integration] = msgspec.structs.replace(breaker, findings=tuple(seen.values())[-KEPT_FINDINGS:])
        elif kind == "cursor":
            cursor = msgspec.json.decode(body, type=Cursor)
            self.cursors[cursor.chain] = cursor.position
        self.head = sequence
        return decision
