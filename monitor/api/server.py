"""Two listeners: read (flags, health, metrics, page; not one mutating route) and admin (loopback, bearer tokens)."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog
from aiohttp import web

from monitor.api import audit, flagd, flags, health, live, operators, page, reload, replies, routes, views
from monitor.api import gas as fees
from monitor.api import status as whole
from monitor.api.budgets import Budgets
from monitor.api.documents import Documents
from monitor.api.door import IDLE_FOR, Threshold
from monitor.api.hot import HotFlags
from monitor.api.page.news import News
from monitor.api.problems import problems, same_origin
from monitor.api.tokens import Tokens
from monitor.breaker.flags import FlagBoard
from monitor.breaker.orders import Orders
from monitor.errors import SeawallError
from monitor.gas.answers import Oracle
from monitor.journal.base import Journal

log = structlog.get_logger()


def read_app(
    board: FlagBoard,
    *,
    healthy: Callable[[], health.Facts],
    ready: Callable[[], health.Facts],
    sources: views.Sources,
    gas: Mapping[str, Oracle] = MappingProxyType({}),
    documents: Documents | None = None,
    lease: float = 30.0,
    status: Callable[[], whole.Status] | None = None,
) -> web.Application:
    """The read side. Everything it serves comes from memory. `lease` is the flagd document's, seconds.

    `documents` are the board's flags as they are handed out, unsigned where none are given; `status` is the whole daemon's.
    """
    app = web.Application(middlewares=[problems], client_max_size=operators.MOST_BYTES)
    app[flags.BOARD], app[health.HEALTH], app[health.READY], app[views.SOURCES] = board, healthy, ready, sources
    app[fees.ORACLES], app[flags.DOCUMENTS], app[flagd.LEASE] = gas, documents or Documents(board), lease
    app[live.AUDIENCE] = live.Audience(board)
    screen = app[page.SCREEN] = page.Screen(board, sources)
    app[page.AUDIENCE] = live.Audience(News(board, screen.state), "page")
    app.add_routes([route.defined() for route in (*routes.READ, routes.OPENAPI)])
    if status is not None:
        app[whole.STATUS] = status
        app.add_routes([routes.STATUS.defined()])
    return app


def admin_app(
    orders: Orders, tokens: Tokens, *, reloads: reload.Reloads | None = None, journal: Journal | None = None,
    heard: replies.Replies | None = None, face: web.Application | None = None,
) -> web.Application:  # fmt: skip
    """The admin side: the only one that changes anything. With the read side as `face` it has the page, to give orders from."""
    app = web.Application(middlewares=[problems, same_origin], client_max_size=operators.MOST_BYTES)
    app[operators.ORDERS], app[operators.TOKENS], app[operators.BUDGETS] = orders, tokens, Budgets()
    app.add_routes([route.defined() for route in (*routes.ADMIN, routes.OPENAPI)])
    if face is not None:
        app[flags.BOARD], app[views.SOURCES], app[fees.ORACLES] = face[flags.BOARD], face[views.SOURCES], face[fees.ORACLES]
        app[page.AUDIENCE] = face[page.AUDIENCE]
        app[page.SCREEN] = page.Screen(face[flags.BOARD], face[views.SOURCES], acting=True)
        app.add_routes([route.defined() for route in routes.PAGE])
    if heard is not None:
        app[replies.REPLIES] = heard
        app.add_routes([routes.REPLY.defined()])
    if reloads is not None:
        app[reload.RELOADS] = reloads
        app.add_routes([routes.RELOAD.defined()])
    if journal is not None:
        app[audit.JOURNAL] = journal
        app.add_routes([routes.AUDIT.defined()])
    return app


class Listener:
    """One application behind its door. `address` is `host:port`; port 0 takes a free one, `url` says which. `most`: connections.

    A `threshold` that was opened before is taken over with everybody who stands in it.
    """

    def __init__(
        self, name: str, app: web.Application, address: str, *, most: int = 20_000, threshold: Threshold | None = None
    ) -> None:
        self.name = name
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=2.0,
            keepalive_timeout=IDLE_FOR,
            lingering_time=1.0,
        )
        if threshold is None:
            documents = app.get(flags.DOCUMENTS)
            threshold = Threshold(name, address, HotFlags(documents) if documents is not None else None, most=most)
        self._threshold = threshold
        self._audience = app.get(live.AUDIENCE)
        self._guests: set[live.Seat] = set()

    @property
    def url(self) -> str:
        """Where it listens; empty before it does."""
        return self._threshold.url

    def __len__(self) -> int:
        """Connections behind the door."""
        return len(self._guests) + (len(self._runner.server.connections) if self._runner.server is not None else 0)

    async def start(self) -> None:
        """Bind and serve. Raises SeawallError naming the address when it is taken."""
        await self._runner.setup()
        if not self.url:
            try:
                await self._threshold.open()
            except SeawallError:
                await self._runner.cleanup()
                raise
        self._threshold.admit(self)
        log.info("api.listening", listener=self.name, url=self.url)

    async def stop(self) -> None:
        """Close the listener and every connection."""
        self._threshold.close()
        for guest in list(self._guests):
            guest.leave()
        async with asyncio.timeout(10):
            await self._runner.cleanup()

    def hand_over(self, data: bytes) -> asyncio.Protocol:
        """Who takes over a connection that begins with this: a seat, or aiohttp."""
        if self._audience is not None and live.wants_news(data):
            return live.Seat(self._audience, self._guests)
        if self._runner.server is None:
            raise RuntimeError(f"api.{self.name}: not started")
        return self._runner.server()
