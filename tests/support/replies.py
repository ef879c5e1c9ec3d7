"""PagerDuty's side of its V3 webhooks: bodies as its documentation shows them, and their signatures."""

import hashlib
import hmac
from typing import Any

import msgspec

OURS = "seawall/breaker/vault"


def posted(
    kind: str, at: str = "2026-01-02T03:04:05.250Z", key: str | None = OURS, data: dict[str, Any] | None = None, title: str = "?"
) -> bytes:
    """The body of a V3 webhook: https://developer.pagerduty.com/docs/webhooks-overview#webhook-payload."""
    service = {"id": "PIJ90N7", "type": "service_reference", "summary": "Payments", "html_url": "https://acme.pagerduty.com/s/1"}
    incident = {
        "id": "PT4KHLK", "type": "incident", "self": "https://api.pagerduty.com/incidents/PT4KHLK", "number": 1234,
        "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK", "status": kind.rpartition(".")[2], "incident_key": key,
        "created_at": "2026-01-02T03:00:00Z", "title": title, "service": service, "assignees": [], "urgency": "high",
    }  # fmt: skip
    agent = {"id": "PXPGF42", "type": "user_reference", "summary": "Ada Night", "html_url": "https://acme.pagerduty.com/users/1"}
    event = {
        "id": "5ac64822-4adc-4fda-ade0-410becf0de4f", "event_type": kind, "resource_type": "incident", "occurred_at": at,
        "agent": agent, "client": None, "data": incident if data is None else data,
    }  # fmt: skip
    return msgspec.json.encode({"event": event})


def signed(body: bytes, secret: bytes) -> str:
    """The header that goes with it."""
    return "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
