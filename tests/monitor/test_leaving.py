"""A stop in the middle of a block, of a real daemon: the next life judges that block once, on the state that was before it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from tests.support.bytecode import code, deployer
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import FaultProxy, unchanged_reply

TILL = code("5f5f5f5f", "6032", "47", "04", "33", "5a", "f1", "00")
"""Gives a fiftieth of its balance to whoever calls: within the budget of a minute once, beyond it twice."""


def no_balances(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
    """The state at a block's end is not to be had, and the block waits for it."""
    return () if "eth_getBalance" in methods else (frame,)


async def till(node: HttpNode, me: str) -> str:
    made = {"from": me, "data": deployer(TILL), "gas": "0x200000"}
    tx = await node.call("eth_sendTransaction", [made])
    await node.call("evm_mine", [])
    found = str((await node.call("eth_getTransactionReceipt", [tx]))["contractAddress"])
    await node.call("anvil_setBalance", [found, hex(10**21)])
    return found


async def test_a_block_that_was_half_judged_when_the_daemon_was_stopped_counts_once(tmp_path: Path) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node, FaultProxy(anvil.ws) as proxy:
        me = (await node.call("eth_accounts", []))[0]
        bank = await till(node, me)

        async def mined(*calls: dict[str, Any]) -> int:
            for call in calls:
                await node.call("eth_sendTransaction", [{"from": me, "gas": "0x100000"} | call])
            await node.call("evm_mine", [])
            return int(await node.call("eth_blockNumber", []), 16)

        config = settings(tmp_path, proxy.ws, watch=bank, blind_after="60s")
        async with Daemon(tmp_path, config) as daemon:
            for _ in range(2):
                number = await mined()
            await daemon.until("run")
            await daemon.metric("seawall_chain_head_number", least=number)
            proxy.replies = no_balances
            await mined({"to": bank})
            await daemon.metric("seawall_events_total", 'kind="Execution"', least=1, within=15)
            assert await daemon.stop() == 0
            assert "left_in_mid_block" in (tmp_path / "daemon.log").read_text()
            proxy.replies = unchanged_reply
            await daemon.start()
            await daemon.until("run")
            await daemon.metric("seawall_chain_head_number", least=number + 1)
            assert await daemon.metric("seawall_signals_total", 'detector="drain"') == 0
            await daemon.until("run")
            await mined({"to": bank})
            await daemon.until("pause", because="of what", within=15)
