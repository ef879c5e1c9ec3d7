"""An attack in a flood of cheap transactions. `python -m benchmarks.flood`.

On a real anvil before a real `seawall run`, attacks are sent quietly; then in the midst of a flood of contract calls from as many
fresh senders as there are calls; then among traces made to be slow. Half of the attacks name their victim in their call data, the
others go through a contract whose code alone knows it. Measured by an observer of its own: from the push of the attack to a flag
read over HTTP that says pause, and how much of the flood was simulated by then.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from benchmarks.block import percentile
from monitor.demo.anvil import Anvil
from monitor.demo.daemon import Daemon, configuration, ports
from monitor.demo.node import HttpNode
from monitor.demo.observer import Observer
from monitor.demo.pager import Pager
from monitor.demo.scenery import FLASH_LOAN, REENTRANCY, TIP_OF_A_ROBBER, Attack
from monitor.demo.staging import node_options, stage
from monitor.demo.wallet import GWEI, Wallet

CALLS, BOMBS, EACH = 5_000, 60, 4
"""Calls of a flood, slow traces among them in the last lane, attacks of either kind a lane."""

PATIENCE = 20.0
BATCH = 250
CALL_GAS, BOMB_GAS = 2_000_000, 128_000
SPIN = "0x5b5a61271010" + "5f57" + "00"
"""JUMPDEST GAS PUSH2 10000 LT PUSH0 JUMPI STOP: burns its gas down to the last ten thousand."""
BOMB = "0x5f6201ffe0525b5f5f620200005f5f60995af1505a61271010600657" + "00"
"""Pays once for 128 kB of memory and calls with all of it for as long as there is gas: 105 MB of trace for 128,000 gas."""


class Lane(msgspec.Struct):
    """What one lane of the benchmark found; `judged_before` is the part of the flood simulated before each attack's pause."""

    near_ms: list[float] = []
    hidden_ms: list[float] = []
    judged_before: list[float] = []


def hidden(attack: Attack) -> str:
    """Runtime code that calls the attack's contract with its data and passes its ether on, so that nothing outside tells."""
    data = bytes.fromhex(attack.data[2:])
    stores = b"".join(
        b"\x7f" + data[at : at + 32].ljust(32, b"\0") + (b"\x61" + at.to_bytes(2, "big")) + b"\x52"
        for at in range(0, len(data), 32)
    )
    call = b"\x5f\x5f\x61" + len(data).to_bytes(2, "big") + b"\x5f\x34\x73" + bytes.fromhex(attack.contract[2:]) + b"\x5a\xf1\x00"
    return "0x" + (stores + call).hex()


