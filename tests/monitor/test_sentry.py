"""No secret reaches Sentry: an envelope is what leaves us, so an envelope is what is searched."""

import asyncio
import base64
import importlib.metadata
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st

from monitor import sentry
from monitor.demo.anvil import free_port
from tests.support.daemon import Daemon, settings
from tests.support.receivers import Received, Receiver, hangs, receiver

KEY = "k3y0fTheNode-9f8e7d6c5b4a"
NODE = f"wss://eth.example/v2/{KEY}?auth=q5-param-secret"
TOKEN = "seawall_4711.adminsecret"
PASSWORD = "hunter2/slash"
SECRETS = [NODE, TOKEN, PASSWORD]


@asynccontextmanager
async def started(*secrets: str) -> AsyncIterator[Receiver]:
    """Sentry switched on, with an envelope endpoint of ours."""
    async with receiver() as endpoint:
        base = endpoint.url.removesuffix("/hook").removeprefix("http://")
        assert sentry.start(f"http://publicdsnkey@{base}/1", "test", "0.1.0", secrets)
        try:
            yield endpoint
        finally:
            await asyncio.to_thread(sentry.stop)


def texts(received: list[Received]) -> str:
    """Everything that left, but for the envelope's own header line, which names the DSN by protocol."""
    assert {got.path for got in received} == {"/api/1/envelope/"}
    return "\n".join(got.body.decode().partition("\n")[2] for got in received)


def event(received: Received) -> dict[str, object]:
    """The event of an envelope."""
    decoded: dict[str, object] = msgspec.json.decode(received.body.split(b"\n")[2])
    return decoded


