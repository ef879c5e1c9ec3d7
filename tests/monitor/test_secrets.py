"""A canary in every place where a secret may stand, and a search for it through everything that a daemon says or keeps."""

import asyncio
import base64
import gzip
import json
import subprocess
import sys
import urllib.parse
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from monitor import sentry
from monitor.config import Config, load
from monitor.config.hidden import secrets_of
from monitor.demo.anvil import Anvil, free_port
from tests.support.daemon import ROOT, TOKEN, Daemon, settings
from tests.support.receivers import Receiver, answers, receiver

WHSEC = base64.b64encode(b"canary-of-the-webhooks-key-32byt").decode()
CANARIES = {
    "NODE_URL": "canaryNodeKey4f1e8a7b6c5d",
    "WEBHOOK_URL": "canaryWebhookPath9d8c7b6a",
    "BROKEN_URL": "canaryBrokenPath1a2b3c4d5e",
    "SIGNING_KEY": "ca" * 4 + "0123456789abcdef" * 3 + "0f1e2d3c",
    "WHSEC": WHSEC,
    "DSN": "canarySentryKey7766554433",
    "PAGER": "canaryPagerKeyXYZ98765432abcdefg",
    "TOKEN": TOKEN,
    "SECOND": "canarySecondToken0123456789",
}
"""What to look for, by its variable."""


def found(text: bytes) -> set[str]:
    """Canaries in these bytes, as they are or as encoders would leave them."""
    seen = set()
    for name, secret in CANARIES.items():
        raw = secret.encode()
        forms = {raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode(), urllib.parse.quote(secret, safe="").encode()}
        if any(form in text for form in forms):
            seen.add(name)
    return seen


def unpacked(body: bytes) -> bytes:
    """A body as it was before compression."""
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else zlib.decompress(body) if body[:1] == b"\x78" else body


def config(
    folder: Path, node: Anvil, hook: Receiver, broken: Receiver, tracker: Receiver, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """A configuration with a secret in every place there is."""
    monkeypatch.setenv("NODE_URL", f"ws://user:{CANARIES['NODE_URL']}@127.0.0.1:{free_port()}/v3/{CANARIES['NODE_URL']}")
    monkeypatch.setenv("WEBHOOK_URL", f"{hook.url}/{CANARIES['WEBHOOK_URL']}")
    monkeypatch.setenv("PAGER", CANARIES["PAGER"])
    monkeypatch.setenv("SIGNING_KEY", CANARIES["SIGNING_KEY"])
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("SECOND", CANARIES["SECOND"])
    monkeypatch.setenv("DSN", tracker.url.replace("http://", f"http://{CANARIES['DSN']}@").replace("/hook", "/1"))
    (folder / "whsec").write_text(f"whsec_{WHSEC}\n")
    (folder / "broken").write_text(f"{broken.url}/{CANARIES['BROKEN_URL']}")
    made = settings(folder, node.ws, blind_after="5s")
    made["chains"]["dead"] = {
        "id": "eip155:4242", "nodes": [{"name": "keyed", "ws": "${NODE_URL}"}], "block_time": "1s", "blind_after": "3s",
    }  # fmt: skip
    webhook = {"channel": "webhook", "secret": "file:whsec", "allow_private": True}
    made["alerts"] = {
        "otherwise": ["hook", "broken", "pager", "console"],
        "receivers": {
            "hook": webhook | {"url": "${WEBHOOK_URL}"},
            "broken": webhook | {"url": "file:broken"},
            "pager": {
                "channel": "pagerduty",
                "routing_key": "${PAGER}",
                "url": f"http://127.0.0.1:{free_port()}",
                "allow_private": True,
            },
            "console": {"channel": "console"},
        },
    }
    made["api"]["signing_key"] = "${SIGNING_KEY}"
    made["api"]["tokens"].append({"name": "second", "secret": "${SECOND}", "scopes": ["resume", "audit", "reload"]})
    made["sentry"] = {"dsn": "${DSN}"}
    made["log"] = {"level": "debug"}
    return made


def reported(config: Config) -> None:
    """An error with every secret in its text and its cause, reported as the daemon reports its own."""
    assert config.sentry is not None
    sentry.start(config.sentry.dsn.reveal(), "test", "0", secrets_of(config))
    error = RuntimeError(f"gave up: {' '.join(CANARIES.values())}")
    error.__cause__ = OSError(f"could not reach any of {secrets_of(config)}")
    sentry.report(error)
    sentry.stop()


READ = (
    "/v1/flags", "/v1/flags/vault", "/v1/keys", "/flagd/flags.json", "/v1/integrations", "/v1/integrations/vault",
    "/v1/incidents", "/-/healthy", "/-/ready", "/metrics", "/", "/v1/gas", "/nowhere", "/v1/flags/nothing",
)  # fmt: skip


async def asked(daemon: Daemon) -> bytes:
    """Everything that the two listeners say, errors too."""
    said = b""
    for path in READ:
        async with daemon.http.get(daemon.read + path) as answer:
            said += await answer.read() + str(answer.headers).encode()
    second = {"Authorization": f"Bearer {CANARIES['SECOND']}"}
    orders: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("GET", "/v1/audit", second),
        ("GET", "/v1/approvals", second),
        ("POST", "/-/reload", second),
        ("POST", "/v1/integrations/vault/pause", second),
        ("POST", "/v1/integrations/nothing/resume", second),
        ("POST", "/v1/integrations/vault/pause", {"Authorization": f"Basic {TOKEN}"}),
        ("GET", "/v1/audit?from=x", second),
    )
    for method, path, headers in orders:
        async with daemon.http.request(method, daemon.admin + path, headers=headers) as answer:
            said += await answer.read() + str(answer.headers).encode()
    return said


