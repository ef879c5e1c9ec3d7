"""`/-/status`: one document that says how the daemon is, and changes with what happens to it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from monitor.api.status import Status
from monitor.config import load
from monitor.demo.anvil import Anvil
from tests.monitor.cli.conftest import ended
from tests.support.daemon import TOKEN, VAULT, Daemon, settings
from tests.support.receivers import answers, receiver


async def told(daemon: Daemon) -> Status:
    async with daemon.http.get(f"{daemon.read}/-/status") as answer:
        assert answer.status == 200
        return msgspec.json.decode(await answer.read(), type=Status)


async def once(daemon: Daemon, so: Any, within: float = 20.0) -> Status:  # noqa: ANN401 - a condition
    """The status once it is so."""
    async with asyncio.timeout(within):
        while not so(status := await told(daemon)):  # noqa: ASYNC110 - the daemon is another process
            await asyncio.sleep(0.05)
        return status


async def test_a_daemon_is_told_whole_and_its_numbers_follow_a_pause(tmp_path: Path) -> None:
    async with await Anvil.start("--block-time", "1") as node, receiver(*[answers(503)] * 50) as down:
        config = settings(tmp_path, node.ws)
        hook = {"channel": "webhook", "url": down.url, "secret": "${TOKEN}", "allow_private": True}
        config["alerts"] = {"otherwise": ["hook"], "receivers": {"hook": hook}}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            first = await once(daemon, lambda status: status.ready and status.chains["test"].head is not None)
            await daemon.order("pause")
            after = await once(daemon, lambda status: status.flags.pause == 1 and status.delivery.outbox == 1)
            shown = await ended("status", SEAWALL_URL=daemon.read)
            plain = await ended("status", "--json", SEAWALL_URL=daemon.read)
    assert first.config == load(tmp_path / "seawall.yaml", {"TOKEN": TOKEN}).hash
    assert (first.pipeline, first.flags.run, first.flags.shadow) == (True, 1, 0)
    chain = first.chains["test"]
    assert (chain.id, chain.up, chain.trouble, [one.name for one in chain.nodes]) == ("eip155:31337", True, None, ["anvil"])
    assert chain.head is not None
    assert chain.age_seconds is not None
    assert chain.coverage == 1.0
    assert (after.journal.owed, after.journal.trouble) == (0, "")
    assert after.journal.sequence > first.journal.sequence
    assert after.journal.synced_at is not None
    assert after.journal.bytes > 0
    assert (after.delivery.channels["hook"].waiting, after.delivery.dead_letters) == (1, 0)
    assert set(first.detectors.values()) == {0}
    assert first.gas.keys() == {"test"}
    assert after.uptime_seconds >= first.uptime_seconds
    assert (shown.code, plain.code) == (0, 0), shown.err
    assert "flags: run 0, pause 1, unknown 0; 0 in shadow" in shown.out
    assert "hook: 1 waiting" in shown.out
    assert "anvil alive" in shown.out
    assert plain.json["config"] == first.config


async def test_a_chain_that_nobody_sees_is_said_with_its_reason(tmp_path: Path) -> None:
    async with Daemon(tmp_path, settings(tmp_path, "ws://127.0.0.1:1", watch=VAULT)) as daemon:
        await daemon.until("unknown")
        status = await once(daemon, lambda status: status.chains["test"].trouble is not None)
    chain = status.chains["test"]
    assert (chain.head, chain.age_seconds, chain.up) == (None, None, False)
    assert status.flags.unknown == 1
    assert status.gas["test"].degraded is not None
