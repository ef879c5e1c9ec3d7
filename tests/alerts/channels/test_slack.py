"""Slack's channel against a local server of its Web API: one message an incident, edited in place, with a thread."""

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from hypothesis import given

from alerts.base import DeliveryFailed
from alerts.channels.slack import MOST_HEADER, MOST_SECTION, Slack, message
from alerts.deliver import Delivery
from alerts.outbox import SqliteOutbox
from alerts.text import neutral
from tests.alerts.test_text import HOSTILE
from tests.support.notices import finding, told
from tests.support.receivers import Manner, receiver

_ts = itertools.count(1)


async def fine(_: web.Request) -> web.StreamResponse:
    """As Slack answers what it took."""
    return web.json_response({"ok": True, "channel": "C1", "ts": f"1767323045.{next(_ts):06d}"})


def refuses(error: str) -> Manner:
    """As Slack refuses: with 200."""

    async def manner(_: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": False, "error": error})

    return manner


async def test_one_message_an_incident_edited_in_place_with_a_thread() -> None:
    async with receiver(*[fine] * 5) as slack:
        channel = Slack(token="xoxb-1", channel="C1", url=slack.url, allow_private=True)
        first = told()
        await channel.send(first)
        await channel.send(msgspec.structs.replace(told("closed", "open"), incident=first.incident))
        await channel.close()
    calls = [(got.path.rpartition("/")[2], msgspec.json.decode(got.body)) for got in slack.received]
    assert [method for method, _ in calls] == ["chat.postMessage", "chat.update", "chat.postMessage"]
    (_, posted), (_, edited), (_, line) = calls
    assert all(got.headers["authorization"] == "Bearer xoxb-1" for got in slack.received)
    assert edited["ts"] == line["thread_ts"]
    assert posted["blocks"][0]["text"]["type"] == "plain_text"
    assert "usable again" in edited["blocks"][0]["text"]["text"]


async def test_after_a_restart_the_message_of_an_open_incident_is_edited_and_none_begun(tmp_path: Path) -> None:
    first = told()
    later = msgspec.structs.replace(told("half_open", "open", revision=18), incident=first.incident)
    end = msgspec.structs.replace(told("closed", "half_open", revision=19), incident=first.incident)
    async with receiver(*[fine] * 6) as slack:
        for life in ((first,), (later, end), (msgspec.structs.replace(first, id="next", incident="next"),)):
            channel = Slack(token="xoxb-1", channel="C1", url=slack.url, allow_private=True)
            delivery = Delivery({"chat": channel}, SqliteOutbox(tmp_path / "o"), lambda _: None)
            await delivery.recall("a journal")
            running = asyncio.create_task(delivery.run())
            for one in life:
                await delivery.submit(one, ["chat"])
            assert await delivery.drain(20)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await delivery.close()
    calls = [got.path.rpartition("/")[2] for got in slack.received]
    edit = ["chat.update", "chat.postMessage"]
    assert calls == ["chat.postMessage", *edit, *edit, "chat.postMessage"]
    threads = [msgspec.json.decode(got.body).get("thread_ts") for got in slack.received]
    assert threads[0] is threads[-1] is None
    assert threads[2] == threads[4] is not None
    box = SqliteOutbox(tmp_path / "o")
    assert list(box.remarks("chat")) == ["next"], "what has ended is not remembered"
    box.close()


async def test_a_message_that_slack_has_lost_is_posted_anew() -> None:
    async with receiver(fine, refuses("message_not_found"), fine) as slack:
        channel = Slack(token="xoxb-1", channel="C1", url=slack.url, allow_private=True)
        first = told()
        await channel.send(first)
        await channel.send(msgspec.structs.replace(told("half_open", "open"), incident=first.incident))
        await channel.close()
    assert [got.path.rpartition("/")[2] for got in slack.received] == ["chat.postMessage", "chat.update", "chat.postMessage"]


@pytest.mark.parametrize(("error", "permanent"), [("channel_not_found", True), ("invalid_auth", True), ("ratelimited", False)])
async def test_a_refusal_is_told_from_a_delay(error: str, permanent: bool) -> None:  # noqa: FBT001 - a table
    async with receiver(refuses(error)) as slack:
        channel = Slack(token="xoxb-secret", channel="C1", url=slack.url, allow_private=True)
        with pytest.raises(DeliveryFailed, match=error) as failure:
            await channel.send(told())
        await channel.close()
    assert failure.value.permanent is permanent
    assert "xoxb-secret" not in str(failure.value)


@given(HOSTILE)
def test_hostile_text_mentions_nobody_and_stays_within_the_limits(text: str) -> None:
    made = message(neutral(told(findings=(finding(text),), reason=text)), "C1")
    assert "<" not in str(made["text"])
    blocks = made["blocks"]
    assert isinstance(blocks, list)
    assert all(block["text"]["type"] == "plain_text" for block in blocks)
    assert len(blocks[0]["text"]["text"]) <= MOST_HEADER
    assert all(0 < len(block["text"]["text"]) <= MOST_SECTION for block in blocks)
