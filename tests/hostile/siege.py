"""What an attacker can put on a chain to blind, stall or burst a monitor; and a whole daemon that has to live through it."""

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from monitor.chains.rpc import Rpc
from monitor.chains.traces import calltracer
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from tests.support.bytecode import CHAIN
from tests.support.daemon import VAULT, Daemon, settings

ME = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
NAMES_IT = "0" * 24 + VAULT[2:]
_ERROR = "08c379a0" + f"{32:064x}" + f"{9:064x}" + "eda080e280ae41420a22".ljust(64, "0")
"""Error(string) of a lone surrogate, a right-to-left override, a line break and a quote."""

CODES = {
    "bomb": "0x5f6201ffe0525b5f5f620200005f5f60995af1505a61271010600657" + "00",
    "deep": "0x5f5f5f5f5f305af100",
    "crowd": "0x5b5f5f5f5f5f73" + VAULT[2:] + "5af1505a612710105f5700",
    "revert": "0x365f5f37365ffd",
    "giant": "0x620200005ffd",
    "logs": "0x5f5f5f5f620100005fa45f5f5f5f620100005fa400",
}
"""bomb: 128,000 gas make 105 MB of callTracer. deep: calls itself. crowd: calls the vault as often as gas allows. revert: reverts
with its call data. giant: reverts with 128 kB. logs: two logs of 64 kB and four topics."""

CALLS = {
    "bomb": (128_000, "0x" + NAMES_IT),
    "deep": (30_000_000, "0x" + NAMES_IT),
    "crowd": (3_500_000, "0x" + NAMES_IT),
    "revert": (200_000, "0x" + _ERROR),
    "giant": (200_000, "0x" + NAMES_IT),
    "logs": (3_000_000, "0x" + NAMES_IT),
}


SETTLE = 4.0
"""Seconds given to what is still being simulated before the block."""


class Endured(msgspec.Struct, frozen=True):
    """What came of it. `stall_ms`: the longest a flag read took; `peak_mb`: the daemon's resident memory at its highest.

    `burst_ms`: within how much all of the daemon's own bursts of work stayed, by its own samples; a read may take longer on a
    machine that has other work to do. `unended`: pending calls that came and did not end.
    """

    stall_ms: float
    burst_ms: float
    unended: float
    quiet_stall_ms: float
    peak_mb: float
    node_bomb_ms: float
    unjudged: dict[str, float]
    silence: list[dict[str, Any]]
    height: int
    seen_height: float
    state: str
    series: int


def address(name: str) -> str:
    """Where a hostile contract lives."""
    return "0x" + name.encode().hex().rjust(40, "e")


@asynccontextmanager
async def chain_of_horrors(folder: Path) -> AsyncIterator[tuple[Anvil, HttpNode, Daemon]]:
    """A node with all of them, and a daemon that watches the vault."""
    options = ("--no-mining", "--gas-limit", "240000000", "--block-base-fee-per-gas", "0")
    async with await Anvil.start(*options) as node, HttpNode(node.http) as door:  # HTTP has no pings: the node will be busy
        for name, code in CODES.items():
            await door.call("anvil_setCode", [address(name), code])
        await door.call("anvil_setCode", [VAULT, "0x00"])
        await door.call("anvil_setBalance", [VAULT, hex(10**20)])
        await door.call("evm_mine", [])
        config = settings(folder, node.ws, blind_after="120s") | {"log": {"level": "info", "format": "json"}}
        async with Daemon(folder, config) as daemon:
            await daemon.until("run")
            yield node, door, daemon


async def endure(folder: Path, names: tuple[str, ...] = tuple(CALLS)) -> Endured:
    """All of `names`, pending at once and then in one block."""
    async with chain_of_horrors(folder) as (node, door, daemon):
        quiet = await _longest_read(daemon, asyncio.create_task(asyncio.sleep(1.0)))
        before = _bursts(await _metrics(daemon))
        horrors = asyncio.create_task(_unleash(door, daemon, names))
        stall = await _longest_read(daemon, horrors)
        bomb_ms = await _node_time(node)
        flag = await daemon.flag() or {}
        height = int(await door.call("eth_blockNumber", []), 16)
        text = await _metrics(daemon)
        return Endured(
            stall_ms=round(stall, 1), burst_ms=_longest(before, _bursts(text)), unended=_unended(text),
            quiet_stall_ms=round(quiet, 1), peak_mb=round(_peak_mb(daemon), 1),
            node_bomb_ms=round(bomb_ms, 1), unjudged=_unjudged(text), silence=_silence(folder), height=height,
            seen_height=_value(text, "seawall_chain_head_number{"), state=str(flag.get("state")),
            series=sum(len(family.samples) for family in text_string_to_metric_families(text)),
        )  # fmt: skip


