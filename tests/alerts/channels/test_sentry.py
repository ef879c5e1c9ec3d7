"""Sentry as a receiver: envelopes to a local endpoint, an issue for each detector and kind."""

import importlib.metadata

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import msgspec
from hypothesis import given

from alerts.base import Kind, Notification
from alerts.channels.sentry import Sentry
from alerts.channels.sentry import event as made
from alerts.text import neutral
from tests.alerts.test_text import HOSTILE
from tests.support.notices import finding, told
from tests.support.receivers import Received, receiver

EVENT = {
    "type": "object",
    "required": ["event_id", "level", "timestamp", "platform", "fingerprint", "tags", "message"],
    "properties": {
        "event_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "level": {"enum": ["debug", "info", "warning", "error", "fatal"]},
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "platform": {"const": "other"},
        "logger": {"type": "string"}, "environment": {"type": "string"}, "message": {"type": "string", "minLength": 1},
        "fingerprint": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "extra": {"type": "object"},
    },
    "additionalProperties": False,
}  # fmt: skip
"""The attributes of an event that we use, as Sentry publishes them (getsentry/sentry-data-schemas, relay/event.schema.json)."""


def event(received: Received) -> dict[str, object]:
    """The event of an envelope."""
    decoded: dict[str, object] = msgspec.json.decode(received.body.split(b"\n")[2])
    return decoded


async def sent(*notifications: Notification) -> list[dict[str, object]]:
    """What arrives of them."""
    async with receiver() as endpoint:
        base = endpoint.url.removesuffix("/hook").removeprefix("http://")
        channel = Sentry(dsn=f"http://key@{base}/1", environment="test")
        for notification in notifications:
            await channel.send(notification)
        await endpoint.wait_for(len(notifications))
        await channel.close()
        return [event(got) for got in endpoint.received]


async def test_one_issue_per_detector_and_kind_whatever_the_integration() -> None:
    here, there, other = await sent(
        told(), told(integration="compound"), told(findings=(finding(detector="drain", kind="outflow"),))
    )
    assert here["fingerprint"] == there["fingerprint"] == ["seawall", "reentrancy/classic"]
    assert other["fingerprint"] == ["seawall", "drain/outflow"]
    assert here["level"] == "fatal"
    assert isinstance(here["tags"], dict)
    assert isinstance(there["tags"], dict)
    assert (here["tags"]["integration"], there["tags"]["integration"]) == ("aave-v3", "compound")
    assert here["environment"] == "test"
    assert here["release"] == f"seawall@{importlib.metadata.version('seawall')}"


async def test_the_end_of_an_incident_is_no_new_alarm() -> None:
    (closed,) = await sent(told("closed", "open"))
    assert closed["level"] == "info"


@given(HOSTILE)
def test_hostile_text_stays_within_the_published_attributes(text: str) -> None:
    notification = neutral(told(findings=(finding(text, evidence={text: text}),), reason=text))
    jsonschema.validate(msgspec.json.decode(msgspec.json.encode(made(notification, "test"))), EVENT)


async def test_a_taking_up_is_no_event_of_its_own() -> None:
    channel = Sentry(dsn="http://key@127.0.0.1:9/1")
    for kind in (Kind.TAKEN_UP, Kind.GIVEN_BACK):
        assert "nothing to tell" in (await channel.send(msgspec.structs.replace(told(), kind=kind)) or "")
    await channel.close()
