"""Sentry as a receiver: one issue per detector and kind (or per sort of notice), an event for every notification.

A client of its own, so that alerts may go to another project than the daemon's own errors do.
"""

import asyncio
import importlib.metadata
from typing import TYPE_CHECKING, Any, ClassVar

from alerts.base import Channel, DeliveryFailed, Kind, Notification
from alerts.render import clock
from alerts.text import plain

if TYPE_CHECKING:
    import sentry_sdk

FLUSH_WITHIN = 5.0
_LEVELS = {"critical": "fatal", "warning": "warning", "info": "info"}


class Sentry(Channel):
    """Sends to `dsn`; `environment` as Sentry files it."""

    name: ClassVar[str] = "sentry"
    summary: ClassVar[str] = "Sentry events, one issue per detector and kind."

    def __init__(self, *, dsn: str, environment: str = "production") -> None:
        if not dsn:
            raise ValueError("dsn: empty; copy it from the Sentry project's client keys")
        self._dsn = dsn
        self._environment = environment
        self._client: sentry_sdk.Client | None = None

    async def send(self, notification: Notification) -> str | None:
        """Hand the event over and wait until it has left. Raises DeliveryFailed when it did not in time."""
        if notification.kind in {Kind.TAKEN_UP, Kind.GIVEN_BACK}:
            return "nothing to tell: no event of its own"
        client = self._opened()
        made = client.capture_event(event(notification, self._environment))
        left = await asyncio.to_thread(_flushed, client)
        if made is None or not left:
            raise DeliveryFailed(f"sentry: the event did not leave within {FLUSH_WITHIN:g} s")
        return f"event {plain(made, 40)}"

    async def close(self) -> None:
        """Let the client go."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close, FLUSH_WITHIN)
            self._client = None

    def _opened(self) -> "sentry_sdk.Client":
        if self._client is None:
            import sentry_sdk  # noqa: PLC0415 - only where it is used: starting is not to wait for it

            self._client = sentry_sdk.Client(
                dsn=self._dsn, environment=self._environment, release=f"seawall@{importlib.metadata.version('seawall')}",
                default_integrations=False, auto_enabling_integrations=False,
                send_client_reports=False, include_local_variables=False, max_breadcrumbs=0,
                server_name="",
            )  # fmt: skip
        return self._client


def _flushed(client: "sentry_sdk.Client") -> bool:
    """Did everything leave in time?"""
    late: list[int] = []
    client.flush(timeout=FLUSH_WITHIN, callback=lambda waiting, _: late.append(waiting))
    return not late


def event(notification: Notification, environment: str) -> Any:  # noqa: ANN401 - Sentry's own event type
    """One event. Its fingerprint is what went wrong, not where: the integration is a tag."""
    first = notification.findings[0] if notification.findings else None
    kind = f"{first.detector}/{first.kind}" if first is not None else str(notification.kind)
    return {
        "event_id": notification.id[:32],
        "message": notification.title,
        "level": "info" if notification.resolved else _LEVELS[notification.severity.value],
        "timestamp": clock(notification.at),
        "environment": environment,
        "logger": "seawall.alerts",
        "platform": "other",
        "fingerprint": ["seawall", kind],
        "tags": {**notification.labels, "kind": str(notification.kind), "resolved": str(notification.resolved).lower()},
        "extra": {"body": notification.body, "incident": notification.incident, **notification.facts, **notification.links},
    }
