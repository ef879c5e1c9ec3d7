"""Trying a channel before it is needed: what arrives is plainly a test, and what does not arrive is said."""

import json
from pathlib import Path

import yaml

from tests.monitor.cli.conftest import ended
from tests.support.receivers import answers, receiver

CHAINS = {"local": {"id": "eip155:31337", "nodes": [{"name": "none", "ws": "ws://127.0.0.1:1"}]}}


def configured(folder: Path, url: str) -> str:
    """A configuration with one receiver."""
    hook = {"channel": "webhook", "url": url, "secret": "${HOOK_SECRET}", "allow_private": True}
    path = folder / "seawall.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "chains": CHAINS, "alerts": {"receivers": {"hook": hook}}}))
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
