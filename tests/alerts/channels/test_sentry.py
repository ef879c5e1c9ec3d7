"""Sentry as a receiver: envelopes to a local endpoint, an issue for each detector and kind."""

import importlib.metadata

import msgspec

from alerts.base import Notification
from alerts.channels.sentry import Sentry
from tests.support.notices import finding, told
from tests.support.receivers import Received, receiver


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