class Sea:
    """Makes the weather: fresh senders by the thousand on a node that sends for anyone."""

    def __init__(self, node: HttpNode, url: str) -> None:
        self.node, self.url = node, url
        self.made = 0

    async def prepare(self, target: str) -> None:
        """Put the contract there that is called."""
        await self.node.call("anvil_autoImpersonateAccount", [True])
        await self.node.call("anvil_setCode", [target, SPIN])

    async def flood(self, calls: int, target: str, gas: int, names: str = "") -> list[str]:
        """So many calls, each of a sender never seen before, every second one with `names` in its data; their hashes."""
        sent: list[str] = []
        async with aiohttp.ClientSession() as http:
            for start in range(0, calls, BATCH):
                senders = [self._fresh() for _ in range(min(BATCH, calls - start))]
                await self._batch(http, [("anvil_setBalance", [sender, hex(10**19)]) for sender in senders])
                call = {"to": target, "gas": hex(gas), "nonce": "0x0", "maxFeePerGas": hex(101 * GWEI)}
                sent += await self._batch(http, [
                    ("eth_sendTransaction", [{**call, "from": sender, "data": "0x5eed" + names * (i % 2)}])
                    for i, sender in enumerate(senders)
                ])  # fmt: skip
        return sent

    def _fresh(self) -> str:
        self.made += 1
        return "0x" + f"f100d{self.made:035x}"

    async def _batch(self, http: aiohttp.ClientSession, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        body = [{"jsonrpc": "2.0", "id": i, "method": method, "params": params} for i, (method, params) in enumerate(calls)]
        async with http.post(self.url, json=body) as answer:
            told = await answer.json(content_type=None)
        if refused := [one["error"] for one in told if "error" in one]:
            sys.exit(f"{calls[0][0]}: the node refused {len(refused)} of {len(calls)}: {refused[0]}")
        return [one["result"] for one in told]


class Bench:
    """The stage, the daemon, the observer, and the weather."""

    def __init__(self, node: HttpNode, observer: Observer, wallet: Wallet, sea: Sea) -> None:
        self.node, self.observer, self.wallet, self.sea = node, observer, wallet, sea

    async def rob(self, attack: Attack, *, behind: bool) -> float:
        """Milliseconds from the push of one attack to its pause."""
        to, data = attack.contract, attack.data
        if behind:
            to, data = "0x" + "be" + attack.contract[4:], "0x"
            await self.node.call("anvil_setCode", [to, hidden(attack)])
            data = "0x60"
        gas = attack.gas
        tx = await self.wallet.send(attack.attacker, to, data, value=attack.value, gas=gas, tip=TIP_OF_A_ROBBER)
        paused = await self.observer.until_paused(attack.integration, PATIENCE)
        seen = self.observer.pending_at.get(tx)
        if paused is None or seen is None:
            sys.stderr.write(f"{attack.name} on {attack.integration} behind={behind}: seen {seen}, paused {paused}, tx {tx}\n")
            return PATIENCE * 1e3
        return max(0.0, paused - seen) * 1e3

    async def simulated(self) -> float:
        """Transactions simulated by the daemon so far, by its own metric."""
        return await self.metric("seawall_rpc_requests_total", 'method="debug_traceCall"')

    async def metric(self, name: str, label: str) -> float:
        """The sum of one metric's samples with this label."""
        async with self.observer.http.get(f"{self.observer.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{") and label in line)

    async def reckoning(self) -> dict[str, float]:
        """What became of every pending call, by the daemon's metrics: came, each end, open. Exits when they do not add up."""
        async with self.observer.http.get(f"{self.observer.url}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if line.startswith("seawall_pending_calls_")]
        found = {}
        for line in lines:
            name, value = line.rsplit(" ", 1)
            end = name.split('end="')[1].split('"')[0] if "ended" in name else "came" if "total{" in name else "open"
            found[end] = float(value)
        if found["came"] != sum(value for end, value in found.items() if end != "came"):
            sys.exit(f"pending calls were lost: {found}")
        return found

    async def lane(self, attacks: Sequence[Attack], calls: int, bombs: int) -> Lane:
        """Attacks one after another, each after its share of the weather came down."""
        found = Lane()
        for number, attack in enumerate(attacks):
            before, weather = await self.simulated(), calls // len(attacks)
            if weather:
                await self.sea.flood(weather, "0x" + "f1" * 20, CALL_GAS)
            if bombs:
                await self.sea.flood(bombs // len(attacks), "0x" + f"b0{number:02x}" * 10, BOMB_GAS, attack.victim[2:])
            took = await self.rob(attack, behind=bool(number % 2))
            (found.hidden_ms if number % 2 else found.near_ms).append(took)
            if weather:
                found.judged_before.append(min(1.0, (await self.simulated() - before) / weather))
        await self.node.call("anvil_dropAllTransactions", [])
        await self.node.call("evm_mine", [])
        await asyncio.sleep(2.0)
        return found


async def set_up(house: AsyncExitStack, folder: Path, attacks: int) -> tuple[Bench, list[Attack]]:
    """Node, protocols, daemon and observer."""
    now = time.time()
    anvil = await house.enter_async_context(await Anvil.start(*node_options(now)))
    node = await house.enter_async_context(HttpNode(anvil.http))
    staged = await stage(node, now, count=attacks, kinds=(REENTRANCY, REENTRANCY, FLASH_LOAN, FLASH_LOAN), private=False)
    await node.call("evm_setAutomine", [False])
    await node.call("evm_setBlockGasLimit", [hex(30_000_000)])
    pager = await house.enter_async_context(Pager(lambda _: None))
    listen = ports(None)
    config = configuration(staged, anvil.ws, pager.url, listen, folder, detecting=True)
    config["chains"]["show"]["blind_after"] = "300s"
    daemon = await Daemon.start(config, listen, folder, pager.secret)
    house.push_async_callback(daemon.stop)
    observer = await house.enter_async_context(Observer(anvil.ws, daemon.url).watch())
    sea = Sea(node, anvil.http)
    await sea.prepare("0x" + "f1" * 20)
    for number in range(attacks):
        await node.call("anvil_setCode", ["0x" + f"b0{number:02x}" * 10, BOMB])
    await node.call("evm_mine", [])
    return Bench(node, observer, Wallet(node), sea), list(staged.attacks)


WEATHER = ("quiet", "flood", "bombs", "both")


async def run(calls: int, bombs: int, each: int, which: Sequence[str] = WEATHER) -> dict[str, Any]:
    """The lanes, one after another; every attack is on an integration of its own."""
    all_of_it = {"quiet": (0, 0), "flood": (calls, 0), "bombs": (0, bombs), "both": (calls, bombs)}
    weather = {name: all_of_it[name] for name in which}
    async with AsyncExitStack() as house:
        folder = Path(house.enter_context(tempfile.TemporaryDirectory(prefix="seawall-flood-", ignore_cleanup_errors=True)))
        bench, attacks = await set_up(house, folder, 2 * each * len(weather))
        lanes = {}
        for number, (name, (many, slow)) in enumerate(weather.items()):
            mine = attacks[2 * each * number : 2 * each * (number + 1)]
            lanes[name] = _told(await bench.lane(mine, many, slow))
        reckoning = await bench.reckoning()
        unjudged = {r: await bench.metric("seawall_unjudged_total", f'reason="{r}"') for r in ("shed", "late", "oversize")}
    return {"benchmark": "flood", "calls": calls, "bombs": bombs, "lanes": lanes, "reckoning": reckoning, "unjudged": unjudged}


def _told(lane: Lane) -> dict[str, Any]:
    told: dict[str, Any] = {"n": len(lane.near_ms) + len(lane.hidden_ms)}
    for name, values in (("near_ms", lane.near_ms), ("hidden_ms", lane.hidden_ms)):
        told[name] = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}
    if lane.judged_before:
        told["flood_judged_before_pause"] = {
            "median": round(statistics.median(lane.judged_before), 3),
            "max": round(max(lane.judged_before), 3),
        }
    return told


def main() -> None:
    """Print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=CALLS)
    options.add_argument("--bombs", type=int, default=BOMBS)
    options.add_argument("--each", type=int, default=EACH)
    given = options.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(run(given.calls, given.bombs, given.each))) + "\n")


if __name__ == "__main__":
    main()
