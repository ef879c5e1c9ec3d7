"""A chain without new blocks, and an attack in its mempool: one alert says that it is blind, the other waits for its end."""

import asyncio
import json
from pathlib import Path
from typing import Any

from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.receivers import Receiver, receiver
from tests.support.show import scene

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def configured(folder: Path, node: str, watch: str, hook: str) -> dict[str, Any]:
    """A daemon that is blind three seconds after a block, and tells a webhook."""
    (folder / "hook.secret").write_text(SECRET)
    told = {"channel": "webhook", "url": hook, "secret": f"file:{folder / 'hook.secret'}", "allow_private": True}
    places = {"runbooks": "https://wiki.example.org/runbooks", "dashboards": "https://grafana.example.org/"}
    return settings(folder, node, watch=watch, blind_after="3s") | {"alerts": {"receivers": {"hook": told}} | places}


def said(hook: Receiver) -> list[dict[str, Any]]:
    """What the webhook was told."""
    return [dict(json.loads(got.body)) for got in hook.received]


async def test_what_a_blind_chains_detectors_say_is_told_when_it_is_seen_again_and_the_flag_does_not_wait(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, receiver() as hook:
        await show.by_hand()
        (attack,) = show.stage.attacks
        async with Daemon(tmp_path, configured(tmp_path, show.anvil.ws, attack.victim, hook.url)) as daemon:
            while (flag := await daemon.flag()) is None or flag["state"] != "run":
                await show.mine()
                await asyncio.sleep(0.2)
            await daemon.until("unknown")
            await hook.wait_for(1)
            await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            assert await daemon.metric("seawall_alerts_kept_back_total", 'chain="eip155:31337"', least=1.0) >= 1
            await asyncio.sleep(0.5)
            assert [one["type"] for one in said(hook)] == ["chain.blind"], "the flag is paused, and nobody is paged twice"
            async with daemon.http.get(f"{daemon.read}/v1/incidents") as answer:
                assert (await answer.json())["incidents"][0]["findings"], "the journal has it all the same"
            await show.mine()
            await hook.wait_for(3)
    blind, again, opened = said(hook)[:3]
    assert [blind["type"], again["type"], opened["type"]] == ["chain.blind", "chain.recovered", "breaker.opened"]
    assert blind["data"]["links"]["page"] == f"{daemon.read}/"
    assert again["data"]["kept_back"] >= again["data"]["standing"] == 1
    assert "it still stands" in opened["data"]["body"]
    links = opened["data"]["links"]
    assert links["runbook"] == "https://wiki.example.org/runbooks/SeawallBreakerOpened.md"
    assert links["dashboard"] == "https://grafana.example.org/d/seawall-overview"
    assert links["incident"].startswith(f"{daemon.read}/v1/incidents/")
