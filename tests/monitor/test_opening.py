"""A restart answers for its pauses before the rest of it is loaded; whoever asks anything else waits, and nobody reads run."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from monitor.api.server import Listener, read_app
from monitor.api.views import Sources
from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Fold
from monitor.breaker.orders import Orders
from monitor.breaker.people import Order
from monitor.config import Config, parse
from monitor.errors import JournalError
from monitor.journal.base import Outcome, Request
from monitor.journal.reserve import Reserve
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.opening import Opening, modes_of, specs_of

HEAVY = ("aiohttp", "numpy", "websockets", "structlog", "sentry_sdk", "web3", "statsmodels")


CONFIG = """
version: 1
chains: {test: {id: "eip155:31337", nodes: [{name: none, ws: "ws://127.0.0.1:9"}]}}
integrations:
  pool: {chain: test, contracts: [{address: "0xb0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0", kind: holdings}], mode: enforce}
  vault: {chain: test, contracts: [{address: "0xa0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0", kind: holdings}], mode: enforce}
api: {read: "127.0.0.1:0", admin: "127.0.0.1:0"}
journal: {path: PATH}
"""


def configured(folder: Path) -> Config:
    """Two integrations over a node that is not there."""
    return parse(CONFIG.replace("PATH", str(folder / "journal.db")), "test", {})


async def asked(url: str, *questions: bytes) -> list[dict[str, Any]]:
    """The bodies of the answers on one connection, the last of which closes it."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for question in questions[:-1]:
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % question)
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % questions[-1])
    async with asyncio.timeout(10):
        raw = await reader.read()
    writer.close()
    bodies = []
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        bodies.append(msgspec.json.decode(raw[:length], type=dict[str, Any]))
        raw = raw[length:]
    return bodies


async def lived(config: Config, *, refused: bool = False) -> None:
    """An earlier life in which somebody paused the vault; `refused`: the journal did not take it."""
    path = Path(config.journal.path)
    async with AsyncJournal(Refusing.open(path) if refused else SqliteJournal.open(path)) as keeper:
        desk = Desk(Fold(modes_of(config)), FlagBoard(specs_of(config), epoch=keeper.epoch), keeper, lambda _: None)
        desk.reserve = Reserve.open(path)
        assert await Orders(desk).pause("vault", Order(who="alice", reason="a drill")) is not refused


class Refusing(SqliteJournal):
    """A journal on a disk that is full."""

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """Nothing."""
        raise JournalError(f"append {len(requests)} to {self.path}: the disk is full")


def test_it_needs_no_web_framework_no_numbers_and_no_node() -> None:
    code = f"import sys, monitor.cli, monitor.opening; print([name for name in {HEAVY!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("refused", [False, True], ids=["journaled", "shown on a full disk"])
async def test_a_pause_reads_pause_at_once_and_nothing_else_reads_run(tmp_path: Path, *, refused: bool) -> None:
    config = configured(tmp_path)
    await lived(config, refused=refused)
    async with Opening(config) as opened:
        assert opened.read is not None
        one, other, every = await asked(opened.read.url, b"/v1/flags/vault", b"/v1/flags/pool.state", b"/v1/flags")
    assert (one["state"], one["reason"], one["paused"]) == ("pause", "a drill", True)
    assert other["value"] == "unknown"
    assert [flag["state"] for flag in every["flags"]] == ["unknown", "pause"]


async def test_whoever_asks_for_more_waits_until_it_is_there(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with Opening(config) as opened:
        assert opened.read is not None
        waiting = asyncio.create_task(asked(opened.read.url, b"/v1/flags/pool", b"/v1/integrations"))
        await asked(opened.read.url, b"/v1/flags/pool")
        assert not waiting.done()
        sources = Sources(breakers=dict, made=tuple, chains=dict, contracts={})
        fine = lambda: {"ok": True}  # noqa: E731 - a fact
        app = read_app(opened.board, healthy=fine, ready=fine, sources=sources, documents=opened.documents)
        listener = Listener("read", app, "", threshold=opened.read)
        await listener.start()
        _, told = await waiting
        assert [one["integration"] for one in told["integrations"]] == ["pool", "vault"]
        async with aiohttp.ClientSession() as http, http.get(f"{listener.url}/-/ready") as answer:
            assert answer.status == 200
        await listener.stop()


async def test_who_waited_in_vain_is_let_go_with_the_door(tmp_path: Path) -> None:
    async with Opening(configured(tmp_path)) as opened:
        assert opened.admin is not None
        host, _, port = opened.admin.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/integrations/vault/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
