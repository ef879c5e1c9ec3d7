"""PagerDuty's channel against a local server of its protocol; every payload within the documented fields and limits."""

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest
from hypothesis import given

from alerts.base import DeliveryFailed
from alerts.channels.pagerduty import PagerDuty, event
from alerts.render import given_back, taken_up
from alerts.text import neutral
from tests.alerts.test_text import HOSTILE
from tests.support.notices import TX, finding, told
from tests.support.receivers import answers, receiver

EVENT = {
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key", "payload"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string", "pattern": "^https?://"},
        "links": {
            "type": "array",
            "items": {
                "type": "object", "required": ["href", "text"], "additionalProperties": False,
                "properties": {"href": {"type": "string", "pattern": "^https?://"}, "text": {"type": "string"}},
            },
        },
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
                "component": {"type": "string"}, "group": {"type": "string"}, "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}  # fmt: skip
"""The fields of the Events API v2, as PagerDuty publishes them (PagerDuty/api-schema, reference/events-v2), with its limits."""

KEY = "0" * 32


async def test_an_incident_is_triggered_and_resolved_under_one_dedup_key() -> None:
    async with receiver() as pager:
        channel = PagerDuty(routing_key=KEY, url=pager.url, allow_private=True)
        await channel.send(told())
        await channel.send(told("closed", "open"))
        await channel.close()
    opened, closed = (msgspec.json.decode(got.body) for got in pager.received)
    for sent in (opened, closed):
        jsonschema.validate(sent, EVENT)
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["payload"]["severity"] == "critical"
    assert opened["payload"]["class"] == "reentrancy/classic"
    assert TX in opened["payload"]["custom_details"]["body"]
    assert opened["payload"]["custom_details"]["lost"] == "12345678901234567890"


async def test_who_takes_an_incident_up_here_acknowledges_it_there_and_what_is_given_back_is_not_told() -> None:
    async with receiver() as pager:
        channel = PagerDuty(routing_key=KEY, url=pager.url, allow_private=True)
        begun = told()
        await channel.send(taken_up(begun, "human:ada", begun.at + 60, "on it"))
        said = await channel.send(given_back(begun, "human:ada", begun.at + 90))
        await channel.close()
    [sent] = [msgspec.json.decode(got.body) for got in pager.received]
    jsonschema.validate(sent, EVENT)
    assert (sent["event_action"], sent["dedup_key"]) == ("acknowledge", "seawall/breaker/aave-v3")
    assert "nothing to tell" in (said or "")


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (429, False), (500, False), (202, None)])
async def test_what_it_answers_decides_what_is_tried_again(status: int, permanent: bool | None) -> None:  # noqa: FBT001 - a table
    async with receiver(answers(status)) as pager:
        channel = PagerDuty(routing_key=KEY, url=pager.url, allow_private=True)
        if permanent is None:
            await channel.send(told())
        else:
            with pytest.raises(DeliveryFailed) as failure:
                await channel.send(told())
            assert failure.value.permanent is permanent
            assert KEY not in str(failure.value)
        await channel.close()


@given(HOSTILE)
def test_hostile_text_stays_within_the_limits(text: str) -> None:
    notification = neutral(told(findings=(finding(text, evidence={text: text}),), reason=text))
    jsonschema.validate(msgspec.json.decode(msgspec.json.encode(event(notification, KEY))), EVENT)
