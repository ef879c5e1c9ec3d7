"""A read and an admin listener on loopback over a real desk and journal; no daemon behind them."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import aiohttp
import pytest

from alerts.channels.console import Console
from alerts.outbox import MemoryOutbox
from alerts.pager import Pager
from monitor.api.server import Listener, admin_app, read_app
from monitor.api.tokens import Token, Tokens, digest_of
from monitor.api.views import Sources
from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard, Spec
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.orders import Member, Orders
from monitor.census import Census
from monitor.gas.answers import Oracle
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from tests.support.findings import BANK, CHAIN, position

SECRET = "wall-and-sea"
MEMBERS = {
    "bank": Member(chain=CHAIN, contracts=frozenset({BANK})),
    "pool.v2": Member(chain="eip155:10"),
    "vault": Member(chain=CHAIN, critical=True),
}
TOKENS = [
    Token(name="ops", digest=digest_of(SECRET), scopes=frozenset({"pause", "resume"})),
    Token(name="bot", digest=digest_of("bot-secret"), scopes=frozenset({"pause"})),
    Token(name="deputy", digest=digest_of("second-person"), scopes=frozenset({"resume"})),
    Token(name="robot", digest=digest_of("robot-secret"), scopes=frozenset({"pause", "resume"}), automated=True),
]


class Doors:
    """What a test talks to."""

    def __init__(
        self, board: FlagBoard, desk: Desk, tokens: Tokens, read: Listener, admin: Listener, http: aiohttp.ClientSession
    ) -> None:
        self.board, self.desk, self.tokens, self.read, self.admin, self.http = board, desk, tokens, read, admin, http

    async def pause(self, reason: str = "drill", token: str = SECRET, integration: str = "bank") -> aiohttp.ClientResponse:
        """Order a pause."""
        url = f"{self.admin.url}/v1/integrations/{integration}/pause"
        return await self.http.post(url, json={"reason": reason}, headers={"Authorization": f"Bearer {token}"})

    async def acknowledge(self, token: str = SECRET) -> None:
        """Take up the newest incident."""
        url = f"{self.admin.url}/v1/incidents/{self.desk.made[-1].decision.id}/acknowledge"
        async with self.http.post(url, json={}, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200

    async def resume(self, revision: int | None = None, token: str = SECRET) -> aiohttp.ClientResponse:
        """Order a resume."""
        headers = {"Authorization": f"Bearer {token}"} | ({"If-Match": f'"{revision}"'} if revision is not None else {})
        return await self.http.post(f"{self.admin.url}/v1/integrations/bank/resume", json={"reason": "over"}, headers=headers)


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors_with(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def doors_with(tmp_path: Path, gas: Mapping[str, Oracle] = MappingProxyType({})) -> AsyncIterator[Doors]:
    """The doors, with these oracles of fees behind them."""
    async with AsyncJournal(SqliteJournal.open(tmp_path / "journal.db")) as journal:
        fold = Fold({"bank": Mode.ENFORCE, "pool.v2": Mode.SHADOW, "vault": Mode.ENFORCE})
        specs = [Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in fold.modes]
        board = FlagBoard(specs, epoch=journal.epoch)
        desk = Desk(fold, board, journal, lambda _: None)
        board.beat()
        board.saw_head(CHAIN, position(10), time.time())
        sources = Sources(
            breakers=lambda: fold.breakers,
            made=lambda: desk.made,
            chains=lambda: {CHAIN: {"head": 10, "age": "0 s"}},
            contracts={},
            sightings=lambda: fold.sightings,
            timing=desk.timings.of,
            taken_up=desk.timings.taken_up,
            would=lambda: desk.would,
        )
        tokens = Tokens(TOKENS)
        fine = lambda: {"ok": True}  # noqa: E731 - a fact
        pager = Pager({"console": Console()}, MemoryOutbox(), lambda _: None)
        census = Census(
            version="0", config="0", started_at=time.time(), desk=desk, pager=pager, journal=tmp_path / "journal.db", gas=gas,
            detectors=("drain",), chains=dict, ready=lambda: True, moving=lambda: True,
        )  # fmt: skip
        face = read_app(board, healthy=fine, ready=fine, sources=sources, gas=gas, status=census.taken)
        read = Listener("read", face, "127.0.0.1:0")
        admin = Listener("admin", admin_app(Orders(desk, MEMBERS), tokens, face=face), "127.0.0.1:0")
        await read.start()
        await admin.start()
        async with aiohttp.ClientSession() as http:
            yield Doors(board, desk, tokens, read, admin, http)
        await read.stop()
        await admin.stop()
