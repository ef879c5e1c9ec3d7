"""What Alertmanager's replicas hold of our alerts, and who silenced them. Pure: what was read goes in, its meaning comes out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

import msgspec

from alerts.base import DeliveryFailed, Notification, Reply
from alerts.render import clock
from alerts.text import plain

ALERTS = "/api/v2/alerts?filter=" + quote('alertname=~"Seawall.+"')
SILENCES = "/api/v2/silences"
"""Where a replica says it: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml."""

MOST_HELD = 8 * 1024 * 1024
"""Bytes that a replica may answer with."""


class _Status(msgspec.Struct, rename="camel"):
    silenced_by: tuple[str, ...] = ()


class _Held(msgspec.Struct):
    labels: dict[str, str]
    status: _Status


class Silence(msgspec.Struct, rename="camel"):
    """Somebody mutes what it matches."""

    id: str
    starts_at: datetime
    ends_at: datetime
    created_by: str = ""
    comment: str = ""


class View(msgspec.Struct, frozen=True):
    """What one replica holds: by an alert's labels what silences it, and the silences by their ids."""

    alerts: dict[frozenset[tuple[str, str]], tuple[str, ...]]
    silences: dict[str, Silence]


def view(alerts: bytes, silences: bytes, base: str) -> View:
    """From a replica's two answers. Raises DeliveryFailed when they are not Alertmanager's."""
    try:
        held = msgspec.json.decode(alerts, type=list[_Held])
        known = msgspec.json.decode(silences, type=list[Silence])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DeliveryFailed(f"{urlsplit(base).hostname}: its answer is none of Alertmanager's API v2") from error
    return View({frozenset(one.labels.items()): one.status.silenced_by for one in held}, {one.id: one for one in known})


def replies(
    active: Iterable[Notification], views: Sequence[View], failed: Sequence[BaseException], now: float
) -> tuple[Reply, ...]:
    """Which of these are silenced on any replica, `now` (unix seconds). What is not counts as that only where all say so.

    Raises DeliveryFailed when no replica answered.
    """
    if not views:
        raise DeliveryFailed("; ".join(map(str, failed)) or "no replica was asked")
    silences = {name: one for one_view in views for name, one in one_view.silences.items()}
    said = (_reply(notification, views, silences, None if failed else now) for notification in active)
    return tuple(reply for reply in said if reply is not None)


def _reply(notification: Notification, views: Sequence[View], silences: dict[str, Silence], now: float | None) -> Reply | None:
    """`now` is None where not every replica answered."""
    identity = frozenset((notification.labels | {"severity": notification.severity.value}).items())
    held = [one.alerts[identity] for one in views if identity in one.alerts]
    over = [silences[name] for names in held for name in names if name in silences]
    if over:
        longest = max(over, key=lambda one: one.ends_at)
        note = f"silenced until {clock(longest.ends_at.timestamp())}: {plain(longest.comment, 200)}"
        since = max(longest.starts_at.timestamp(), notification.since)  # one made in advance counts from the beginning
        return Reply(key=notification.key, taken_up=True, by=plain(longest.created_by, 100) or "somebody", at=since, note=note)
    if not held or now is None or any(held):
        return None
    return Reply(key=notification.key, taken_up=False, by="Alertmanager", at=now, note="the silence ended")
