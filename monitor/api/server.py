"""Two listeners: read (flags, health, metrics, page; not one mutating route) and admin (loopback, bearer tokens)."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog
from aiohttp import web

from monitor.api import audit, flagd, flags, health, live, operators, page, reload, routes, views
from monitor.api import gas as fees
from monitor.api.budgets import Budgets
from monitor.api.documents import DOCUMENTS, Documents
from monitor.api.door import IDLE_FOR, Threshold
from monitor.api.problems import problems, same_origin
from monitor.api.signing import Signer
from monitor.api.tokens import Tokens
from monitor.breaker.flags import FlagBoard
from monitor.breaker.orders import Orders
from monitor.errors import ConfigError, SeawallError
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
    signer: Signer | None = None,
    lease: float = 30.0,
) -> web.Application:
    """The read side. Everything it serves comes from memory. `lease` is the flagd document's, seconds."""
    app = web.Application(middlewares=[problems], client_max_size=operators.MOST_BYTES)
    app[flags.BOARD], app[health.HEALTH], app[health.READY], app[views.SOURCES] = board, healthy, ready, sources
    app[fees.ORACLES], app[DOCUMENTS], app[flagd.LEASE] = gas, Documents(board, signer), lease
    app[live.AUDIENCE] = live.Audience(board)
    app[page.SCREEN] = page.Screen(board, sources)
    app.add_routes([route.defined() for route in (*routes.READ, routes.OPENAPI)])
    return app


def admin_app(
    orders: Orders, tokens: Tokens, *, reloads: reload.Reloads | None = None, journal: Journal | None = None,
    face: web.Application | None = None,
) -> web.Application:  # fmt: skip
    """The admin side: the only one that changes anything. With the read side as `face` it has the page, to give orders from."""
    app = web.Application(middlewares=[problems, same_origin], client_max_size=operators.MOST_BYTES)
    app[operators.ORDERS], app[operators.TOKENS], app[operators.BUDGETS] = orders, tokens, Budgets()
    app.add_routes([route.defined() for route in (*routes.ADMIN, routes.OPENAPI)])
    if face is not None:
        app[flags.BOARD], app[views.SOURCES], app[fees.ORACLES] = face[flags.BOARD], face[views.SOURCES], face[fees.ORACLES]
        app[live.AUDIENCE] = face[live.AUDIENCE]
        app[page.SCREEN] = page.Screen(face[flags.BOARD], face[views.SOURCES], acting=True)
        app.add_routes([route.defined() for route in routes.PAGE])
    if reloads is not None:
        app[reload.RELOADS] = reloads
        app.add_routes([routes.RELOAD.defined()])
    if journal is not None:
        app[audit.JOURNAL] = journal
        app.add_routes([routes.AUDIT.defined()])
    return app


class Listener:
    """One bound application. `address` is `host:port`; port 0 takes a free one, `url` says which. `most`: connections."""

    def __init__(self, name: str, app: web.Application, address: str, *, most: int = 20_000) -> None:
        self.name = name
        self.address = address
        self.url = ""
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=2.0,
            keepalive_timeout=IDLE_FOR,
            lingering_time=1.0,
        )
        documents = app.get(DOCUMENTS)
        quick = flags.HotFlags(documents) if documents is not None else None
        self._threshold = Threshold(name, self._hand_over, quick, most)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind and serve. Raises SeawallError naming the address when it is taken."""
        host, _, port = self.address.rpartition(":")
        if not port.isdigit():
            raise ConfigError([f"api.{self.name}: not host:port: {self.address!r}"])
        await self._runner.setup()
        self._threshold.inside = lambda: len(self._runner.server.connections) if self._runner.server else 0
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._threshold, host.strip("[]") or "127.0.0.1", int(port), reuse_address=True, backlog=1024
            )
        except OSError as error:
            await self._runner.cleanup()
            raise SeawallError(
                f"api.{self.name}: cannot listen on {self.address}: {error.strerror}; is another one running?"
            ) from error
        bound = self._server.sockets[0].getsockname()
        self.url = f"http://{bound[0]}:{bound[1]}"
        log.info("api.listening", listener=self.name, url=self.url)

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        self._threshold.close()
        async with asyncio.timeout(10):
            await self._runner.cleanup()

    def _hand_over(self) -> asyncio.Protocol:
        if self._runner.server is None:
            raise RuntimeError(f"api.{self.name}: not started")
        return self._runner.server()
