"""The webhook channel against a real receiver."""

import json
import os
import time

import msgspec
import pytest
from hypothesis import given
from standardwebhooks import Webhook as Verifier

from alerts.base import DeliveryFailed, Sight
from alerts.channels.webhook import Webhook, payload
from alerts.render import sight
from alerts.text import neutral
from tests.alerts.test_text import HOSTILE
from tests.support.notices import TX, finding, told
from tests.support.receivers import answers, cuts, hangs, receiver

SECRET = "whsec_c2Vhd2FsbC1zZWF3YWxsLXNlYXdhbGwtc2Vhd2FsbA=="
OLDER = "whsec_b2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXI="


async def test_a_receiver_verifies_what_we_signed_with_the_library_it_would_use() -> None:
    async with receiver() as hook:
        channel = Webhook(url=hook.url, secret=SECRET, previous_secret=OLDER, allow_private=True)
        await channel.send(told())
        await channel.close()
    [got] = hook.received
    for key in (SECRET, OLDER):
        body = Verifier(key).verify(got.body, got.headers)
    assert got.headers["webhook-id"] == told().id
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    assert body["type"] == "breaker.opened"
    assert body["timestamp"] == "2026-01-02T03:04:05.250Z"
    data = body["data"]
    assert (data["integration"], data["from"], data["to"], data["revision"]) == ("aave-v3", "closed", "open", 17)
    assert data["cause"] == ["reentrancy/classic"]
    assert data["evidence"][0]["tx"] == TX
    assert data["evidence"][0]["numbers"]["lost"] == "12345678901234567890"
    assert data["links"]["runbook"].startswith("https://")


async def test_the_signature_holds_wherever_on_earth_we_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        async with receiver() as hook:
            channel = Webhook(url=hook.url, secret=SECRET, allow_private=True)
            await channel.send(told())
            await channel.close()
        assert Verifier(SECRET).verify(hook.received[0].body, hook.received[0].headers)
    finally:
        monkeypatch.undo()
        time.tzset()
        assert os.environ.get("TZ") != "Pacific/Kiritimati"


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [(500, False, False), (503, False, False), (429, False, False), (408, False, False), (400, True, False), (404, True, False),
     (410, True, True), (302, True, False)],
)  # fmt: skip
async def test_every_answer_is_sorted_into_later_or_never(status: int, *, permanent: bool, gone: bool) -> None:
    async with receiver(answers(status, Location="http://127.0.0.1:1/elsewhere")) as hook:
        channel = Webhook(url=hook.url + "/tok-3n", secret=SECRET, allow_private=True)
        with pytest.raises(DeliveryFailed) as failed:
            await channel.send(told())
        await channel.close()
    assert (failed.value.permanent, failed.value.gone) == (permanent, gone)
    assert str(status) in str(failed.value)
    assert "tok-3n" not in str(failed.value)
    assert len(hook.received) == 1


async def test_a_receiver_may_ask_for_time_but_not_for_a_year() -> None:
    async with receiver(answers(429, Retry_After="7"), answers(503, Retry_After="99999999")) as hook:
        channel = Webhook(url=hook.url, secret=SECRET, allow_private=True)
        waits = []
        for _ in range(2):
            with pytest.raises(DeliveryFailed) as failed:
                await channel.send(told())
            waits.append(failed.value.retry_after)
        await channel.close()
    assert waits == [7.0, 3600.0]


async def test_a_hang_and_a_cut_line_are_for_later_and_name_the_host() -> None:
    async with receiver(hangs, cuts) as hook:
        channel = Webhook(url=hook.url, secret=SECRET, allow_private=True, timeout=0.2)
        for _ in range(2):
            with pytest.raises(DeliveryFailed, match=r"127\.0\.0\.1") as failed:
                await channel.send(told())
            assert not failed.value.permanent
        await channel.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "169.254.169.254",
        "10.1.2.3",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_a_public_webhook_never_reaches_into_our_own_network(host: str) -> None:
    async with receiver() as hook:
        port = hook.url.rpartition(":")[2].partition("/")[0]
        channel = Webhook(url=f"http://{host}:{port}/", secret=SECRET)
        with pytest.raises(DeliveryFailed, match=r"private network|not an address") as failed:
            await channel.send(told())
        await channel.close()
    assert failed.value.permanent
    assert hook.received == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://"}, "url"),
        ({"secret": ""}, "secret"),
        ({"previous_secret": "whsec_!"}, "previous_secret"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_without_its_value(wrong: dict[str, str], path: str) -> None:
    settings = {"url": "https://example.org/", "secret": SECRET} | wrong
    with pytest.raises(ValueError, match=rf"^{path}:") as refused:
        Webhook(**settings)  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)


@given(HOSTILE)
def test_the_body_parses_back_to_exactly_what_was_meant(text: str) -> None:
    made = neutral(told(reason=text, findings=(finding(text, evidence={text: text, "big": 2**200, "odd": float("nan")}),)))
    body = json.loads(payload(made))
    assert set(body) == {"type", "timestamp", "data"}
    assert body["data"]["title"] == made.title
    assert body["data"]["body"] == made.body
    assert body["data"]["evidence"][0]["numbers"] == made.findings[0].evidence
    assert payload(made) == payload(msgspec.structs.replace(made))


def test_a_blind_chain_is_an_event_of_its_own() -> None:
    made = sight(Sight(chain="eip155:1", blind=True, at=12.5, since=10.0, reason="no head"))
    assert json.loads(payload(made))["type"] == "chain.blind"
