"""The page: one screen that answers "may we use it, and why not?". Rendered here; the browser only asks for the board again."""

import hashlib
from base64 import b64encode
from pathlib import Path

from aiohttp import web

from monitor.api.flags import BOARD
from monitor.api.gas import ORACLES
from monitor.api.page import fees
from monitor.api.page.board import render
from monitor.api.views import SOURCES

_HERE = Path(__file__).parent
_ASSETS = {
    "page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml", "fees.js": "text/javascript",
    "vendor/uplot.js": "text/javascript", "vendor/uplot.css": "text/css",
}  # fmt: skip
"""`vendor/` is uPlot 1.6.32 as published, MIT, its licence beside it: a chart must not need a build step."""
_BYTES = {name: (_HERE / name).read_bytes() for name in _ASSETS}
_HTML = (_HERE / "page.html").read_text(encoding="utf-8")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _integrity(name: str) -> str:
    return "sha384-" + b64encode(hashlib.sha384(_BYTES[name]).digest()).decode()


async def home(request: web.Request) -> web.Response:
    """`GET /`: the whole page, complete without any script."""
    text = _HTML
    for name in _ASSETS:
        text = text.replace(f"{{{{{name}}}}}", _integrity(name))
    oracles = request.app[ORACLES].values()
    for place, made in (("fans", fees.places(oracles)), ("fees", fees.render(oracles)), ("board", _board(request))):
        text = text.replace(f"{{{{{place}}}}}", made)
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


async def board(request: web.Request) -> web.Response:
    """`GET /board`: what the page shows, without the page around it."""
    return web.Response(text=_board(request), content_type="text/html", headers=HEADERS)


async def fee_tables(request: web.Request) -> web.Response:
    """`GET /board/fees`: the fees, without the page around them."""
    return web.Response(text=fees.render(request.app[ORACLES].values()), content_type="text/html", headers=HEADERS)


async def asset(request: web.Request) -> web.Response:
    """`GET /page/{name}`: one of the page's own files."""
    name = request.match_info["name"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    return web.Response(body=_BYTES[name], content_type=_ASSETS[name], charset="utf-8", headers=HEADERS)


def _board(request: web.Request) -> str:
    sources = request.app[SOURCES]
    return render(request.app[BOARD].read(), sources.breakers(), list(sources.made()), sources.chains(), sources.sightings())
