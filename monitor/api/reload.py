"""Reading the configuration again while we run: its tokens count at once, anything else waits for a restart and is named."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog
from aiohttp import web

from monitor import metrics
from monitor.api.operators import authorised
from monitor.api.problems import problem
from monitor.api.tokens import Tokens, configured
from monitor.config import Config, load
from monitor.config.layout import File
from monitor.errors import ConfigError

log = structlog.get_logger()


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload did: tokens that count now, those that no longer do, and parts that differ and wait for a restart."""

    tokens: int
    revoked: list[str]
    waiting_for_restart: list[str]


class Reloads:
    """Reads the file of this configuration again, when `wanted` is set or somebody posts it.

    `check` raises ConfigError for what the file names and cannot be had: a detector or a channel that is not there any more. What
    runs goes on as it is then.
    """

    def __init__(self, config: Config, tokens: Tokens, check: Callable[[Config], None] = lambda _: None) -> None:
        self._config = config
        self._tokens = tokens
        self._check = check
        self.wanted = asyncio.Event()

    async def run(self) -> None:
        """Reload whenever it is wanted, until cancelled. A file that cannot be used changes nothing."""
        metrics.RELOAD_OK.set(1)
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            try:
                await self.reload()
            except ConfigError as error:
                log.error("config.refused", problems=error.problems)  # noqa: TRY400 - a mistake in a file, no failure of ours

    async def reload(self) -> Reloaded:
        """Once. Raises ConfigError with every problem; what counted before still counts then."""
        metrics.RELOAD_OK.set(0)
        new = await asyncio.to_thread(self._read)
        tokens = configured(new)
        done = Reloaded(tokens=len(tokens), revoked=self._tokens.replace(tokens), waiting_for_restart=self._other(new))
        metrics.RELOAD_OK.set(1)
        metrics.RELOADED_AT.set(time.time())
        log.info("config.reloaded", **msgspec.structs.asdict(done))
        return done

    def _read(self) -> Config:
        new = load(self._config.source)
        self._check(new)
        return new

    def _other(self, new: Config) -> list[str]:
        old = self._config
        parts = [name for name in File.__struct_fields__ if name != "api" and getattr(new, name) != getattr(old, name)]
        api = [f"api.{name}" for name in type(new.api).__struct_fields__ if getattr(new.api, name) != getattr(old.api, name)]
        return [*parts, *(name for name in api if name != "api.tokens")]


RELOADS: web.AppKey[Reloads] = web.AppKey("reloads", Reloads)


async def reload(request: web.Request) -> web.Response:
    """`POST /-/reload`: read the configuration again; 422 with every problem when it cannot be used."""
    token = authorised(request, "reload")
    if isinstance(token, web.Response):
        return token
    try:
        done = await request.app[RELOADS].reload()
    except ConfigError as error:
        return problem(422, "Unprocessable Content", f"{request.path}: the configuration is not used", problems=error.problems)
    return web.Response(body=msgspec.json.encode(done), content_type="application/json")
