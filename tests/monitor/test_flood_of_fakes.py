"""Fake attacks on a real chain, replaced before any block takes them: they pause for no longer than the budget says."""

import asyncio
import contextlib
from pathlib import Path

from monitor.demo.scenery import REENTRANCY, Attack
from monitor.demo.wallet import ETHER, GWEI
from tests.support.daemon import Daemon, settings
from tests.support.show import Scene, scene

ONE, ALL = 2.0, 4.0
"""Seconds an hour that one funder's fakes may pause, and all of them."""

LATE = 1.0
"""Seconds that a tick of a busy machine may be late, and our own look with it."""

STANDS = 1.2
"""Seconds each fake stands before it is replaced."""

MALLORY = "0x" + "ba" * 20


class Watch:
    """How long the flag has said pause, as a payment service would know."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon, self.seconds, self.pauses = daemon, 0.0, 0

    async def run(self) -> None:
        """Look all the time."""
        loop, before, was = asyncio.get_running_loop(), asyncio.get_running_loop().time(), False
        while True:
            await asyncio.sleep(0.02)
            flag = await self.daemon.flag()
            now, paused = loop.time(), flag is not None and flag["state"] == "pause"
            self.seconds += (now - before) * (was and paused)
            self.pauses += paused and not was
            before, was = now, paused


async def fake(shown: Scene, attack: Attack, sender: str) -> None:
    """An attack that would work is sent, stands for a while, is replaced, and blocks go by."""
    sent = {"from": sender, "nonce": hex(int(await shown.node.call("eth_getTransactionCount", [sender, "latest"]), 16))}
    fees = [{"maxFeePerGas": hex(times * 100 * GWEI), "maxPriorityFeePerGas": hex(times * GWEI)} for times in (1, 2)]
    robs = {"to": attack.contract, "data": attack.data, "value": hex(attack.value), "gas": hex(2_000_000)}
    await shown.node.call("eth_sendTransaction", [sent | robs | fees[0]])
    await asyncio.sleep(STANDS)
    await shown.node.call("eth_sendTransaction", [sent | {"to": sender, "value": "0x0", "gas": hex(21_000)} | fees[1]])
    for _ in range(3):
        await shown.mine()
        await asyncio.sleep(0.1)


async def test_whoever_sends_them_they_pause_no_longer_than_the_budget(tmp_path: Path) -> None:
    async with scene(1, (REENTRANCY,), private=False) as shown:
        (attack,) = shown.stage.attacks
        config = settings(tmp_path, shown.anvil.ws, watch=attack.victim, blind_after="60s")
        config["policies"]["default"] = {"sender_budget": f"{ONE:g}s", "pending_budget": f"{ALL:g}s"}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            await shown.wallet.adopt(MALLORY, 1_000_000)
            funded = [f"0x{number:040x}" for number in range(0xF000, 0xF004)]
            strangers = [f"0x{number:040x}" for number in range(0xA000, 0xA003)]
            for one in funded:
                await shown.wallet.do(MALLORY, one, "0x", value=10_000 * ETHER)
                await shown.node.call("anvil_impersonateAccount", [one])
            for one in strangers:
                await shown.wallet.adopt(one, 10_000)
            height = int(await shown.node.call("eth_blockNumber", []), 16)
            await daemon.metric("seawall_chain_head_number", least=height)
            await shown.by_hand()
            watch = Watch(daemon)
            looking = asyncio.create_task(watch.run())
            try:
                for one in funded:
                    await fake(shown, attack, one)
                by_one, pauses = watch.seconds, watch.pauses
                for one in strangers:
                    await fake(shown, attack, one)
            finally:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking
            flag = await daemon.flag()
    assert STANDS * len(funded) > 2 * ONE
    assert 0 < by_one <= ONE + LATE
    assert 0 < pauses < len(funded), "once the budget is spent the next ones only throttle"
    assert by_one < watch.seconds <= ALL + LATE, "strangers are feared too, and all together no longer than that"
    assert flag is not None
    assert flag["state"] == "run"
