"""Many seeds, several at once: each in a process of its own, so that one that dies or hangs takes no other with it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from tests.chaos.report import Report

ROOT = Path(__file__).resolve().parents[2]
MORE_SECONDS = 240.0
"""Seconds that a seed may take beyond its own: starting, settling, reckoning."""


async def together(seeds: Sequence[int], seconds: float, jobs: int, *options: str) -> AsyncIterator[Report | str]:
    """The report of every seed as it comes, or what went wrong instead."""
    places = asyncio.Semaphore(jobs)

    async def one(seed: int) -> Report | str:
        async with places:
            return await _one(seed, seconds, options)

    tasks = [asyncio.create_task(one(seed)) for seed in seeds]
    for task in asyncio.as_completed(tasks):
        yield await task


async def _one(seed: int, seconds: float, options: Sequence[str]) -> Report | str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos", "--seed", str(seed), "--seconds", f"{seconds:g}", "--json", *options,
        cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds + MORE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"seed {seed}: no report within {seconds + MORE_SECONDS:g} s"
    lines = out.splitlines()
    if not lines:
        return f"seed {seed}: exit {process.returncode}: {err.decode(errors='replace')[-2000:]}"
    return msgspec.json.decode(lines[-1], type=Report)
