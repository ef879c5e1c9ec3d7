"""Hostile words: what is never decoded cannot burst, and what is read is read by turns."""

import ast
import asyncio
import json
import time

import pytest
from websockets.asyncio.server import ServerConnection, serve

from detectors.events import Stage, Unjudged
from detectors.execution import Execution
from monitor.chains.rpc import Rpc
from monitor.chains.traces import Origin, Words
from monitor.feeds.tracing import GARBLED, MOST_BYTES, nested
from tests.support.bytecode import CHAIN
from tests.support.parts import ROOT

ORIGIN = Origin(source="0x1", chain=CHAIN, at=1.0, tx="0x1", stage=Stage.PENDING, logged=True)
LEAF = {"from": "0x" + "be" * 20, "to": "0x" + "b0" * 20, "gasUsed": "0x0", "input": "0x", "value": "0x0", "type": "CALL"}


def wide(frames: int, **more: object) -> bytes:
    """A trace with so many frames side by side."""
    return json.dumps({**LEAF, "calls": [LEAF] * (frames - 1), **more}).encode()


def test_nothing_decodes_abi_but_the_show() -> None:
    """`uint256[]` nested seven deep in 2.2 kB takes eth_abi 8 seconds: words are read by place instead."""
    allowed = ROOT / "monitor" / "demo"
    for package in ("monitor", "detectors", "alerts"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.is_relative_to(allowed):
                continue
            imported = {
                name.split(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                for name in (
                    [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "") or ""]
                )
                if isinstance(node, ast.Import | ast.ImportFrom)
            }
            assert "eth_abi" not in imported, path


async def test_the_longest_trace_we_take_is_read_by_turns_with_everyone_else() -> None:
    raw = wide(MOST_BYTES // len(json.dumps(LEAF) + ", ") - 1)
    assert len(raw) <= MOST_BYTES
    longest, last, over = 0.0, time.perf_counter(), asyncio.Event()

    async def beat() -> None:
        nonlocal longest, last
        while not over.is_set():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    began = time.perf_counter()
    found = await nested(raw, ORIGIN, Words())
    took = time.perf_counter() - began
    over.set()
    await beating
    assert isinstance(found, Execution)
    assert longest < took / 2, "decoding is at one go, the rest is not"


@pytest.mark.parametrize("raw", [b"\xff" * 100, b'{"type": "CALL", "error": "\\ud800"}', b"[" * 100_000, b"9" * 5_000, b""])
async def test_garbage_is_unjudged_and_never_an_error(raw: bytes) -> None:
    found = await nested(raw, ORIGIN, Words())
    assert isinstance(found, Unjudged | Execution)


async def test_half_a_character_in_a_long_trace_is_not_worth_a_second_reading() -> None:
    found = await nested(wide(20_000, error="REASON").replace(b"REASON", rb"\ud800"), ORIGIN, Words())
    assert isinstance(found, Unjudged)
    assert found.reason == GARBLED


async def test_a_node_that_would_compress_is_not_let_to() -> None:
    async def silent(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(silent, "127.0.0.1", 0, compression="deflate") as server:
        port = next(iter(server.sockets)).getsockname()[1]
        rpc = await Rpc.connect(f"ws://127.0.0.1:{port}", provider="zip", chain=CHAIN)
        agreed = next(iter(server.connections)).protocol.extensions
        await rpc.close()
    assert agreed == []
