"""The two shapes that most decisions have: the state moves, or holds are released. Pure."""

from monitor.breaker.holds import Decision, State, decision_id
from monitor.breaker.machine import Breaker, after_change


def moved(breaker: Breaker, after: State, now: float, reason: str, by: str, share: float | None = None) -> Decision:
    """The state moves and the holds stay. `share` is the traffic share while half-open, 0..1."""
    return Decision(
        id=decision_id(breaker.integration, now, after, repr(share)),
        integration=breaker.integration,
        before=breaker.state,
        after=after,
        at=now,
        reason=reason,
        by=by,
        share=share,
    )


def released(breaker: Breaker, gone: tuple[str, ...], now: float, reason: str, by: str, page: str = "") -> Decision:
    """These holds go, by id, and the state follows from the rest."""
    return Decision(
        id=decision_id(breaker.integration, now, "release", *gone),
        integration=breaker.integration,
        before=breaker.state,
        after=after_change(breaker, release=gone),
        at=now,
        reason=reason,
        by=by,
        release=gone,
        page=page,
    )
