"""Reorganisations of a real chain under a real daemon: what it tells people, what it shows, what it keeps closed."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from monitor.demo.anvil import Anvil
from monitor.demo.attacks import launch
from monitor.demo.node import HttpNode
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.receivers import Receiver, receiver
from tests.support.show import Scene, scene


class Shore(NamedTuple):
    """An attack in its block, the daemon that paused for it, and who was told."""

    show: Scene
    daemon: Daemon
    told: Receiver
    tx: str

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        async with self.daemon.http.get(f"{self.daemon.read}{path}") as answer:
            return await answer.json()

    async def integration(self) -> dict[str, Any]:
        return dict(await self.get("/v1/integrations/vault"))

    async def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while not true(found := await self.integration()):  # noqa: ASYNC110 - the daemon is another process
                await asyncio.sleep(0.05)
        return found

    async def mine(self, blocks: int) -> None:
        await self.show.node.call("anvil_mine", [hex(blocks)])

    def kinds(self) -> list[str]:
        return kinds(self.told)


def kinds(told: Receiver) -> list[str]:
    """What was told, in order."""
    return [str(one.json()["type"]) for one in told.received]  # type: ignore[index]  # a webhook's body is an object


def telling(folder: Path, config: dict[str, Any], url: str) -> dict[str, Any]:
    """The configuration with somebody to tell."""
    secret = folder / "secret"
    secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    hook = {"channel": "webhook", "url": url, "secret": f"file:{secret}", "allow_private": True}
    return config | {"alerts": {"receivers": {"oncall": hook}}}


@asynccontextmanager
async def robbed(folder: Path) -> AsyncIterator[Shore]:
    """A re-entrancy attack was mined, and the flag says pause on evidence of that block."""
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, receiver() as told:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = telling(folder, settings(folder, show.anvil.ws, watch=attack.victim, blind_after="60s"), told.url)
        async with Daemon(folder, config) as daemon:
            await show.mine()
            await daemon.until("run")
            tx = await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            await show.mine()
            await daemon.until_held("included")
            yield Shore(show, daemon, told, tx)


async def test_a_mined_attack_that_a_reorg_takes_back_is_retracted_once_and_the_pause_counts_down(tmp_path: Path) -> None:
    async with robbed(tmp_path) as shore:
        before = await shore.integration()
        mined = {finding["id"] for finding in before["findings"] if finding["position"] is not None}
        assert mined
        flag = await shore.daemon.flag()
        assert flag is not None
        assert (flag["reorg"]["depth"], flag["reorg"]["reverted"]) == (0, 0)
        await shore.show.node.call("anvil_reorg", [1, []])
        found = await shore.until(lambda now: all(hold["until"] is not None for hold in now["holds"]))
        assert found["flag"]["state"] == "pause"
        assert set(found["orphans"]) == mined
        assert found["retracted"] == [], "not yet: it may come back"
        await shore.mine(4)
        found = await shore.until(lambda now: not now["orphans"])
        assert sorted(one["finding"]["id"] for one in found["retracted"]) == sorted(mined)
        async with asyncio.timeout(10):
            while shore.kinds().count("finding.retracted") < len(mined):  # noqa: ASYNC110 - another process delivers
                await asyncio.sleep(0.05)
        await shore.mine(6)
        assert (await shore.daemon.flag() or {})["state"] == "pause", "a reorganisation flips nothing"
        for finding in mined:
            incident = await shore.get(f"/v1/incidents/{finding}")
            assert incident["evidence"][finding]["retracted_at"] is not None
        risk = (await shore.integration())["flag"]["reorg"]
        assert risk["reverted"] == 1
        assert 0 < risk["probability"] < 1
        await asyncio.sleep(1.0)
        assert shore.kinds().count("finding.retracted") == len(mined), "one retraction each"
        assert shore.kinds()[0] == "breaker.opened"
        await shore.daemon.kill()
        async with Daemon(tmp_path, shore.daemon.config) as again:
            await again.until("pause")
            later = shore._replace(daemon=again)
            await shore.mine(1)
            found = await later.until(lambda now: now["flag"]["reorg"] is not None)
            assert sorted(one["finding"]["id"] for one in found["retracted"]) == sorted(mined)
            assert found["flag"]["state"] == "pause"
            assert found["flag"]["reorg"]["reverted"] == 1, "what was counted outlives a kill"
            await asyncio.sleep(1.0)
            assert shore.kinds().count("finding.retracted") == len(mined), "and nobody is told twice"


async def test_a_mined_attack_that_comes_back_in_the_new_branch_is_the_same_finding_and_grows_final_in_silence(
    tmp_path: Path,
) -> None:
    async with robbed(tmp_path) as shore:
        before = await shore.integration()
        sent = await shore.show.node.call("eth_getTransactionByHash", [shore.tx])
        again = {name: sent[name] for name in ("from", "to", "value", "gas", "nonce", "maxFeePerGas", "maxPriorityFeePerGas")}
        await shore.show.node.call("anvil_reorg", [1, [[again | {"data": sent["input"]}, 0]]])
        block = await shore.show.node.call("eth_getBlockByNumber", ["latest", False])
        assert block["transactions"] == [shore.tx], "it is that very transaction"
        old = before["holds"][0]["position"]["id"]
        found = await shore.until(
            lambda now: all(hold["position"] is not None and hold["position"]["id"] != old for hold in now["holds"])
        )
        assert {hold["id"] for hold in found["holds"]} == {hold["id"] for hold in before["holds"]}
        assert all(hold["until"] is None for hold in found["holds"])
        await shore.mine(70)
        found = await shore.until(lambda now: {hold["stage"] for hold in now["holds"]} == {"final"})
        assert found["retracted"] == []
        assert found["orphans"] == {}
        (incident,) = {decision["id"] for decision in (await shore.get("/v1/incidents"))["incidents"][-1:]}
        stages = {one["stage"] for one in (await shore.get(f"/v1/incidents/{incident}"))["evidence"].values()}
        assert stages == {"final"}, "the incident shows how sure its evidence is by now"
        assert shore.kinds() == ["breaker.opened"], "growing surer wakes nobody"


async def test_what_was_final_and_is_not_any_more_means_unknown_at_once_and_a_page(tmp_path: Path) -> None:
    async with (
        await Anvil.start("--slots-in-an-epoch", "1", "--no-mining") as node,
        receiver() as told,
        HttpNode(node.http) as rpc,
    ):
        config = telling(tmp_path, settings(tmp_path, node.ws, blind_after="10m"), told.url)
        async with Daemon(tmp_path, config) as daemon:
            await rpc.call("evm_mine", [])
            await daemon.until("run")
            for _ in range(8):
                await rpc.call("evm_mine", [])
            async with asyncio.timeout(10):
                while ((await daemon.flag() or {})["observed_block"] or {}).get("number", 0) < 9:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
            await rpc.call("anvil_reorg", [5, []])
            await rpc.call("evm_mine", [])
            flag = await daemon.until("unknown", because="final")
            assert flag["paused"] is True
            async with asyncio.timeout(10):
                while "chain.blind" not in kinds(told):  # noqa: ASYNC110 - another process delivers
                    await asyncio.sleep(0.05)
            (page,) = [one.json() for one in told.received]
            assert "final" in str(page)
            assert "critical" in str(page)
