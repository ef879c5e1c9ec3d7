"""After a pause a payment service reconciles: a real attack on a real node, and the window it asks the daemon for."""

import asyncio
from pathlib import Path
from typing import Any

from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.receivers import Received, receiver
from tests.support.show import Scene, scene

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def hooked(config: dict[str, Any], url: str, folder: Path) -> dict[str, Any]:
    """The same configuration, with a webhook."""
    (folder / "hook.secret").write_text(SECRET)
    hook = {"channel": "webhook", "url": url, "secret": f"file:{folder / 'hook.secret'}", "allow_private": True}
    return config | {"alerts": {"receivers": {"payments": hook}}}


def decoded(received: Received) -> dict[str, Any]:
    """A message's body."""
    return dict(received.json())  # type: ignore[call-overload, no-any-return]


async def window(daemon: Daemon, incident: str) -> dict[str, Any]:
    """What there is to reconcile."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents/{incident}/window") as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def incidents(daemon: Daemon) -> list[dict[str, Any]]:
    """All, newest first."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents") as answer:
        return list((await answer.json())["incidents"])


async def incident(daemon: Daemon, key: str) -> dict[str, Any]:
    """One of them."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents/{key}") as answer:
        return dict(await answer.json())


async def take_up(daemon: Daemon, key: str, who: str) -> dict[str, Any]:
    """Acknowledge it as an operator."""
    url, bearer = f"{daemon.admin}/v1/incidents/{key}/acknowledge", {"Authorization": f"Bearer {TOKEN}"}
    async with daemon.http.post(url, json={"actor": who, "note": "on it"}, headers=bearer) as answer:
        return {"status": answer.status, **await answer.json()}


async def acknowledged(daemon: Daemon, key: str) -> dict[str, Any]:
    """Take it up, twice; its times then are in order and counted."""
    taken = await take_up(daemon, key, "alice")
    assert (taken["status"], taken["by"]) == (200, "human:alice")
    assert (await take_up(daemon, key, "bob"))["by"] == "human:alice", "who was first stays named"
    assert (await take_up(daemon, "nobody", "bob"))["status"] == 404
    timing = (await incident(daemon, key))["timing"]
    steps = [timing[f"{step}_at"] for step in ("seen", "decided", "readable", "recorded", "acknowledged")]
    assert steps == sorted(steps), "seen, decided, readable, recorded, acknowledged: in that order"
    async with daemon.http.get(f"{daemon.read}/metrics") as answer:
        told_metrics = await answer.text()
    for step in ("decided", "readable", "recorded"):
        assert f'seawall_time_to_pause_seconds_count{{integration="vault",step="{step}"}} 1.0' in told_metrics
    assert 'seawall_time_to_acknowledge_seconds_count{integration="vault"} 1.0' in told_metrics
    return dict(timing)


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
        config = hooked(settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="60s"), hook.url, tmp_path)
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
            timing = await acknowledged(daemon, opening["id"])
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
            assert await window(daemon, (resumed := (await incidents(daemon))[0])["id"]) == ended, "by its last decision, too"
            async with daemon.http.get(f"{daemon.read}/v1/incidents/nobody/window") as answer:
                assert answer.status == 404
            carried = {told["type"]: told["data"]["window"] for told in map(decoded, await hook.wait_for(2))}
            assert carried["breaker.opened"]["start"]["number"] == before
            assert {one["hash"] for one in carried["breaker.closed"]["transactions"]} == {theft, in_flight}
            assert carried["breaker.closed"]["url"].endswith(f"/v1/incidents/{resumed['id']}/window")
            assert await daemon.stop() == 0
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            again = await window(daemon, opening["id"])
            assert again == ended
            remembered = (await incident(daemon, opening["id"]))["timing"]
            assert remembered == timing | {"recorded_at": None}, "all but when this process did not write it"
