"""From exec to the first right answer, and from an order to its acknowledgement: a real `seawall run`, its node dead or alive.

With a dead node the flag of a paused integration must say `pause` before any node was dialled; a cold interpreter is part of the
time. One JSON object: restarts, the processor time in them (what a busy machine does not stretch) and a bare `python -c pass` in
seconds; acknowledgements in milliseconds beside a bare fdatasync of the same minutes (a disk that stalls is the machine's), and
of orders that come together, with the commits they shared. With a real node that makes a block a second: seconds until the flag
of an integration that nothing holds reads `run` again. Goals: 0.3 s to a pause, 2 s to right flags, 25 ms.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.compiled import compiled
from monitor.demo.anvil import Anvil, free_port
from tests.support.daemon import TOKEN, Daemon, settings

AT_ONCE = 16
"""Orders that come at the same time."""


def quantile(values: list[float], q: float) -> float:
    """The value below which this share lies."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def told(values: list[float], digits: int) -> dict[str, float]:
    """Median, p99 and worst."""
    shown = {"p50": statistics.median(values), "p99": quantile(values, 0.99), "max": max(values)}
    return {name: round(value, digits) for name, value in shown.items()}


async def first_answer(daemon: Daemon, state: str) -> float:
    """Seconds until the flag read `state`, asked over a connection of its own each time."""
    host, _, port = daemon.read.removeprefix("http://").rpartition(":")
    began = time.perf_counter()
    await daemon.start()
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.002)
            continue
        writer.write(b"GET /v1/flags/vault HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
        if f'"state":"{state}"'.encode() in said:
            return time.perf_counter() - began
        await asyncio.sleep(0.002)


def processor(daemon: Daemon) -> float:
    """Seconds of processor time that the process has used so far."""
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def bare() -> float:
    """Seconds of an interpreter that does nothing."""
    began = time.perf_counter()
    await (await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")).wait()
    return time.perf_counter() - began


def sync(path: Path) -> float:
    """Milliseconds of a small write and its fdatasync on the same disk, just now."""
    with path.open("ab", buffering=0) as file:
        began = time.perf_counter()
        file.write(b"x" * 4096)
        os.fdatasync(file.fileno())
        return (time.perf_counter() - began) * 1000


async def acknowledgements(daemon: Daemon, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from an order sent to its answer, slow enough for the budget of a token, and of a bare sync between them."""
    took, bare_syncs = [], []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for number in range(count):
            body = {"reason": f"drill {number}"}
            began = time.perf_counter()
            async with http.post(f"{daemon.admin}/v1/integrations/vault/pause", json=body) as answer:
                done = await answer.json()
            took.append((time.perf_counter() - began) * 1000)
            assert (answer.status, done["state"], done["pending"]) == (200, "pause", False), done
            await asyncio.sleep(0.1)  # a disk that has just synced answers at once; let it rest before either
            bare_syncs.append(await asyncio.to_thread(sync, daemon.folder / "bare"))
            await asyncio.sleep(0.1)
    return took, bare_syncs


async def together(daemon: Daemon, rounds: int) -> tuple[list[float], float]:
    """Milliseconds to each answer of AT_ONCE orders sent at the same time, and commits a round."""
    took: list[float] = []

    async def one(http: aiohttp.ClientSession, number: int) -> None:
        began = time.perf_counter()
        url = f"{daemon.admin}/v1/integrations/vault/pause"
        async with http.post(url, json={"reason": f"crowd {number}"}) as answer:
            done = await answer.json()
        took.append((time.perf_counter() - began) * 1000)
        assert (answer.status, done["pending"]) == (200, False), done

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        before = await daemon.metric("seawall_journal_append_seconds_count")
        for turn in range(rounds):
            await asyncio.gather(*(one(http, turn * AT_ONCE + number) for number in range(AT_ONCE)))
            await asyncio.sleep(AT_ONCE / 5 + 0.2)  # what a token may order goes on at five a second
        commits = await daemon.metric("seawall_journal_append_seconds_count") - before
    return took, commits / rounds


async def to_run(restarts: int) -> list[float]:
    """Seconds until nothing keeps the flag from `run`, on a living node."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with await Anvil.start("--block-time", "1") as anvil, Daemon(folder, settings(folder, anvil.ws)) as daemon:
            await daemon.until("run")
            took = []
            for _ in range(restarts):
                await daemon.kill()
                took.append(await first_answer(daemon, "run"))
                await daemon.ready()
        return took


async def measure(restarts: int, orders: int) -> dict[str, Any]:
    """Both, on one journal."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        daemon = Daemon(folder, settings(folder, f"ws://127.0.0.1:{free_port()}"))
        async with daemon:
            await daemon.until("unknown")
            await daemon.ready()  # orders that come sooner wait for it, and would measure the start
            acks, disk = await acknowledgements(daemon, orders)
            crowd, commits = await together(daemon, max(1, orders // 40))
            starts, used, bares = [], [], []
            for _ in range(restarts):  # each finds its byte code, which the first start made
                await daemon.kill()
                starts.append(await first_answer(daemon, "pause"))
                used.append(processor(daemon))
                bares.append(await bare())
        runs = await to_run(restarts)
        return {
            "restart_to_run_s": told(runs, 3),
            "restart_to_pause_s": told(starts, 3), "processor_s": told(used, 3),
            "python_alone_s": told(bares, 3), "restarts": restarts,
            "pause_acknowledged_ms": told(acks, 2), "fdatasync_alone_ms": told(disk, 2), "orders": orders,
            "p99_to_fdatasync_p99": round(quantile(acks, 0.99) / quantile(disk, 0.99), 2),
            "together": {"at_once": AT_ONCE, "acknowledged_ms": told(crowd, 2), "commits_a_round": round(commits, 2)},
        }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--orders", type=int, default=200)
    given = parser.parse_args()
    with compiled():
        print(json.dumps(asyncio.run(measure(given.restarts, given.orders))))
