"""The pager of the show: a real webhook receiver that checks each signature and counts what it is told."""

import base64
import os
from collections.abc import Callable
from typing import Any, Self

import msgspec
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


class Pager:
    """Receives signed alerts on a free loopback port. `told` keeps their bodies; `heard` is called with each new one."""

    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        self.secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        self.told: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self.url = ""
        self._heard = heard
        app = web.Application()
        app.router.add_post("/", self._receive)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        """Accept what is signed by the daemon; the same id twice is one alert."""
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401)
        key = request.headers["webhook-id"]
        if key not in self.told:
            self.told[key] = msgspec.json.decode(body)
            self._heard(self.told[key])
        return web.Response(status=204)
