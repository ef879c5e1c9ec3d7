"""Any HTTP receiver, by the Standard Webhooks specification: signed, with an id that stays the same over every retry.

The body is `{"type", "timestamp", "data"}`; see https://www.standardwebhooks.com for how a receiver verifies it.
"""

import time
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec
from standardwebhooks import Webhook as Signer

from alerts.base import Channel, Notification
from alerts.http import TIMEOUT, Poster
from alerts.render import clock
from detectors.base import Finding


class Webhook(Channel):
    """Posts to `url`, signed with `secret` (`whsec_…`), and with `previous_secret` too while keys rotate.

    Refuses hosts that lead into a private network unless `allow_private`; follows no redirect. `timeout` in seconds.
    """

    name: ClassVar[str] = "webhook"
    summary: ClassVar[str] = "A signed POST by the Standard Webhooks specification."

    def __init__(
        self, *, url: str, secret: str, previous_secret: str | None = None, allow_private: bool = False, timeout: float = TIMEOUT
    ) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise ValueError("url: not an http or https address")
        self._url = url
        self._signers = [_signer(which, key) for which, key in (("secret", secret), ("previous_secret", previous_secret)) if key]
        if not self._signers:
            raise ValueError("secret: empty; make one with `openssl rand -base64 32` and put whsec_ before it")
        self._poster = Poster(allow_private=allow_private, timeout=timeout)

    async def send(self, notification: Notification) -> None:
        """Sign and post. Raises DeliveryFailed."""
        body = payload(notification)
        # sign() takes whatever it is given for UTC: a local time would be hours off and every receiver would refuse it.
        now = datetime.fromtimestamp(int(time.time()), UTC)
        signatures = [signer.sign(notification.id, now, body.decode()) for signer in self._signers]
        headers = {
            "content-type": "application/json",
            "user-agent": "seawall",
            "webhook-id": notification.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        await self._poster.post(self._url, body, headers)

    async def close(self) -> None:
        """Close the session."""
        await self._poster.close()


def payload(notification: Notification) -> bytes:
    """The body: type, timestamp (UTC, milliseconds) and data; the same bytes at every retry."""
    data: dict[str, object] = {
        **{name: notification.labels[name] for name in ("integration", "chain") if name in notification.labels},
        **notification.facts,
        "incident": notification.incident,
        "severity": notification.severity,
        "resolved": notification.resolved,
        "since": clock(notification.since),
        "title": notification.title,
        "body": notification.body,
        "cause": list(dict.fromkeys(f"{finding.detector}/{finding.kind}" for finding in notification.findings)),
        "evidence": [_evidence(finding) for finding in notification.findings],
        "links": notification.links,
    }
    if notification.window is not None:
        data["window"] = notification.window
    return msgspec.json.encode({"type": notification.kind, "timestamp": clock(notification.at), "data": data})


def _evidence(finding: Finding) -> dict[str, object]:
    return {
        "finding": finding.id,
        "detector": finding.detector,
        "kind": finding.kind,
        "chain": finding.chain,
        "contract": finding.subject,
        "block": finding.position.height if finding.position is not None else None,
        "tx": finding.tx,
        "stage": finding.stage,
        "confidence": finding.confidence,
        "numbers": finding.evidence,
    }


def _signer(which: str, key: str) -> Signer:
    try:
        return Signer(key)
    except (
        Exception
    ) as error:  # the library lets several kinds through; which one does not matter, the text must not show the key
        raise ValueError(f"{which}: not a Standard Webhooks secret (whsec_ and base64)") from error
