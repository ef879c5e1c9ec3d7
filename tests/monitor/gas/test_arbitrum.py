"""What an Arbitrum chain owes, from a real node: a contract of ours stands where ArbGasInfo would, and says what Nitro would."""

import asyncio
from pathlib import Path

import pytest

from detectors.gas.arbitrum import Reading, Target
from monitor.chains.base import BlockData
from monitor.chains.evm import Evm
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.errors import NodeGarbled
from monitor.gas.arbitrum import ArbGasInfo
from tests.support.bytecode import GAS, HASHES
from tests.support.daemon import Daemon, settings
from tests.support.fees import told
from tests.support.nitro import ARB_GAS_INFO, Nitro, Owed

CHAIN = "eip155:31337"


def legacy() -> Nitro:
    return Nitro(10_000_000, [Owed(7_000_000, 102, 10)], listed=False)


def listed() -> Nitro:
    return Nitro(20_000_000, [Owed(60_000_000, 9), Owed(10_000_000, 86_400)], listed=True)


async def mined(rpc: HttpNode, chain: Nitro, used: int, seconds: int = 1) -> None:
    """A block as Nitro would have made it: its fee as promised, and after it so much owed."""
    fee = chain.block(seconds, used)
    last = await rpc.call("eth_getBlockByNumber", ["latest", HASHES])
    me = (await rpc.call("eth_accounts", []))[0]
    await rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(fee)])
    await rpc.call("evm_setNextBlockTimestamp", [hex(int(last["timestamp"], 16) + seconds)])
    order = {"from": me, "to": ARB_GAS_INFO, "data": chain.told(), "gas": GAS, "maxFeePerGas": hex(10**12)}
    sent = await rpc.call("eth_sendTransaction", [order | {"maxPriorityFeePerGas": "0x0"}])
    for _ in range(500):
        if await rpc.call("eth_getTransactionReceipt", [sent]) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the block was not mined")


async def head(line: Rpc) -> BlockData:
    return (await Evm(line, chain=CHAIN).extent(within=5)).head


@pytest.mark.parametrize(
    "chain",
    [legacy(), Nitro(10_000_000, [Owed(7_000_000, 102, 0)], listed=False), listed()],
    ids=["before ArbOS 50", "with no tolerance", "since ArbOS 50"],
)
async def test_a_reading_is_what_the_chain_owed_after_that_very_block(chain: Nitro) -> None:
    async with await Anvil.start() as node, HttpNode(node.http) as rpc:
        await rpc.call("anvil_setCode", [ARB_GAS_INFO, chain.contract()])
        line = await Rpc.connect(node.ws, provider="anvil", chain=CHAIN)
        info, seen = ArbGasInfo(line, CHAIN), []
        for _ in range(3):
            await mined(rpc, chain, 900_000_000)
            owed = tuple(Target(one.speed, one.inertia, one.tolerance, one.backlog) for one in chain.owed)
            seen.append((await head(line), Reading(chain.least, owed)))
        for block, wanted in reversed(seen):  # asked late, the answer is of its own block
            assert await info.read(block) == wanted
        await line.close()


async def test_a_chain_without_the_precompile_is_found_out() -> None:
    async with await Anvil.start() as node:
        line = await Rpc.connect(node.ws, provider="anvil", chain=CHAIN)
        with pytest.raises(NodeGarbled, match="is this an Arbitrum chain"):
            await ArbGasInfo(line, CHAIN).read(await head(line))
        await line.close()


async def test_the_daemon_tells_the_next_fee_exactly_and_is_degraded_only_while_nobody_says_what_is_owed(tmp_path: Path) -> None:
    chain = legacy()
    async with await Anvil.start() as node, HttpNode(node.http) as rpc:
        await rpc.call("anvil_setCode", [ARB_GAS_INFO, chain.contract()])
        for _ in range(5):
            await mined(rpc, chain, 20_000_000)
        config = settings(tmp_path, node.ws, blind_after="60s")
        config["chains"]["test"] |= {"kind": "arbitrum", "block_time": "1s"}
        async with Daemon(tmp_path, config) as daemon:
            said = await told(daemon, after=4)
            assert "is reckoned from gas used" in said["degraded"]
            fees = set()
            for number in range(6, 26):
                await mined(rpc, chain, 120_000_000 if number < 16 else 0, seconds=1 + number % 3)
                before, said = said, await told(daemon, after=number - 1)
                if number > 6:
                    assert said["base_fee_wei"] == before["next_fee_wei"]
                    assert (said["degraded"], said["model"]["name"]) == (None, "backlog")
                fees.add(said["base_fee_wei"])
            assert max(fees) > 1.2 * min(fees), "the fee moved"
            await rpc.call("anvil_setCode", [ARB_GAS_INFO, "0x"])
            await rpc.call("anvil_mine", ["0x1", "0x1"])
            await told(daemon, after=25)
            await rpc.call("anvil_mine", ["0x1", "0x1"])
            said = await told(daemon, after=26)
            assert "ArbGasInfo was not read at block 26" in said["degraded"]
            async with daemon.http.get(f"{daemon.read}/metrics") as answer:
                text = await answer.text()
            assert 'seawall_gas_rung{chain="eip155:31337",rung="backlog"} 1.0' in text
