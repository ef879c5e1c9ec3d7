"""While a chain is out of sight, what detectors say of it is kept back: the chain's own alert is the one to act on. Pure.

Nothing is lost by it: findings and decisions are in the journal, what was kept back is counted, and what still stands when the
chain is seen again is told then. Whatever a person did, or must see, is never kept back, nor what is about a vital integration.
"""

from collections.abc import Callable

import msgspec

from alerts.base import Kind, Notification

BY_DETECTORS = frozenset((Kind.OPENED, Kind.HALF_OPENED, Kind.CLOSED, Kind.WOULD_OPEN, Kind.RETRACTED))
"""What a detector's findings lead to; the rest is about people, about fees, or about sight itself."""

POLICY = "policy:"
"""How the author of a decision begins that no person made."""


class Kept(msgspec.Struct, frozen=True):
    """What was kept back for one chain: how many notifications, and those that stand, oldest first."""

    count: int = 0
    standing: tuple[Notification, ...] = ()


class Inhibition:
    """The newest notification of each incident that is kept back, by key."""

    def __init__(self) -> None:
        self._held: dict[str, Notification] = {}
        self._count: dict[str, int] = {}

    def take(self, notification: Notification) -> None:
        """Keep it back."""
        chain = notification.labels.get("chain", "")
        self._count[chain] = self._count.get(chain, 0) + 1
        if notification.kind is Kind.RETRACTED:
            return  # its incident was not told of: nobody need hear that a part of it is off
        self._held.pop(notification.key, None)
        if not notification.resolved:
            self._held[notification.key] = notification

    def holds(self, key: str) -> bool:
        """Is this incident kept back?"""
        return key in self._held

    def forget(self, key: str) -> None:
        """Something newer of this incident is told: what was kept back of it is no longer how it stands."""
        self._held.pop(key, None)

    def free(self, blind: Callable[[Notification], bool]) -> tuple[str, ...]:
        """The incidents that need not be kept back any longer, oldest first."""
        return tuple(key for key, one in self._held.items() if not blind(one))

    def release(self, key: str) -> Notification | None:
        """This one as it stands, taken out; None when it has ended, or is told of, by now."""
        return self._held.pop(key, None)

    def account(self, chain: str) -> Kept:
        """What was kept back for this chain since it was last asked; what stands stays kept until `release`."""
        standing = tuple(one for one in self._held.values() if one.labels.get("chain", "") == chain)
        return Kept(self._count.pop(chain, 0), standing)


def by_detectors(notification: Notification) -> bool:
    """Did detectors cause it, with no person in it? What must be seen by one (`page`) is not theirs alone."""
    author = str(notification.facts.get("by", POLICY))
    return notification.kind in BY_DETECTORS and author.startswith(POLICY) and "page" not in notification.facts
