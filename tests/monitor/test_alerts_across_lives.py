"""A daemon that is killed has told people something: its next life tells them no second time, and forgets nothing untold."""

import asyncio
import json
from pathlib import Path
from typing import Any

from monitor.demo.anvil import Anvil
from tests.support.daemon import Daemon, settings
from tests.support.receivers import Receiver, answers, receiver, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BLOCKS = ("--block-time", "1")


def telling(folder: Path, node: str, hook: str) -> dict[str, Any]:
    """A configuration that tells a webhook."""
    (folder / "hook.secret").write_text(SECRET)
    told = {"channel": "webhook", "url": hook, "secret": f"file:{folder / 'hook.secret'}", "allow_private": True}
    return settings(folder, node, blind_after="30s") | {"alerts": {"receivers": {"hook": told}}}


def kinds(hook: Receiver) -> list[str]:
    """What the webhook was told, by kind; what it refused among it."""
    return [json.loads(got.body)["type"] for got in hook.received]


async def settled(daemon: Daemon) -> None:
    """Wait until nothing is owed, and a little longer for what should not come."""
    await daemon.ready()
    await asyncio.sleep(0.5)

    async def nothing_owed() -> bool:
        async with daemon.http.get(f"{daemon.read}/metrics") as answer:
            return "seawall_alert_outbox_depth 0.0" in await answer.text()

    await until(nothing_owed)


async def test_an_incident_that_did_not_change_is_told_once_over_two_lives_and_its_end_in_the_third(tmp_path: Path) -> None:
    async with receiver() as hook, await Anvil.start(*BLOCKS) as node:
        config = telling(tmp_path, node.ws, hook.url)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            await daemon.order("pause")
            await hook.wait_for(1)
            await settled(daemon)
            await daemon.kill()
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("pause")
            await settled(daemon)
            await daemon.kill()
        assert kinds(hook) == ["breaker.forced"]
        async with Daemon(tmp_path, config) as daemon:
            flag = await daemon.until("pause")
            await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'})
            await hook.wait_for(2)
            await settled(daemon)
    assert kinds(hook) == ["breaker.forced", "breaker.closed"]
    assert len({json.loads(got.body)["data"]["incident"] for got in hook.received}) == 1


async def test_what_was_owed_at_kill_nine_is_told_by_the_next_life_under_the_same_id(tmp_path: Path) -> None:
    async with receiver(*[answers(503)] * 2) as hook, await Anvil.start(*BLOCKS) as node:
        config = telling(tmp_path, node.ws, hook.url)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            await daemon.order("pause")
            await hook.wait_for(1)
            await daemon.kill()
        async with Daemon(tmp_path, config) as daemon:
            await hook.wait_for(3)
            await settled(daemon)
            await daemon.kill()
    assert kinds(hook) == ["breaker.forced"] * 3
    assert len({got.headers["webhook-id"] for got in hook.received}) == 1


async def test_without_its_own_books_a_daemon_tells_what_stands_and_not_its_history(tmp_path: Path) -> None:
    async with receiver() as hook, await Anvil.start(*BLOCKS) as node:
        config = telling(tmp_path, node.ws, hook.url)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            for _ in range(2):
                await daemon.order("pause")
                flag = await daemon.until("pause")
                await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'})
                await daemon.until("run")
            await daemon.order("pause")
            await hook.wait_for(5)
            await settled(daemon)
            await daemon.kill()
        for path in sorted(tmp_path.glob("outbox.db*")):  # noqa: ASYNC240 - a handful of names
            path.unlink()
        async with Daemon(tmp_path, config) as daemon:
            await hook.wait_for(6)
            await settled(daemon)
    assert kinds(hook)[5:] == ["breaker.forced"]
    assert hook.received[5].headers["webhook-id"] == hook.received[4].headers["webhook-id"]
