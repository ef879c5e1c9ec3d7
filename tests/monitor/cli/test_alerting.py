"""Trying a channel before it is needed: what arrives is plainly a test, and what does not arrive is said."""

import json
from pathlib import Path

import yaml

from alerts.outbox import Entry, SqliteOutbox
from tests.monitor.cli.conftest import ended
from tests.support.notices import told as notified
from tests.support.receivers import answers, receiver

CHAINS = {"local": {"id": "eip155:31337", "nodes": [{"name": "none", "ws": "ws://127.0.0.1:1"}]}}


def configured(folder: Path, url: str) -> str:
    """A configuration with one receiver."""
    hook = {"channel": "webhook", "url": url, "secret": "${HOOK_SECRET}", "allow_private": True}
    path = folder / "seawall.yaml"
    journal = {"path": str(folder / "journal.db")}
    path.write_text(yaml.safe_dump({"version": 1, "chains": CHAINS, "alerts": {"receivers": {"hook": hook}}, "journal": journal}))
    return str(path)


SECRET = {"HOOK_SECRET": "whsec_c2Vhd2FsbC1zZWF3YWxsLXNlYXdhbGwtc2Vhd2FsbA=="}


async def test_a_test_reaches_the_receiver_and_is_plainly_one(tmp_path: Path) -> None:
    async with receiver() as hook:
        told = await ended("alerts", "test", "hook", "-c", configured(tmp_path, hook.url), "--json", **SECRET)
    assert told.code == 0, told.err
    assert json.loads(told.out)["delivered"] is True
    (got,) = hook.received
    assert "test" in json.loads(got.body)["type"]


async def test_a_receiver_that_refuses_or_is_unknown_is_said_in_one_line(tmp_path: Path) -> None:
    async with receiver(answers(403)) as hook:
        config = configured(tmp_path, hook.url)
        refused = await ended("alerts", "test", "hook", "-c", config, **SECRET)
        unknown = await ended("alerts", "test", "hoook", "-c", config, **SECRET)
    assert (refused.code, len(refused.err.strip().splitlines())) == (1, 1)
    assert "403" in refused.err
    assert (unknown.code, "there are: hook" in unknown.err) == (1, True)


async def test_what_no_receiver_took_can_be_read_with_its_reason_newest_first(tmp_path: Path) -> None:
    config = configured(tmp_path, "http://127.0.0.1:1")
    none = await ended("alerts", "letters", "-c", config, **SECRET)
    assert (none.code, "none" in none.out) == (0, True)
    assert not (tmp_path / "outbox.db").exists(), "reading makes nothing"
    box = SqliteOutbox(tmp_path / "outbox.db")
    for number, why in enumerate(("answered 400", "answered 410 \x1b[2J")):
        one = Entry(notification=notified(integration=f"pool-{number}", revision=number), receiver="hook", made=1.0)
        box.put([one])
        box.bury(one, why)
    box.close()
    read = await ended("alerts", "letters", "-c", config, **SECRET)
    lines = read.out.splitlines()
    assert ("pool-1" in lines[0], "answered 410 [2J" in lines[1], "pool-0" in lines[2]) == (True, True, True)
    as_json = await ended("alerts", "letters", "-c", config, "--most", "1", "--json", **SECRET)
    [letter] = json.loads(as_json.out)["letters"]
    assert (letter["receiver"], letter["severity"]) == ("hook", "critical")