def kept(folder: Path, sources: set[str]) -> dict[str, bytes]:
    """Every file a daemon wrote, tapes unpacked; not what the test put there."""
    return {
        str(path.relative_to(folder)): unpacked(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name not in sources
    }


def commands(folder: Path) -> bytes:
    """What commands say of this configuration, and of one that is wrong all over."""
    path = folder / "seawall.yaml"
    wrong = folder / "wrong.yaml"
    wrong.write_text(
        path.read_text().replace("block_time", "blocktime").replace("allow_private", "allow_privat").replace("webhook", "webhok")
    )
    said = b""
    for arguments in (
        ["check", path],
        ["doctor", "-c", path, "--json"],
        ["check", wrong],
        ["run", "-c", wrong],
        ["audit", "export", "-c", path],
    ):
        done = subprocess.run([sys.executable, "-m", "monitor", *map(str, arguments)], cwd=ROOT, capture_output=True, check=False)
        said += done.stdout + done.stderr
    return said


@pytest.mark.slow
async def test_no_secret_is_in_anything_that_leaves_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        await Anvil.start("--block-time", "1") as node,
        receiver() as hook,
        receiver(*(answers(500) for _ in range(200))) as broken,
        receiver() as tracker,
    ):
        made = config(tmp_path, node, hook, broken, tracker, monkeypatch)
        daemon = Daemon(tmp_path, made, "--tape", str(tmp_path / "tape.gz"))
        async with daemon:
            assert set(secrets_of(load(tmp_path / "seawall.yaml"))) >= {CANARIES["SIGNING_KEY"], CANARIES["SECOND"]}
            await daemon.until("run")
            assert (await daemon.order("pause"))["state"] == "pause"
            await hook.wait_for(1)
            await broken.wait_for(2)
            said = await asked(daemon)
            async with aiohttp.ClientSession() as http, http.get(daemon.read + "/v1/events") as events:
                said += await events.content.readany()
            assert await daemon.stop() == 0
        said += await asyncio.to_thread(commands, tmp_path)
        await asyncio.to_thread(reported, load(tmp_path / "seawall.yaml"))
        await tracker.wait_for(1)
        told = b"".join(json.dumps(got.headers).encode() + got.body for one in (hook, broken) for got in one.received)
        errors = b"".join(unpacked(got.body) for got in tracker.received)
    files = kept(tmp_path, {"whsec", "broken", "seawall.yaml", "wrong.yaml"})
    assert {"daemon.log", "journal.db", "outbox.db", "journal.db.reserve"} < files.keys()
    assert found(said + told) == set()
    assert found(errors) <= {"DSN"}, "the tracker's own key is how it knows us"
    assert b"Traceback" not in said
    assert {name: found(content) for name, content in files.items() if found(content)} == {}
    assert len(errors) > 100


def test_a_canary_would_be_found() -> None:
    for name, secret in CANARIES.items():
        assert name in found(b"before " + secret.encode() + b" after")
        assert name in found(base64.b64encode(secret.encode()))
