"""Prometheus Alertmanager, API v2: grouping, silencing and escalation are its work; ours is an alert with a stable identity.

It has no acknowledgements and tells nobody of its silences, so every replica is asked for them: whoever silences an alert of ours
has taken its incident up until the silence ends.
"""

import asyncio
import re
import time
from collections.abc import Iterable
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from alerts.base import Channel, DeliveryFailed, Kind, Notification, Reply
from alerts.http import TIMEOUT, Poster
from alerts.render import clock
from alerts.silences import ALERTS, MOST_HELD, SILENCES, View, replies, view

_PATH = "/api/v2/alerts"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


class Alertmanager(Channel):
    """Posts to every one of `urls` (all replicas of a cluster: they agree among themselves, a load balancer would hide that).

    One that accepts is enough; the others catch up at the next refresh. `resolve_timeout` is Alertmanager's own setting in
    seconds: what is active is repeated three times within it. `token` is sent as a bearer token, `timeout` is in seconds.
    Every `silences_every` seconds all replicas are asked for silences over active alerts of ours; 0: never.
    """

    name: ClassVar[str] = "alertmanager"
    summary: ClassVar[str] = "Alerts into Prometheus Alertmanager (API v2)."

    def __init__(
        self, *, urls: tuple[str, ...], resolve_timeout: float = 300.0, token: str | None = None, timeout: float = TIMEOUT,
        silences_every: float = 15.0,
    ) -> None:  # fmt: skip
        if not urls:
            raise ValueError("urls: empty; name every Alertmanager replica")
        for index, url in enumerate(urls):
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                raise ValueError(f"urls[{index}]: not an http or https address")
        self._bases = tuple(url.rstrip("/").removesuffix(_PATH) for url in urls)
        self._urls = tuple(base + _PATH for base in self._bases)
        self.ask_every = silences_every or None
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        self.refresh_every = resolve_timeout / 3
        self._poster = Poster(allow_private=True, timeout=timeout)

    async def send(self, notification: Notification) -> str:
        """Post the alert, and end what the incident was called before it grew worse. Raises DeliveryFailed if nobody took it."""
        if notification.kind in (Kind.TAKEN_UP, Kind.GIVEN_BACK):
            return "nothing to tell: the alert is as it was"
        return await self._post([alert(notification), *(_ended(notification, labels) for labels in notification.earlier)])

    async def refresh(self, active: Iterable[Notification]) -> None:
        """Repeat every active alert, since Alertmanager forgets after `resolve_timeout`. Raises DeliveryFailed."""
        alerts = [alert(notification) for notification in active if not notification.resolved]
        if alerts:
            await self._post(alerts)

    async def asked(self, active: Iterable[Notification]) -> tuple[Reply, ...]:
        """Which of these are silenced on any replica; see `alerts.silences`. Raises DeliveryFailed when no replica answers."""
        answers = await asyncio.gather(*(self._view(base) for base in self._bases), return_exceptions=True)
        failed = [one for one in answers if isinstance(one, BaseException)]
        return replies(active, [one for one in answers if isinstance(one, View)], failed, time.time())

    async def _view(self, base: str) -> View:
        held, muted = [await self._poster.get(base + path, self._headers, MOST_HELD) for path in (ALERTS, SILENCES)]
        return view(held, muted, base)

    async def close(self) -> None:
        """Close the session."""
        await self._poster.close()

    async def _post(self, alerts: list[dict[str, object]]) -> str:
        body = msgspec.json.encode(alerts)
        answers = await asyncio.gather(*(self._attempt(url, body) for url in self._urls))
        failed = [answer for answer in answers if answer is not None]
        if len(failed) == len(self._urls):
            waits = [failure.retry_after for failure in failed if failure.retry_after is not None]
            text = "; ".join(map(str, failed))
            permanent = all(failure.permanent for failure in failed)
            raise DeliveryFailed(text, permanent=permanent, retry_after=max(waits, default=None))
        taken = f"taken by {len(self._urls) - len(failed)} of {len(self._urls)}"
        return "; ".join((taken, *map(str, failed)))

    async def _attempt(self, url: str, body: bytes) -> DeliveryFailed | None:
        try:
            await self._poster.post(url, body, self._headers)
        except DeliveryFailed as failure:
            return failure
        return None


def alert(notification: Notification) -> dict[str, object]:
    """One alert of the v2 API. Identity is its labels, so what changes (numbers, hashes, texts) is in the annotations."""
    annotations = {"summary": notification.title, "description": notification.body}
    annotations |= {_NOT_IN_NAMES.sub("_", f"{name}_url"): url for name, url in notification.links.items()}
    if notification.findings:
        first = notification.findings[0]
        annotations["evidence_tx"] = first.tx or ""
        annotations["block"] = str(first.position.height) if first.position is not None else ""
    made: dict[str, object] = {
        "labels": notification.labels | {"severity": notification.severity.value},
        "annotations": {name.lstrip("0123456789") or "_": text for name, text in annotations.items() if text},
        "startsAt": clock(notification.since),
    }
    if notification.resolved:
        made["endsAt"] = clock(max(notification.at, notification.since))
    source = notification.links.get("incident", "")
    if source.startswith(("http://", "https://")):
        made["generatorURL"] = source
    return made


def _ended(notification: Notification, labels: dict[str, str]) -> dict[str, object]:
    return {"labels": labels, "startsAt": clock(notification.since), "endsAt": clock(max(notification.at, notification.since))}
