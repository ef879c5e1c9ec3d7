"""Reruns on a real node: contracts that behave while they are simulated are found out before a block runs them."""

from pathlib import Path
from typing import Any

import pytest

from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from tests.support.bytecode import code, deployer, invoke
from tests.support.daemon import Daemon, settings

BANK = code("5f5f5f5f", "47", "33", "5a", "f1", "00")
"""Gives its whole balance to whoever calls."""


def shy(bank: str, look: str) -> str:
    """Init code of a contract that calls `bank` only where `look` leaves something on the stack that is not zero."""
    head = bytes.fromhex(look)
    target = len(head) + 4
    return deployer(code(head, "60", bytes([target]), "57", "00", "5b", invoke(bank, gas=200_000), "00"))


LOOKS = {
    "block.coinbase": "41",
    "tx.gasprice": "3a",
    "a bit of the blockhash": "43600190034060011660203518",
    "gasleft": "62124f805a11",
}
"""What a contract may look at: something that is zero in a simulation, chance, or whether there is gas to spare."""


async def mined_until_a_bit_differs(node: HttpNode) -> dict[str, Any]:
    """The newest block, whose hash ends in another bit than its parent's: a theft bound to that bit works in the next block.

    This node lets no hash be set over a WebSocket (over HTTP it does: see feeds/test_environments), so the true one must differ.
    """
    while True:
        await node.call("evm_mine", [])
        newest: dict[str, Any] = await node.call("eth_getBlockByNumber", ["latest", False])
        if (int(newest["hash"], 16) ^ int(newest["parentHash"], 16)) & 1:
            return newest


@pytest.mark.parametrize("look", list(LOOKS.values()), ids=list(LOOKS))
async def test_a_theft_that_hides_from_the_simulation_is_seen_and_paused_while_it_is_pending(tmp_path: Path, look: str) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node:
        me = (await node.call("eth_accounts", []))[0]

        async def made(init: str, value: int = 0) -> str:
            call = {"from": me, "data": init, "value": hex(value), "gas": "0x200000"}
            tx = await node.call("eth_sendTransaction", [call])
            await node.call("evm_mine", [])
            return str((await node.call("eth_getTransactionReceipt", [tx]))["contractAddress"])

        bank = await made(deployer(BANK))
        await node.call("anvil_setBalance", [bank, hex(10**21)])
        thief = await made(shy(bank, look))
        async with Daemon(tmp_path, settings(tmp_path, anvil.ws, watch=bank, blind_after="60s")) as daemon:
            newest = await mined_until_a_bit_differs(node)
            await daemon.until("run")
            await daemon.metric("seawall_chain_head_number", least=int(newest["number"], 16))  # the block it simulates on
            bit = int(newest["parentHash"], 16) & 1  # what a simulation on that block sees, and the next block does not
            data = "0x" + bank[2:].rjust(64, "0") + f"{bit:064x}"  # it names its victim, so it is near
            await node.call("eth_sendTransaction", [{"from": me, "to": thief, "data": data, "gas": "0x100000"}])
            await daemon.metric("seawall_reruns_total", 'outcome="differs"', least=1, within=15)
            await daemon.metric("seawall_signals_total", 'detector="evasion"', least=1)
            await daemon.until("pause", within=15, recorded=True)
            (hold, *_) = await daemon.holds()
            assert hold["stage"] == "pending"
            assert hold["source"] != "detector:evasion", "what stops is the mechanism that the other run shows"


async def test_a_contract_that_does_the_same_everywhere_is_left_in_peace(tmp_path: Path) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node:
        me = (await node.call("eth_accounts", []))[0]
        quiet = deployer(code("4142443a5f5f5f5f50505050", "00"))
        tx = await node.call("eth_sendTransaction", [{"from": me, "data": quiet, "gas": "0x200000"}])
        await node.call("evm_mine", [])
        contract = (await node.call("eth_getTransactionReceipt", [tx]))["contractAddress"]
        config = settings(tmp_path, anvil.ws, blind_after="60s")
        async with Daemon(tmp_path, config) as daemon:
            await node.call("evm_mine", [])
            await daemon.until("run")
            data = "0x" + config["integrations"]["vault"]["contracts"][0]["address"][2:].rjust(64, "0")
            await node.call("eth_sendTransaction", [{"from": me, "to": contract, "data": data, "gas": "0x100000"}])
            await daemon.metric("seawall_reruns_total", 'outcome="same"', least=1, within=15)
            assert await daemon.metric("seawall_signals_total", 'detector="evasion"') == 0
            assert (await daemon.flag() or {})["state"] == "run"


async def test_switched_off_nothing_is_run_twice(tmp_path: Path) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node:
        me = (await node.call("eth_accounts", []))[0]
        tx = await node.call("eth_sendTransaction", [{"from": me, "data": deployer(code("41", "00")), "gas": "0x200000"}])
        await node.call("evm_mine", [])
        contract = (await node.call("eth_getTransactionReceipt", [tx]))["contractAddress"]
        config = settings(tmp_path, anvil.ws, blind_after="60s")
        config["chains"]["test"]["reruns"] = {"enabled": False}
        async with Daemon(tmp_path, config) as daemon:
            await node.call("evm_mine", [])
            await daemon.until("run")
            data = "0x" + config["integrations"]["vault"]["contracts"][0]["address"][2:].rjust(64, "0")
            await node.call("eth_sendTransaction", [{"from": me, "to": contract, "data": data, "gas": "0x100000"}])
            await daemon.metric("seawall_events_total", 'kind="Execution"', least=1, within=15)
            assert await daemon.metric("seawall_reruns_total") == 0
            assert await daemon.metric("seawall_chain_capability", 'capability="environments"') == 0
