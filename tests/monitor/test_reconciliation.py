"""After a pause a payment service reconciles: a real attack on a real node, and the window it asks the daemon for."""

import asyncio
from pathlib import Path
from typing import Any

from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.receivers import receiver
from tests.support.show import Scene, scene

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def told(config: dict[str, Any], url: str, folder: Path) -> dict[str, Any]:
    """The same configuration, with a webhook."""
    (folder / "hook.secret").write_text(SECRET)
    hook = {"channel": "webhook", "url": url, "secret": f"file:{folder / 'hook.secret'}", "allow_private": True}
    return config | {"alerts": {"receivers": {"payments": hook}}}


async def window(daemon: Daemon, incident: str) -> dict[str, Any]:
    """What there is to reconcile."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents/{incident}/window") as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def incidents(daemon: Daemon) -> list[dict[str, Any]]:
    """All, newest first."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents") as answer:
        return list((await answer.json())["incidents"])


async def head(show: Scene) -> int:
    """The node's head."""
    return int(await show.node.call("eth_blockNumber", []), 16)


async def mine(show: Scene, daemon: Daemon) -> int:
    """One more block, and wait until the daemon has judged it."""
    await show.mine()
    height = await head(show)
    async with asyncio.timeout(20):
        while True:
            flag = await daemon.flag() or {}
            if (flag.get("observed_block") or {}).get("number", -1) >= height:
                return height
            await asyncio.sleep(0.05)


async def test_the_window_holds_every_touch_from_the_evidence_to_the_resume_and_outlives_a_restart(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, receiver() as hook:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = told(settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="60s"), hook.url, tmp_path)
        payer = "0x" + "7a" * 20
        await show.wallet.adopt(payer, 10)
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            before = await mine(show, daemon)
            theft = await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            opening = (await incidents(daemon))[-1]
            begun = await window(daemon, opening["id"])
            assert (begun["open"], begun["complete"], begun["start"]["number"]) == (True, True, before)
            in_flight = await show.wallet.send(payer, attack.victim, "0xd0e30db0", value=1)
            stranger = await show.wallet.send(payer, "0x" + "11" * 20, value=1)
            mined = await mine(show, daemon)
            await daemon.until_held("included")
            last = await mine(show, daemon)
            flag = await daemon.flag()
            assert flag is not None
            assert (await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'}))["status"] == 200
            await daemon.until("run")
            await mine(show, daemon)
            ended = await window(daemon, opening["id"])
            assert (ended["open"], ended["complete"], ended["why"]) == (False, True, "")
            numbers = [block["number"] for block in ended["blocks"]]
            assert numbers == list(range(before, last + 1))
            hashes = [(await show.node.call("eth_getBlockByNumber", [hex(n), False]))["hash"] for n in numbers]
            assert [block["hash"] for block in ended["blocks"]] == hashes
            assert {one["hash"] for one in ended["transactions"]} == {theft, in_flight}, f"not {stranger}"
            assert {one["block"] for one in ended["transactions"]} == {mined}
            assert {one["phase"] for one in ended["transactions"]} == {"paused"}, "the pause came before the block"
            resumed = (await incidents(daemon))[0]
            assert await window(daemon, resumed["id"]) == ended, "by the decision that ended it, too"
            async with daemon.http.get(f"{daemon.read}/v1/incidents/nobody/window") as answer:
                assert answer.status == 404
            messages = [event.json() for event in await hook.wait_for(2)]
            carried = {message["type"]: message["data"]["window"] for message in messages}  # type: ignore[index, call-overload]
            assert carried["breaker.opened"]["start"]["number"] == before
            assert {one["hash"] for one in carried["breaker.closed"]["transactions"]} == {theft, in_flight}
            assert carried["breaker.closed"]["url"].endswith(f"/v1/incidents/{resumed['id']}/window")
            assert await daemon.stop() == 0
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            again = await window(daemon, opening["id"])
            assert again == ended