async def _unleash(door: HttpNode, daemon: Daemon, names: tuple[str, ...]) -> None:
    senders = await door.call("eth_accounts", [])
    for sender, name in zip(senders, names, strict=False):  # a sender each, so that none is another's predecessor
        gas, data = CALLS[name]
        call = {"from": sender, "to": address(name), "gas": hex(gas), "data": data, "nonce": "0x0", "gasPrice": "0x3b9aca00"}
        await door.call("eth_sendTransaction", [call])
    await asyncio.sleep(1.0)
    await _until(daemon, lambda text: _value(text, 'seawall_queue_depth{queue="simulate"}') == 0)
    await asyncio.sleep(SETTLE)
    await door.call("evm_mine", [], timeout=60)
    height = int(await door.call("eth_blockNumber", [], timeout=60), 16)
    await _until(daemon, lambda text: _value(text, "seawall_chain_head_number{") >= height)


async def _longest_read(daemon: Daemon, while_: "asyncio.Task[None]") -> float:
    """The longest that a read of the flag took meanwhile, milliseconds."""
    longest = 0.0
    while not while_.done():
        began = time.perf_counter()
        await daemon.flag()
        longest = max(longest, (time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0.002)
    await while_
    return longest


async def _node_time(node: Anvil) -> float:
    """Milliseconds the node itself takes for the bomb, its answer included."""
    rpc = await Rpc.connect(node.ws, provider="siege", chain=CHAIN, max_size=1 << 28)
    call = {"from": ME, "to": address("bomb"), "gas": hex(128_000)}
    began = time.perf_counter()
    try:
        await rpc.call("debug_traceCall", [call, "latest", calltracer.TRACER], timeout=60, raw=True)
    finally:
        await rpc.close()
    return (time.perf_counter() - began) * 1e3


async def _until(daemon: Daemon, fact: Any, within: float = 90.0) -> None:  # noqa: ANN401 - any look at the metrics
    async with asyncio.timeout(within):
        while not fact(await _metrics(daemon)):  # noqa: ASYNC110 - the daemon is another process
            await asyncio.sleep(0.05)


async def _metrics(daemon: Daemon) -> str:
    async with daemon.http.get(f"{daemon.read}/metrics") as answer:
        return await answer.text()


def _value(text: str, start: str) -> float:
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start)), -1.0)


def _unjudged(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line.startswith("seawall_unjudged_total{")]
    return {line.split('reason="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def _bursts(text: str) -> dict[float, float]:
    """How many bursts took at most so many seconds."""
    lines = [line for line in text.splitlines() if line.startswith("seawall_loop_burst_seconds_bucket{")]
    return {float(line.split('le="')[1].split('"')[0]): float(line.rsplit(" ", 1)[1]) for line in lines}


def _longest(before: dict[float, float], after: dict[float, float]) -> float:
    """Within how many milliseconds all bursts between the two stayed."""
    made = {bound: after[bound] - before[bound] for bound in after}
    return 1e3 * min(bound for bound, count in made.items() if count == made[math.inf])


def _unended(text: str) -> float:
    came = _value(text, "seawall_pending_calls_total{")
    return came - sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("seawall_pending_calls_ended_total{")
    )


def _silence(folder: Path) -> list[dict[str, Any]]:
    """What was said of transactions that nobody could judge, from the daemon's own log."""
    found = []
    for line in (folder / "daemon.log").read_text(errors="strict").splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("event") == "finding" and told.get("detector") == "silence":
                found.append({key: told.get(key) for key in ("kind", "subject", "stage", "tx")})
    return found


def _peak_mb(daemon: Daemon) -> float:
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
