"""The daemon over two providers: one of them failing is not seen by any reader; two that disagree are seen by all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from monitor.demo.anvil import Anvil
from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import FaultProxy
from tests.support.providers import be_honest, lie_about_hashes, refuse_traces
from tests.support.show import scene


@contextlib.asynccontextmanager
async def over_two(folder: Path, *, blind_after: str, quorum: int = 1) -> AsyncIterator[tuple[Daemon, FaultProxy, FaultProxy]]:
    """A daemon with two ways to one chain that makes a block a second."""
    async with await Anvil.start("--block-time", "1") as node, FaultProxy(node.ws) as a, FaultProxy(node.ws) as b:
        config = settings(folder, a.ws, blind_after=blind_after)
        config["chains"]["test"] |= {"nodes": [{"name": "a", "ws": a.ws}, {"name": "b", "ws": b.ws}], "quorum": quorum}
        async with Daemon(folder, config) as daemon:
            yield daemon, a, b


async def _nodes(daemon: Daemon) -> dict[str, dict[str, Any]]:
    async with daemon.http.get(f"{daemon.read}/-/healthy") as answer:
        return {node["name"]: node for node in (await answer.json())["chains"]["test"]["nodes"]}


async def _until_leads(daemon: Daemon, name: str, states: set[str], within: float = 30.0) -> set[str]:
    """Wait until a node is in the lead; every state the flag had meanwhile is added to `states`."""
    async with asyncio.timeout(within):
        while True:
            states.add((await daemon.flag() or {})["state"])
            if (await _nodes(daemon))[name]["leads"]:
                return states
            await asyncio.sleep(0.02)


async def _height(daemon: Daemon) -> int:
    flag = await daemon.flag()
    assert flag is not None
    return int(flag["observed_block"]["number"])


async def test_no_reader_sees_that_the_first_provider_is_a_black_hole_and_then_resets(tmp_path: Path) -> None:
    async with over_two(tmp_path, blind_after="15s") as (daemon, a, b):
        await daemon.until("run")
        async with asyncio.timeout(30):
            while (await _nodes(daemon))["b"]["state"] != "alive":  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.05)
        a.hole()
        states = await _until_leads(daemon, "b", set())
        before = await _height(daemon)
        async with asyncio.timeout(30):
            while await _height(daemon) < before + 3:
                states.add((await daemon.flag() or {})["state"])
                await asyncio.sleep(0.05)
        a.clear()
        async with asyncio.timeout(30):
            while (await _nodes(daemon))["a"]["state"] != "alive":
                states.add((await daemon.flag() or {})["state"])
                await asyncio.sleep(0.05)
        b.reset()
        await _until_leads(daemon, "a", states)
        assert states == {"run"}


async def test_a_first_node_without_tracers_leaves_the_lead_to_one_that_has_them(tmp_path: Path) -> None:
    async with over_two(tmp_path, blind_after="5s") as (daemon, a, _):
        a.replies = refuse_traces
        await daemon.until("run")
        nodes = await _nodes(daemon)
        assert (nodes["a"]["leads"], nodes["b"]["leads"]) == (False, True)


async def test_two_that_must_agree_and_do_not_turn_the_flags_unknown_until_they_do(tmp_path: Path) -> None:
    async with over_two(tmp_path, blind_after="3s", quorum=2) as (daemon, _, b):
        await daemon.until("run")
        lie_about_hashes(b)
        await daemon.until("unknown", because="quorum: 2 nodes must agree, and they have different blocks")
        assert (await daemon.order("pause"))["state"] == "pause"
        flag = await daemon.flag()
        assert flag is not None
        await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'})
        await daemon.until("unknown", because="quorum")
        be_honest(b)
        await daemon.until("run")
        b.hole()
        await daemon.until("unknown", because="too few answer")
        b.clear()
        await daemon.until("run")


async def test_a_pause_does_not_wait_for_the_quorum_and_a_release_does(tmp_path: Path) -> None:
    async with (
        scene(1, kinds=(REENTRANCY,), private=False) as show,
        FaultProxy(show.anvil.ws) as a,
        FaultProxy(show.anvil.ws) as b,
    ):
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(tmp_path, a.ws, watch=attack.victim, blind_after="600s")
        config["chains"]["test"] |= {"nodes": [{"name": "a", "ws": a.ws}, {"name": "b", "ws": b.ws}], "quorum": 2}
        config["policies"]["default"] |= {"min_open": "1s", "half_open": [1.0], "half_open_step": "1s"}
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            lie_about_hashes(b)
            await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            await show.mine()
            await daemon.until_held("included")
            await show.node.call("anvil_mine", ["0x64"])
            top = int(await show.node.call("eth_blockNumber", []), 16)
            async with asyncio.timeout(30):
                while await _height(daemon) < top:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.05)
            await asyncio.sleep(3.0)  # three times as long as the hold would last if its block counted as final
            assert (await daemon.flag() or {})["state"] == "pause"
            be_honest(b)
            async with asyncio.timeout(30):
                while (await daemon.flag() or {})["state"] != "run":
                    await show.mine()
                    await asyncio.sleep(0.5)
