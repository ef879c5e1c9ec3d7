"""Arrivals on a real node: nothing pending slips through between two blocks, and everything that came has an end that is told."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from eth_utils.crypto import keccak

from benchmarks.flood import hidden
from monitor.demo.scenery import REENTRANCY, Attack
from monitor.demo.wallet import GWEI
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import FaultProxy
from tests.support.show import Scene, scene


def creation(runtime: str) -> str:
    """Init code that leaves this runtime code."""
    size = f"{len(runtime[2:]) // 2:04x}"
    return f"0x61{size}80600a5f395ff3".ljust(22, "0") + runtime[2:]


class SlowToTell:
    """The node takes a second to tell the logs of the next block: the block is there, and we do not know it."""

    def __init__(self) -> None:
        self.armed = False

    def __call__(self, methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if self.armed and "eth_getLogs" in methods:
            self.armed = False
            return ()
        return (frame,)


class ToldLate:
    """The node tells the first pending transaction only after some others."""

    def __init__(self) -> None:
        self.armed = False
        self._held: list[bytes] = []

    def __call__(self, frame: bytes) -> Iterable[bytes]:
        if self.armed and not self._held and b"maxFeePerGas" in frame:
            self._held.append(frame)
            return ()
        if not self.armed and self._held:
            return (self._held.pop(), frame)
        return (frame,)


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[tuple[Scene, FaultProxy, Attack, Daemon]]:
    """A re-entrancy that is about to happen, and its victim watched by a daemon that sees the node through a proxy."""
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, FaultProxy(show.anvil.ws) as proxy:
        await show.by_hand()
        (attack,) = show.stage.attacks
        async with Daemon(folder, settings(folder, proxy.ws, watch=attack.victim, blind_after="60s")) as daemon:
            await show.mine()
            await daemon.until("run")
            yield show, proxy, attack, daemon


async def test_an_attack_through_a_contract_of_a_block_that_is_not_judged_yet_is_judged_on_that_block(tmp_path: Path) -> None:
    async with staged(tmp_path) as (show, proxy, attack, daemon):
        proxy.replies = slow = SlowToTell()
        made = await show.wallet.send(show.stage.actors[0], None, creation(hidden(attack)), gas=3_000_000)
        slow.armed = True
        await show.mine()
        contract = (await show.wallet.receipt(made))["contractAddress"]
        height = await _height(show)
        tx = await show.wallet.send(attack.attacker, contract, "0x60", value=attack.value, gas=attack.gas)
        await daemon.until("pause", within=15, recorded=True)
        (hold, *_) = await daemon.holds()
        assert (hold["stage"], hold["tx"]) == ("pending", tx)
        assert await _height(show) == height, "nothing was mined meanwhile"


async def _height(show: Scene) -> int:
    return int(await show.node.call("eth_blockNumber", []), 16)


async def test_a_call_without_data_is_a_call_too(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        contract = "0x" + "fa" * 20
        await show.node.call("anvil_setCode", [contract, hidden(attack)])
        async with Daemon(tmp_path, settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="60s")) as daemon:
            await show.mine()
            await daemon.until("run")
            await show.wallet.send(attack.attacker, contract, "0x", value=attack.value, gas=attack.gas)
            await daemon.until("pause", within=15, recorded=True)


async def test_an_attack_that_is_told_before_the_transaction_that_arms_it_is_judged_after_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as (show, proxy, attack, daemon):
        proxy.pushes = late = ToldLate()
        nonce = int(await show.node.call("eth_getTransactionCount", [attack.attacker, "pending"]), 16)
        late.armed = True
        await show.wallet.send(attack.attacker, None, creation(hidden(attack)), gas=3_000_000)
        contract = _created_by(attack.attacker, nonce)
        tx = await show.wallet.send(attack.attacker, contract, "0x60", value=attack.value, gas=attack.gas)
        await daemon.metric("seawall_pending_calls_ended_total", 'end="judged"', least=1)
        assert (await daemon.flag() or {})["state"] == "run"
        late.armed = False
        await show.wallet.send(show.stage.actors[0], show.stage.actors[0], "0x60")
        await daemon.until("pause", within=15, recorded=True)
        (hold, *_) = await daemon.holds()
        assert (hold["stage"], hold["tx"]) == ("pending", tx)


async def test_an_attack_that_failed_in_its_block_is_feared_no_more_when_it_is_told_as_pending_afterwards(tmp_path: Path) -> None:
    async with staged(tmp_path) as (show, proxy, attack, daemon):
        proxy.pushes = late = ToldLate()
        code = await show.node.call("eth_getCode", [attack.contract, "latest"])
        late.armed = True
        await show.wallet.send(attack.attacker, attack.contract, attack.data, value=attack.value, gas=attack.gas)
        await show.node.call("anvil_setCode", [attack.contract, "0x00"])
        await show.mine()
        await daemon.metric("seawall_chain_head_number", least=await _height(show))
        await show.node.call("anvil_setCode", [attack.contract, code])
        late.armed = False
        actor = show.stage.actors[0]
        for number in range(3):
            await show.wallet.send(actor, actor, "0x60")
            await daemon.metric("seawall_pending_calls_ended_total", 'end="judged"', least=number + 1)
        assert (await daemon.flag() or {})["state"] == "run"
        assert await daemon.holds() == []


async def test_who_was_too_poor_for_any_block_is_judged_once_blocks_are_cheaper(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        async with Daemon(tmp_path, settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="60s")) as daemon:
            await show.node.call("anvil_setNextBlockBaseFeePerGas", [hex(100 * GWEI)])
            await show.mine()
            await daemon.until("run")
            await show.node.call("anvil_setNextBlockBaseFeePerGas", [hex(GWEI)])  # or the node takes no such transaction
            strike = {
                "from": attack.attacker, "to": attack.contract, "data": attack.data, "value": hex(attack.value),
                "gas": hex(attack.gas), "maxFeePerGas": hex(80 * GWEI), "maxPriorityFeePerGas": "0x1",
            }  # fmt: skip
            await show.node.call("eth_sendTransaction", [strike])
            await daemon.metric("seawall_pending_calls_ended_total", 'end="underpriced"', least=1)
            await show.node.call("anvil_setNextBlockBaseFeePerGas", [hex(85 * GWEI)])
            await show.mine()
            await daemon.until("pause", within=15, recorded=True)
            (hold, *_) = await daemon.holds()
            assert hold["stage"] == "pending"


def _created_by(sender: str, nonce: int) -> str:
    """The address of what an account makes with a nonce below 128: the hash of the list of both (RLP)."""
    listed = b"\xd6\x94" + bytes.fromhex(sender[2:]) + (bytes([nonce]) if nonce else b"\x80")
    return "0x" + bytes(keccak(listed))[12:].hex()
