"""Layer 2 chains are a matter of configuration: the same daemon before a node that speaks as theirs do."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.anvil import Anvil
from monitor.demo.attacks import launch
from monitor.demo.node import HttpNode
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.sequencers import Feed, Sequenced
from tests.support.show import scene


async def chain(daemon: Daemon) -> dict[str, Any]:
    async with daemon.http.get(f"{daemon.read}/-/healthy") as answer:
        return dict((await answer.json())["chains"]["test"])


async def capability(daemon: Daemon, name: str) -> float:
    async with daemon.http.get(f"{daemon.read}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    (found,) = [line for line in lines if line.startswith("seawall_chain_capability") and f'capability="{name}"' in line]
    return float(found.split()[-1])


def of_kind(config: dict[str, Any], kind: str, **more: str) -> dict[str, Any]:
    return config | {"chains": {"test": config["chains"]["test"] | {"kind": kind} | more}}


@pytest.mark.parametrize("rings", [True, False], ids=["ringing", "asked"])
async def test_an_attack_in_a_flashblock_pauses_as_preconfirmed_before_its_block(tmp_path: Path, *, rings: bool) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, Sequenced(show.anvil.ws, rings=rings) as node:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = of_kind(settings(tmp_path, node.ws, watch=attack.victim, blind_after="60s"), "base")
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            assert (await chain(daemon))["mempool"].startswith("unsupported")
            assert await capability(daemon, "mempool") == 0.0
            tx = await launch(attack, show.wallet)
            await node.ring()
            await daemon.until("pause", recorded=True)
            assert {(hold["stage"], hold["tx"]) for hold in await daemon.holds()} == {("preconfirmed", tx)}
            await show.mine()
            await daemon.until_held("included")
            assert {hold["tx"] for hold in await daemon.holds()} == {tx}


async def test_a_promise_that_its_block_does_not_keep_lets_go_like_anything_pending(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, Sequenced(show.anvil.ws) as node:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = of_kind(settings(tmp_path, node.ws, watch=attack.victim, blind_after="60s"), "optimism")
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            tx = await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            await show.node.call("anvil_dropTransaction", [tx])
            for _ in range(6):
                await show.mine()
                await asyncio.sleep(0.3)
            await daemon.until("run")


@pytest.mark.parametrize("kind", ["ethereum", "arbitrum"])
async def test_a_node_without_pending_transactions_reads_unsupported_and_not_quiet(tmp_path: Path, kind: str) -> None:
    async with (
        await Anvil.start("--block-time", "1") as anvil,
        Sequenced(anvil.ws, refuses=kind == "ethereum") as node,
        Daemon(tmp_path, of_kind(settings(tmp_path, node.ws), kind)) as daemon,
    ):
        await daemon.until("run")
        facts = await chain(daemon)
        assert facts["mempool"].startswith("unsupported")
        assert "pending transactions" in facts["judging"]
        assert await capability(daemon, "mempool") == 0.0


async def test_a_gap_in_the_sequencer_s_numbers_is_unknown_until_its_blocks_are_judged(tmp_path: Path) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as rpc, Feed() as feed:
        config = of_kind(settings(tmp_path, anvil.ws, blind_after="60s"), "arbitrum", sequencer_feed=feed.ws)
        async with Daemon(tmp_path, config) as daemon:
            await rpc.call("evm_mine", [])
            await daemon.until("run")
            await feed.connected()
            await feed.send(100, 101, at=time.time())
            await feed.send(105, at=time.time())
            flag = await daemon.until("unknown", because="lost 3 messages (102 to 104)")
            assert flag["paused"] is True
            assert "102 to 104" in (await chain(daemon))["sequencer"]
            await asyncio.sleep(1.1)
            await rpc.call("evm_mine", [])
            await daemon.until("run")
            assert (await chain(daemon))["sequencer"] == "whole"
