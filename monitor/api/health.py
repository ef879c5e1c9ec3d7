"""Health, readiness and metrics. Blind is not unready: a blind daemon answers, and what it answers is `unknown`."""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from monitor.metrics import REGISTRY

Facts = Mapping[str, object]
HEALTH: web.AppKey[Callable[[], Facts]] = web.AppKey("health")
READY: web.AppKey[Callable[[], Facts]] = web.AppKey("ready")
metrics_page = make_aiohttp_handler(registry=REGISTRY)


async def healthy(request: web.Request) -> web.Response:
    """`GET /-/healthy`: 200 while the loop and the pipeline move, 503 with the reason otherwise."""
    return _told(request.app[HEALTH]())


async def ready(request: web.Request) -> web.Response:
    """`GET /-/ready`: 200 once the journal is folded and every feed has synced once (or been found unreachable)."""
    return _told(request.app[READY]())


def _told(facts: Facts) -> web.Response:
    return web.Response(status=200 if facts["ok"] else 503, body=msgspec.json.encode(facts), content_type="application/json")
