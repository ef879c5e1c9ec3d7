"""The daemon as a process: crashes, dead and wrong nodes, restarts. A real anvil, a real journal, real HTTP."""

import asyncio
import signal
from pathlib import Path

from monitor.demo.anvil import Anvil, free_port
from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from tests.support.daemon import Daemon, settings
from tests.support.show import scene

BLOCKS = ("--block-time", "1")


async def test_after_kill_nine_during_a_pause_the_flag_reads_pause_before_any_node_is_dialled(tmp_path: Path) -> None:
    async with await Anvil.start(*BLOCKS) as node:
        daemon = Daemon(tmp_path, settings(tmp_path, node.ws))
        async with daemon:
            await daemon.until("run")
            paused = await daemon.order("pause")
            assert (paused["state"], paused["pending"]) == ("pause", False)
            await daemon.kill()
    # The node is gone for good: what the flag says now can only come from the journal.
    again = Daemon(tmp_path, daemon.config)
    async with again:
        flag = await again.until("pause", within=15)
        assert flag["revision"] == paused["revision"]
        assert flag["reason"] == "test"
        assert flag["observed_block"] is None


async def test_a_person_resumes_after_a_restart_and_revisions_only_rise(tmp_path: Path) -> None:
    async with await Anvil.start(*BLOCKS) as node:
        config = settings(tmp_path, node.ws)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            paused = await daemon.order("pause")
            assert await daemon.stop() == 0
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("pause")
            assert (await daemon.order("resume", **{"If-Match": '"1"'}))["status"] in {200, 412}
            flag = await daemon.flag()
            assert flag is not None
            done = await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'})
            assert done["revision"] > paused["revision"]
            await daemon.until("run")


async def test_a_node_that_is_refused_means_unknown_with_the_reason_and_recovers_without_restart(tmp_path: Path) -> None:
    port = free_port()
    async with Daemon(tmp_path, settings(tmp_path, f"ws://127.0.0.1:{port}")) as daemon:
        flag = await daemon.until("unknown")
        assert flag["paused"] is True
        await daemon.until("unknown", because=f"127.0.0.1:{port}")
        async with await Anvil.start(*BLOCKS, port=port):
            await daemon.until("run")


async def test_a_node_that_dies_or_freezes_turns_the_flags_unknown_and_back(tmp_path: Path) -> None:
    port = free_port()
    node = await Anvil.start(*BLOCKS, port=port)
    async with Daemon(tmp_path, settings(tmp_path, node.ws)) as daemon:
        await daemon.until("run")
        node.process.send_signal(signal.SIGSTOP)
        await daemon.until("unknown")
        node.process.send_signal(signal.SIGCONT)
        await daemon.until("run")
        node.process.kill()
        await node.process.wait()
        await daemon.until("unknown")
        assert (await daemon.order("pause"))["state"] == "pause"


async def test_a_node_of_the_wrong_chain_is_refused_by_name(tmp_path: Path) -> None:
    async with await Anvil.start("--chain-id", "5", *BLOCKS) as node, Daemon(tmp_path, settings(tmp_path, node.ws)) as daemon:
        await daemon.until("unknown", because="eip155:5")


async def test_ready_comes_even_when_no_node_does_and_a_second_daemon_is_refused(tmp_path: Path) -> None:
    config = settings(tmp_path, f"ws://127.0.0.1:{free_port()}")
    async with Daemon(tmp_path, config) as daemon:
        await daemon.until("unknown")
        await daemon.ready()
        async with daemon.http.get(f"{daemon.read}/-/healthy") as answer:
            assert answer.status == 200
        second = Daemon(tmp_path, config)
        await second.start()
        assert second.process is not None
        assert await asyncio.wait_for(second.process.wait(), 20) == 1
        assert "another" in (tmp_path / "daemon.log").read_text().lower()
        await second.http.close()


async def test_a_pending_attack_outlives_kill_nine_and_is_upgraded_when_it_is_mined(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="30s")
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            tx = await launch(attack, show.wallet)
            flag = await daemon.until("pause", recorded=True)
            (hold, *_) = await daemon.holds()
            assert (hold["stage"], hold["tx"]) == ("pending", tx)
            await daemon.kill()
        async with Daemon(tmp_path, config) as daemon:
            assert (await daemon.until("pause"))["since"] == flag["since"]
            await show.mine()
            await daemon.until_held("included")
            assert {held["tx"] for held in await daemon.holds()} == {tx}


async def test_a_pending_attack_that_is_dropped_while_we_were_dead_lets_go(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="30s")
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            await daemon.kill()
        await show.node.call("anvil_dropAllTransactions", [])
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("pause")
            for _ in range(6):
                await asyncio.sleep(0.5)
                await show.mine()
            await daemon.until("run")


async def test_a_contract_that_cannot_be_read_as_what_it_is_said_to_be_is_unknown_by_name(tmp_path: Path) -> None:
    async with await Anvil.start(*BLOCKS) as node, Daemon(tmp_path, settings(tmp_path, node.ws, kind="erc4626")) as daemon:
        flag = await daemon.until("unknown", because="never told its state as a erc4626")
        assert flag["paused"] is True