@contextmanager
def reported() -> Iterator[None]:
    """Report what is raised within, as the daemon does."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 — whatever it is, it is what we test
        sentry.report(error)


class NodeLostError(Exception):
    """What the daemon would raise."""


def lose(text: str) -> None:
    """Raise it."""
    raise NodeLostError(text)


def dial(url: str) -> None:
    """Fail as a library does, which puts into its text whatever it was given."""
    raise ConnectionError(f"cannot connect: Max retries exceeded with url: /v2/{KEY} ({url})")


def fail() -> None:
    """An error whose text, cause, note and locals all hold the key."""
    url = NODE
    try:
        dial(url)
    except ConnectionError as error:
        error.add_note(f"tried {url} as ws://someone:{quote(PASSWORD, safe='')}@10.0.0.4:8546/")
        raise NodeLostError(f"{url} is silent; Authorization: Bearer {TOKEN}") from error


async def test_an_rpc_key_in_an_exception_its_cause_and_its_locals_does_not_leave() -> None:
    async with started(*SECRETS) as endpoint:
        sentry_sdk.add_breadcrumb(message=f"dialling {NODE}", data={"url": NODE, NODE: 1, "raw": NODE.encode()})
        sentry_sdk.set_extra("config", {"nodes": [NODE, {"password": PASSWORD}]})
        sentry_sdk.set_tag("node", NODE)
        with reported():
            fail()
        await endpoint.wait_for(1)
    left = texts(endpoint.received)
    for secret in (KEY, "q5-param-secret", TOKEN, PASSWORD, quote(PASSWORD, safe=""), "publicdsnkey"):
        assert secret not in left, secret
    assert "NodeLostError" in left
    assert "ConnectionError" in left
    assert "wss://eth.example/[redacted]" in left
    assert "dialling" in left
    assert '"vars"' not in left


async def test_an_unknown_key_in_a_url_does_not_leave_either() -> None:
    async with started() as endpoint:
        with reported():
            raise NodeLostError(
                f"https://{'a1B2' * 8}.quiknode.example/{KEY}/ and wss://user:pw@eth.example:8546/{KEY}#x refused"
            )
        await endpoint.wait_for(1)
    left = texts(endpoint.received)
    assert KEY not in left
    assert "a1B2" not in left
    assert "user" not in str(event(endpoint.received[0])["exception"])
    assert "eth.example:8546" in left


async def test_a_key_at_the_edge_of_an_overlong_text_is_not_cut_in_half_and_let_go() -> None:
    async with started(*SECRETS) as endpoint:
        for pad in (0, sentry.LONGEST - 10, 100_000 - 10):
            with reported():
                lose("x " * (pad // 2) + KEY + " tail" * 10)
        await endpoint.wait_for(3)
    assert KEY[:8] not in texts(endpoint.received)


async def test_a_logged_error_leaves_without_its_arguments_secrets() -> None:
    async with started(*SECRETS) as endpoint:
        logging.getLogger("seawall.test").error("node %s refused", NODE)
        await endpoint.wait_for(1)
    assert KEY not in texts(endpoint.received)
    assert "refused" in texts(endpoint.received)


async def test_a_sentry_that_never_answers_holds_nobody_up() -> None:
    async with receiver(*[hangs] * 200) as endpoint:
        base = endpoint.url.removesuffix("/hook").removeprefix("http://")
        assert sentry.start(f"http://k@{base}/1", "test", "0.1.0", SECRETS)
        # The endpoint lives in this very loop: a report that waited for it would wait for ever.
        for _ in range(200):
            with reported():
                fail()
        await endpoint.wait_for(1)
        await asyncio.to_thread(sentry.stop, 0.1)
    assert not sentry_sdk.get_client().is_active()


def test_without_a_dsn_nothing_is_started_and_reporting_is_silent() -> None:
    assert not sentry.start(None, "test", "0.1.0", SECRETS)
    assert not sentry.start("", "test", "0.1.0", SECRETS)
    sentry.report(ValueError("x"))


SECRET = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=24)


@given(
    SECRET,
    st.text(),
    st.text(),
    st.sampled_from(("{}", "wss://h.example/v3/{}", "https://u:{}@h/x", "a?k={}&b=1", "token={}", "Bearer {}")),
)
def test_wherever_a_known_secret_stands_it_goes(secret: str, before: str, after: str, place: str) -> None:
    scrub = sentry.scrubber([secret])
    value = {before: [{"deep": (before + place.format(secret) + after,)}], place.format(secret): secret.encode()}
    cleaned = sentry.scrubbed(value, scrub)
    shown = str(cleaned)
    assert secret not in shown.replace(sentry.REDACTED, "").replace(before, "").replace("deep", "") or secret in "redacted"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET wss://eth.example failed", "GET wss://eth.example failed"),
        ("http://127.0.0.1:8545 refused by 10.0.0.4:8546", "http://127.0.0.1:8545 refused by 10.0.0.4:8546"),
        ("tx 0x" + "ab" * 32 + " reverted", "tx 0x" + "ab" * 32 + " reverted"),
        ("api_key=abc123&x=1", "api_key=[redacted]&x=1"),
        ('{"password": "p w"}', '{"password": "[redacted] w"}'),
        ("Authorization: Basic " + base64.b64encode(b"u:p").decode(), "Authorization: [redacted]"),
    ],
)
def test_what_tells_nothing_stays_readable(text: str, clean: str) -> None:
    assert sentry.scrubber([])(text) == clean


async def test_a_cron_monitor_hears_every_so_often_that_we_are_well_or_not() -> None:
    health = iter((True, False, True))
    async with started(*SECRETS) as endpoint:
        checking = asyncio.create_task(sentry.check_in("seawall-prod", 0.05, lambda: next(health, True)))
        await endpoint.wait_for(3)
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
    said = [msgspec.json.decode(got.body.split(b"\n")[2]) for got in endpoint.received[:3]]
    assert [one["status"] for one in said] == ["ok", "error", "ok"]
    assert {one["monitor_slug"] for one in said} == {"seawall-prod"}
    assert {(one["environment"], one["release"]) for one in said} == {("test", "0.1.0")}
    assert said[0]["monitor_config"]["schedule"] == {"type": "interval", "value": 1, "unit": "minute"}
    assert [msgspec.json.decode(got.body.split(b"\n")[1])["type"] for got in endpoint.received[:3]] == ["check_in"] * 3


async def test_a_daemon_checks_in_from_its_first_minute(tmp_path: Path) -> None:
    async with receiver() as endpoint:
        (tmp_path / "dsn").write_text(endpoint.url.replace("http://", "http://key@").replace("/hook", "/1"))
        watched = {"dsn": f"file:{tmp_path / 'dsn'}", "environment": "test", "monitor": "seawall-test"}
        async with Daemon(tmp_path, settings(tmp_path, f"ws://127.0.0.1:{free_port()}") | {"sentry": watched}):
            [first, *_] = await endpoint.wait_for(1)
    said = msgspec.json.decode(first.body.split(b"\n")[2])
    assert (said["monitor_slug"], said["status"], said["environment"]) == ("seawall-test", "ok", "test")
    assert said["release"] == f"seawall@{importlib.metadata.version('seawall')}"
