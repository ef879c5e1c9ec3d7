"""What keeps the breaker itself from becoming the outage: how often, how long and how widely it may stop things. Pure."""

from collections.abc import Iterable, Sequence

from monitor.breaker.holds import Mode
from monitor.breaker.machine import BUDGET_WINDOW, Breaker

HOUR = 3600.0
UNCAPPED = 3
"""Installations of up to so many integrations have no cap: a share of so few means little."""


def recent_trips(tripped: Sequence[float], window: float) -> int:
    """How many of these trips (unix seconds, in order) lie within `window` seconds of the newest.

    >>> recent_trips((0.0, 5000.0, 5100.0), 600.0), recent_trips((), 600.0)
    (2, 0)
    """
    return sum(at > tripped[-1] - window for at in tripped)


def latched(tripped: Sequence[float], most: int) -> bool:
    """Did the newest trip make it `most` within an hour? Then a person must look before anything is probed.

    >>> latched((0.0, 10.0, 20.0), 3), latched((0.0, 10.0, 4000.0), 3)
    (True, False)
    """
    return recent_trips(tripped, HOUR) >= most


def afraid_for(breaker: Breaker, now: float, sender: str | None = None) -> float:
    """Seconds of the last hour that the integration was stopped on pending evidence alone, the present stretch included.

    Given a `sender`, only what its transactions stopped.
    """
    stretches = [(one.since, one.until, one.senders) for one in breaker.spent]
    if breaker.feared_since is not None:
        stretches.append((breaker.feared_since, now, tuple(hold.sender for hold in breaker.automatic)))
    begin = now - BUDGET_WINDOW
    return sum(
        max(0.0, min(until, now) - max(since, begin))
        for since, until, senders in stretches
        if sender is None or sender in senders
    )


def room(breakers: Iterable[Breaker], most: float, more: int = 0) -> bool:
    """May one more integration be stopped automatically, if at most the share `most` (0..1) of the enforced ones may be?

    `more` are being stopped at this moment. Ordered pauses are exempt and not counted; throttled integrations are in use and not
    counted either.
    """
    enforced = [breaker for breaker in breakers if breaker.mode is Mode.ENFORCE]
    if len(enforced) <= UNCAPPED:
        return True
    stopped = more + sum(breaker.paused and not breaker.forced for breaker in enforced)
    return stopped < max(1, int(most * len(enforced) + 1e-9))
