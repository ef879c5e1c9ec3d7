"""When too much happens at once: the first alerts go out one by one, the rest together, each of them named. Pure.

A storm of ten thousand findings is one event for whoever is woken by it. What is about a vital integration keeps room of its own,
so that the one alert that matters is not the one that comes last.
"""

from collections import deque

from alerts.base import RANK, Kind, Notification, notification_id
from alerts.text import paragraphs, plain
from detectors.base import Severity

STORM = "storm"
"""The key that all of a storm is told under."""

WINDOW = 60.0
"""Seconds over which alerts are counted."""

CALM, VITAL = 10, 5
"""Alerts told one by one within the window; further ones that are about a vital integration."""

FIRST_DIGEST, NEXT_DIGEST = 5.0, 30.0
"""Seconds until what was held back is told together, and between two of those."""

NAMED = 40
"""Alerts that a digest names; the rest is counted."""

HELD = 20_000
"""Alerts held for a digest at most; beyond, only their number is kept, those about vital integrations excepted."""


class Storm:
    """What was told within the window, and what waits to be told together. `vital` integrations keep room of their own."""

    def __init__(self, vital: frozenset[str] = frozenset(), calm: int = CALM) -> None:
        self._calm = calm
        self._vital = vital
        self._told: deque[float] = deque()
        self._held: dict[str, Notification] = {}
        self._uncounted = 0
        self._since = 0.0
        self._digested = float("-inf")

    def take(self, notification: Notification, now: float) -> Notification | None:
        """What to tell at once: this notification, or None when it waits for the digest. `now` in unix seconds."""
        while self._told and self._told[0] <= now - WINDOW:
            self._told.popleft()
        if len(self._told) < self._calm + (VITAL if self._matters(notification) else 0):
            self._told.append(now)
            return notification
        self._since = self._since or now
        if len(self._held) < HELD or notification.key in self._held or self._matters(notification):
            self._uncounted += notification.key in self._held
            self._held[notification.key] = notification
        else:
            self._uncounted += 1
        return None

    @property
    def due(self) -> float | None:
        """When the next digest is to be told, unix seconds; None while nothing is held."""
        return max(self._since + FIRST_DIGEST, self._digested + NEXT_DIGEST) if self._held else None

    def digest(self, now: float) -> Notification | None:
        """Everything held, as one notification, once it is due."""
        if self.due is None or now < self.due:
            return None
        held = sorted(self._held.values(), key=lambda one: (not self._matters(one), -RANK[one.severity], one.at))
        vital = sum(map(self._matters, held))
        named = held[: max(vital, NAMED)]
        count = len(held) + self._uncounted
        worst = max((one.severity for one in held), key=RANK.__getitem__)
        lines = [f"{count} further alerts within {now - self._since:.0f} s, told together:"]
        lines += [f"* {'VITAL ' if self._matters(one) else ''}{one.severity}: {plain(one.title, 100)}" for one in named]
        lines += [f"And {count - len(named)} more; the page and the incidents list have them all."] if count > len(named) else []
        made = notification_id("storm", self._since, count, *(one.id for one in named))
        told = Notification(
            id=made,
            key=STORM,
            kind=Kind.STORM,
            severity=worst,
            title=plain(f"storm: {count} further alerts, worst is {worst}: {held[0].title}"),
            body=paragraphs("\n".join(lines)),
            at=now,
            since=self._since,
            labels={"alertname": "SeawallStorm", "severity": worst.value},
            links=held[0].links,
            facts={"alerts": count, "vital": vital},
            incident=made,
        )
        self._held, self._uncounted, self._since, self._digested = {}, 0, 0.0, now
        return told

    def _matters(self, notification: Notification) -> bool:
        return notification.severity is Severity.CRITICAL and notification.labels.get("integration", "") in self._vital
