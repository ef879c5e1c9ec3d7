"""The Alertmanager channel against Debian's real one."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given

from alerts.base import DeliveryFailed, Notification
from alerts.channels.alertmanager import Alertmanager, alert
from alerts.group import Groups, fold
from alerts.silences import MOST_HELD
from alerts.text import neutral
from monitor.demo.anvil import free_port
from tests.alerts.test_text import HOSTILE
from tests.support.alertmanager import alertmanager, alerts, amtool
from tests.support.notices import TX, finding, told
from tests.support.receivers import answers, receiver


async def endless(request: web.Request) -> web.StreamResponse:
    """Answers and answers."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(2 * MOST_HELD // 65536):
            await answer.write(b" " * 65536)
    return answer


def now(after: str = "open", before: str = "closed", **changes: object) -> Notification:
    return told(after, before, at=time.time(), **changes)


async def test_one_attack_is_one_page_and_one_all_clear(tmp_path: Path) -> None:
    async with receiver() as hook, alertmanager(tmp_path, hook.url) as base:
        channel = Alertmanager(urls=(base,))
        begun = now()
        groups, first = fold(Groups(), begun, 0.0)
        assert first is not None
        assert await channel.send(first) == "taken by 1 of 1"
        await channel.send(first)
        await channel.send(msgspec.structs.replace(first, id="again", title="the same, worded otherwise"))
        [page] = await hook.wait_for(1)
        assert len(await alerts(base)) == 1
        _, end = fold(groups, now("closed", "open"), 0.0)
        assert end is not None
        await channel.send(end)
        while json.loads(hook.received[-1].body)["status"] != "resolved":
            await hook.wait_for(len(hook.received) + 1)
        await channel.close()
    told_first: dict[str, Any] = json.loads(page.body)
    told_last: dict[str, Any] = json.loads(hook.received[-1].body)
    assert told_first["status"] == "firing"
    assert told_first["commonLabels"] == begun.labels
    [one] = told_first["alerts"]
    assert one["annotations"]["evidence_tx"] == TX
    assert one["annotations"]["runbook_url"].startswith("https://")
    assert one["generatorURL"] == begun.links["incident"]
    assert [each["fingerprint"] for each in told_last["alerts"]] == [one["fingerprint"]]


async def test_an_incident_that_grows_worse_leaves_no_second_alert_behind(tmp_path: Path) -> None:
    async with receiver() as hook, alertmanager(tmp_path, hook.url) as base:
        channel = Alertmanager(urls=(base,))
        groups = Groups()
        for step in (now(shadow=True), now(revision=18)):
            groups, said = fold(groups, step, 0.0)
            assert said is not None
            await channel.send(said)
        active = await alerts(base)
        await channel.close()
    assert [each["labels"]["severity"] for each in active] == ["critical"]  # type: ignore[index]


async def test_what_is_still_true_outlives_the_memory_of_alertmanager(tmp_path: Path) -> None:
    async with receiver() as hook, alertmanager(tmp_path, hook.url, resolve_timeout="2s") as base:
        channel = Alertmanager(urls=(base,), resolve_timeout=2.0)
        assert channel.refresh_every is not None
        assert channel.refresh_every == pytest.approx(2 / 3)
        kept, forgotten = now(), now(integration="compound")
        await channel.send(kept)
        await channel.send(forgotten)
        for _ in range(5):
            await asyncio.sleep(channel.refresh_every)
            await channel.refresh([kept, now("closed", "open", integration="other")])
        left = await alerts(base)
        await channel.close()
    assert [each["labels"]["integration"] for each in left] == ["aave-v3"]  # type: ignore[index]


async def test_one_replica_that_takes_it_is_enough_and_the_others_are_named(tmp_path: Path) -> None:
    async with receiver() as hook, alertmanager(tmp_path, hook.url) as base, receiver(answers(500)) as ill:
        dead = f"http://127.0.0.1:{free_port()}"
        channel = Alertmanager(urls=(dead, base, ill.url))
        remark = await channel.send(now())
        assert remark.startswith("taken by 1 of 3")
        assert "answered 500" in remark
        assert len(await alerts(base)) == 1
        await channel.close()


async def test_silences_are_asked_of_every_replica_and_an_absent_one_leaves_it_open_that_there_is_none(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with receiver() as hook, alertmanager(tmp_path, hook.url) as base, alertmanager(tmp_path, hook.url) as twin:
        both, one_dead = Alertmanager(urls=(base, twin)), Alertmanager(urls=(dead, base, twin))
        made, other = now(), now(integration="compound")
        await both.send(made)
        await both.send(other)
        assert [(reply.key, reply.taken_up) for reply in await both.asked([made, other])] == [
            (made.key, False),
            (other.key, False),
        ]
        assert await one_dead.asked([made, other]) == ()
        add = ("silence", "add", "integration=aave-v3", "--author=ada \x1b[2J", "--comment=on it", "--duration=1h")
        await amtool(twin, *add)
        for channel in (both, one_dead):
            [reply] = [one for one in await channel.asked([made, other]) if one.taken_up]
            assert (reply.key, reply.by, reply.at >= made.since) == (made.key, "ada [2J", True)
            assert "on it" in reply.note
        alone = Alertmanager(urls=(dead,))
        with pytest.raises(DeliveryFailed, match=r"127\.0\.0\.1"):
            await alone.asked([made])
        for channel in (both, one_dead, alone):
            await channel.close()


async def test_an_answer_that_is_not_alertmanagers_or_has_no_end_is_a_failure() -> None:
    async with receiver(answers(200), answers(200), answers(404), endless) as odd:
        channel = Alertmanager(urls=(odd.url,))
        for said in ("API v2", "answered 404", "more than"):
            with pytest.raises(DeliveryFailed, match=said):
                await channel.asked([now()])
        await channel.close()


async def test_nobody_took_it_is_a_failure_for_later_unless_all_refuse_for_good() -> None:
    async with receiver(answers(503, Retry_After="9"), answers(400)) as ill:
        channel = Alertmanager(urls=(ill.url,))
        with pytest.raises(DeliveryFailed) as later:
            await channel.send(now())
        with pytest.raises(DeliveryFailed) as never:
            await channel.send(now())
        await channel.close()
    assert (later.value.permanent, later.value.retry_after) == (False, 9.0)
    assert never.value.permanent


async def test_hostile_text_arrives_as_an_annotation_and_nothing_else(tmp_path: Path) -> None:
    evil = 'USD\u202eC\x1b[2J"}]\n{{ .Labels }} <script> \ud800 \x00'
    async with receiver() as hook, alertmanager(tmp_path, hook.url) as base:
        channel = Alertmanager(urls=(base,))
        made = neutral(now(reason=evil, findings=(finding(evil, evidence={evil: evil}),), links={evil: evil, "1st link": "x"}))
        await channel.send(made)
        [held] = await alerts(base)
        await channel.close()
    assert held["labels"] == made.labels
    assert held["annotations"]["summary"] == made.title  # type: ignore[index]


@given(HOSTILE)
def test_names_of_annotations_are_names_whatever_a_link_is_called(text: str) -> None:
    made = alert(neutral(told(links={text: "https://example.org/"})))
    names = json.loads(msgspec.json.encode(made))["annotations"]
    assert all(name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() for name in names)


@pytest.mark.parametrize("urls", [(), ("alertmanager:9093",), ("http://ok:9093", "ftp://x")])
def test_a_wrong_address_is_refused_at_once(urls: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^urls"):
        Alertmanager(urls=urls)
