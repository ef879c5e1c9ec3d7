"""PagerDuty, Events API v2: one PagerDuty alert per incident, by its dedup key; it resolves when the incident does.

https://developer.pagerduty.com/docs/send-alert-event has the fields and their limits. What people do there comes back as V3
webhooks, signed.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from alerts.acknowledgements import KEY, reply
from alerts.base import Channel, Kind, Notification, Reply
from alerts.http import TIMEOUT, Poster
from alerts.render import clock
from alerts.text import plain
from detectors.base import Severity

ENQUEUE = "https://events.pagerduty.com/v2/enqueue"
MOST_SUMMARY, MOST_KEY = 1024, 255
MOST_LINKS = 10
_ACTIONS = {Kind.TAKEN_UP: "acknowledge"}
_SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}


class PagerDuty(Channel):
    """Sends to the service that `routing_key` belongs to. `url` is another region's address; `timeout` in seconds.

    `webhook_secret` is what a V3 webhook subscription is signed with, `previous_webhook_secret` the one before while it changes;
    without one nothing that is posted to us is believed.
    """

    name: ClassVar[str] = "pagerduty"
    summary: ClassVar[str] = "PagerDuty incidents (Events API v2)."

    def __init__(
        self, *, routing_key: str, url: str = ENQUEUE, webhook_secret: str | None = None,
        previous_webhook_secret: str | None = None, allow_private: bool = False, timeout: float = TIMEOUT,
    ) -> None:  # fmt: skip
        if not routing_key:
            raise ValueError("routing_key: empty; it is the integration key of a PagerDuty service")
        self._routing_key = routing_key
        self._url = url
        self._poster = Poster(allow_private=allow_private, timeout=timeout)
        self._secrets = [secret.encode() for secret in (webhook_secret, previous_webhook_secret) if secret]
        self.listens = bool(self._secrets)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Who acknowledged, resolved or gave back one of our incidents there. Raises ForgedError, UnreadableError."""
        return reply(self._secrets, headers, body)

    async def send(self, notification: Notification) -> str | None:
        """Trigger, update, acknowledge or resolve. Raises DeliveryFailed."""
        if notification.kind is Kind.GIVEN_BACK:
            return "nothing to tell: PagerDuty takes no acknowledgement back"
        body = msgspec.json.encode(event(notification, self._routing_key))
        answer = await self._poster.post(self._url, body, {"content-type": "application/json"})
        return plain(answer.decode("utf-8", "replace"), 120) or None

    async def close(self) -> None:
        """Close the session."""
        await self._poster.close()


def event(notification: Notification, routing_key: str) -> dict[str, object]:
    """One event of the v2 API. The same incident has the same dedup key at every retry and after a restart."""
    made: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS.get(notification.kind, "resolve" if notification.resolved else "trigger"),
        "dedup_key": f"{KEY}{notification.key}"[:MOST_KEY],
        "client": "Seawall",
    }
    links = [{"href": url, "text": name} for name, url in notification.links.items() if url.startswith(("http://", "https://"))]
    if links:
        made |= {"links": links[:MOST_LINKS], "client_url": links[0]["href"]}
    labels = notification.labels
    first = notification.findings[0] if notification.findings else None
    made["payload"] = {
        "summary": notification.title[:MOST_SUMMARY],
        "source": labels.get("integration") or labels.get("chain") or "seawall",
        "severity": _SEVERITIES[notification.severity],
        "timestamp": clock(notification.at),
        "component": labels.get("chain", ""),
        "group": labels.get("integration", ""),
        "class": f"{first.detector}/{first.kind}" if first is not None else str(notification.kind),
        "custom_details": {
            "body": notification.body,
            **notification.facts,
            **({name: str(value) for name, value in first.evidence.items()} if first is not None else {}),
        },
    }
    return made
