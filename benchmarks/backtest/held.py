"""How long forecasting holds the event loop: the daemon's own gas desk on real headers, while a network is fitted beside it.

A ticker asks for the loop every millisecond and notes how late it came, and how much the loop's thread worked meanwhile. The
second figure is ours alone; the first also has what other processes took from this machine.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from detectors.events import Position
from detectors.gas.features import Header
from monitor.chains.base import BlockData
from monitor.config import ChainConfig, GasConfig, Node, NodeUrl
from monitor.errors import NodeUnreachable
from monitor.gas import desk as desk_of
from monitor.gas.desk import GasDesk
from monitor.gas.models import GasModel
from monitor.journal.snapshots import Snapshots

FED, LONGEST = 18_400, 3_000
"""Headers before the measure, and at most during it; a network is fitted at 18,541, after which the measure ends."""

BATCH, APART, TICK = 500, 0.02, 0.001
SAVES_EVERY = 2.0
"""Seconds between snapshots, which a daemon takes every five minutes: the measure is to have some."""


def held_report(headers: Sequence[Header]) -> dict[str, Any]:
    """Milliseconds: the longest and the 99 of 100 by both measures; and what went on meanwhile. Needs FED + LONGEST headers."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # the report is what is printed
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(headers, Path(folder)))


async def _measured(headers: Sequence[Header], folder: Path) -> dict[str, Any]:
    kept: list[GasModel] = []

    async def keep(model: GasModel) -> None:
        kept.append(model)

    chain = ChainConfig(id="eip155:1", nodes=(Node(name="a", ws=NodeUrl("ws://127.0.0.1:1")),), gas=GasConfig(history=0))
    desk = GasDesk("ethereum", chain, _Nobody(), Snapshots(folder), schema="held", keep=keep, told=lambda _chain, _finding: None)
    running = asyncio.create_task(desk.run())
    desk_of.SAVE_EVERY = SAVES_EVERY
    for at in range(0, FED, BATCH):
        for header in headers[at : min(at + BATCH, FED)]:
            desk.saw(_block(header))
        await _until(desk, running, headers[min(at + BATCH, FED) - 1].number)
    late: list[float] = []
    worked: list[float] = []
    ticking = asyncio.create_task(_tick(late, worked))
    began, at = time.monotonic(), FED
    while (not kept or kept[-1].name != "network") and at < FED + LONGEST:
        desk.saw(_block(headers[at]))
        at += 1
        await asyncio.sleep(APART)
    await asyncio.sleep(5 * APART)
    ticking.cancel()
    running.cancel()
    await asyncio.gather(running, ticking, return_exceptions=True)
    took = round(time.monotonic() - began, 1)
    rungs = [model.name for model in kept]
    return {"late_ms": _figures(late), "worked_ms": _figures(worked), "blocks": at - FED, "seconds": took, "fitted": rungs}


async def _tick(late: list[float], worked: list[float]) -> None:
    while True:
        due, busy = time.perf_counter() + TICK, time.thread_time()
        await asyncio.sleep(TICK)
        late.append(1e3 * (time.perf_counter() - due))
        worked.append(1e3 * (time.thread_time() - busy))


async def _until(desk: GasDesk, running: asyncio.Task[None], number: int) -> None:
    while desk.outlook is None or desk.outlook.block.number < number:
        if running.done():
            running.result()
        await asyncio.sleep(0.01)


def _figures(values: list[float]) -> dict[str, float]:
    return {"p99": round(float(np.quantile(values, 0.99)), 2), "max": round(max(values), 2)}


def _block(header: Header) -> BlockData:
    number = header.number
    return BlockData(
        position=Position(number, f"0x{number:x}", f"0x{number - 1:x}"), timestamp=header.timestamp, base_fee=header.base_fee,
        gas_used=header.gas_used, gas_limit=header.gas_limit, transactions=(), excess_blob_gas=20 << 20, blob_gas_used=3 << 17,
    )  # fmt: skip


class _Nobody:
    """A line on which nobody answers: tips are not what is measured."""

    async def call(self, method: str, *_params: object, **_more: object) -> Any:  # noqa: ANN401 - as a Caller's
        raise NodeUnreachable(f"{method}: there is no node")
