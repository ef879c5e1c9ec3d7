"""What people and services may decide: pause, resume, bypass. Pure; who may ask for what is checked before."""

import msgspec

from monitor.breaker.holds import HUMAN, SERVICE, Decision, Hold, Level, State, decision_id
from monitor.breaker.machine import Breaker
from monitor.breaker.moves import released


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who orders, and why. `automated`: a service, which releases only what it ordered itself.

    `key` names the order (an Idempotency-Key): the same order twice is one hold.
    """

    who: str
    reason: str
    automated: bool = False
    key: str = ""

    @property
    def by(self) -> str:
        """The author as the journal names it."""
        return (SERVICE if self.automated else HUMAN) + self.who


def pause(
    breaker: Breaker,
    order: Order,
    now: float,
    *,
    ttl: float | None = None,
    level: Level = Level.PAUSE,
    share: float = 0.0,
    scope: str = "",
) -> Decision | None:
    """Place an ordered hold: always allowed, in every state. `ttl` is a review deadline in seconds, not an end.

    `share` is the traffic (0..1) that passes under `throttle`. None when this very order stands already.
    """
    identity = ("pause", order.by, order.key) if order.key else ("pause", order.by, order.reason, repr(now))
    hold = Hold(
        id=decision_id(breaker.integration, 0.0 if order.key else now, *identity, scope),
        integration=breaker.integration,
        source=order.by,
        since=now,
        reason=order.reason,
        until=None if ttl is None else now + ttl,
        level=level,
        share=share if level is Level.THROTTLE else 0.0,
        scope=scope,
    )
    if hold.id in breaker.holds:
        return None
    return Decision(
        id=decision_id(breaker.integration, now, "forced_open", hold.id),
        integration=breaker.integration,
        before=breaker.state,
        after=State.FORCED_OPEN,
        at=now,
        reason=order.reason,
        by=order.by,
        place=(hold,),
    )


def resume(breaker: Breaker, order: Order, now: float, *, scope: str = "", page: str = "") -> Decision | None:
    """Release holds on the orderer's authority; None when there is none to release.

    A person releases every hold, automatic ones too; a service only what it ordered itself. `scope` releases what was ordered for
    that scope and leaves the rest.
    """
    gone = tuple(
        hold.id
        for hold in breaker.holds.values()
        if (not order.automated or hold.source == order.by) and (not scope or hold.scope == scope)
    )
    return released(breaker, gone, now, order.reason, order.by, page) if gone else None


def bypass(breaker: Breaker, order: Order, now: float, ttl: float, page: str = "") -> Decision:
    """Force the breaker closed for `ttl` seconds: automatic holds are suppressed, ordered ones never."""
    return Decision(
        id=decision_id(breaker.integration, now, "bypass", order.by),
        integration=breaker.integration,
        before=breaker.state,
        after=State.FORCED_CLOSED,
        at=now,
        reason=order.reason,
        by=order.by,
        bypass_until=now + ttl,
        page=page,
    )
