"""What people do with an incident at PagerDuty, as its V3 webhooks tell it: believed only with a signature. Pure.

https://developer.pagerduty.com/docs/webhooks-overview; the signature is an HMAC of the whole body, several while keys change. A
service that groups alerts leaves `incident_key` empty (https://github.com/PagerDuty/pdpyras/issues/44): the title says it then.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from alerts.base import ForgedError, Reply, UnreadableError
from alerts.text import plain

KEY = "seawall/"
"""How every dedup key of ours begins; the incident's key follows."""

SIGNATURE, VERSION = "x-pagerduty-signature", "v1="
MOST_SIGNATURES = 8
_TAKEN_UP = {"incident.acknowledged": "", "incident.resolved": "resolved at PagerDuty; what Seawall holds stays held"}
_GIVEN_BACK = {"incident.unacknowledged": "the acknowledgement at PagerDuty ended", "incident.reopened": "reopened at PagerDuty"}


class _Agent(msgspec.Struct):
    summary: str = ""


class _Incident(msgspec.Struct):
    incident_key: str | None = None
    title: str = ""


class _Event(msgspec.Struct):
    event_type: str
    occurred_at: datetime
    data: msgspec.Raw = msgspec.Raw(b"{}")
    agent: _Agent | None = None


class _Posted(msgspec.Struct):
    event: _Event


def reply(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> Reply | None:
    """Who took one of our incidents up, or gave it back; None for what is of another sort or about others' incidents.

    Raises ForgedError unless one of `secrets` signed it, and UnreadableError.
    """
    given = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    if not given:
        raise ForgedError(f"no {SIGNATURE}; set the webhook subscription's secret as webhook_secret")
    signed = [one.strip().removeprefix(VERSION) for one in given.split(",")[:MOST_SIGNATURES] if one.strip().startswith(VERSION)]
    made = [hmac.new(secret, body, hashlib.sha256).hexdigest().encode() for secret in secrets]
    if not any(hmac.compare_digest(one.encode("utf-8", "replace"), ours) for one in signed for ours in made):
        raise ForgedError(f"{SIGNATURE} was not made with webhook_secret")
    try:
        return _said(msgspec.json.decode(body, type=_Posted).event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"no V3 webhook of PagerDuty's: {plain(str(error), 120)}") from error


def _said(event: _Event) -> Reply | None:
    note = (_TAKEN_UP | _GIVEN_BACK).get(event.event_type)
    if note is None:
        return None
    incident = msgspec.json.decode(event.data, type=_Incident)
    key = incident.incident_key or ""
    if not key.startswith(KEY) and (key or not incident.title):
        return None
    who = plain(event.agent.summary, 100) if event.agent is not None else ""
    return Reply(
        key=key.removeprefix(KEY), taken_up=event.event_type in _TAKEN_UP, by=who or "somebody",
        at=event.occurred_at.timestamp(), note=note, title="" if key else incident.title,
    )  # fmt: skip
