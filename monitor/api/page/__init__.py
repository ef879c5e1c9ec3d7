"""The page: one screen that answers "may we use it, and why not?". Rendered here; the browser only asks for the board again."""

import hashlib
import re
import time
from base64 import b64encode
from html import escape
from pathlib import Path

from aiohttp import web

from monitor.api.gas import ORACLES
from monitor.api.live import Audience, listening
from monitor.api.page import fees, incidents
from monitor.api.page.board import render
from monitor.api.page.story import Known, stories
from monitor.api.page.view import View
from monitor.api.page.words import when
from monitor.api.problems import problem
from monitor.api.views import Sources
from monitor.breaker.flags import FlagBoard
from monitor.breaker.machine import Breaker

_HERE = Path(__file__).parent
_ASSETS = {
    "page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml", "fees.js": "text/javascript",
    "orders.js": "text/javascript", "vendor/uplot.js": "text/javascript", "vendor/uplot.css": "text/css",
}  # fmt: skip
"""`vendor/` is uPlot 1.6.32 as published, MIT, its licence beside it: a chart must not need a build step."""
_BYTES = {name: (_HERE / name).read_bytes() for name in _ASSETS}
_PAGE, _ORDERS = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.html", "orders.html"))
_PLACE = re.compile(r"\{\{([\w./]+)\}\}")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

MOMENT = 0.25
"""Seconds for which the board is good once it is made, unless something changes: many browsers cost as much as one."""

LATELY = 64
"""Newest decisions that are looked at for somebody who takes them up."""


def _integrity(name: str) -> str:
    return "sha384-" + b64encode(hashlib.sha384(_BYTES[name]).digest()).decode()


_INTEGRITY = {name: _integrity(name) for name in _ASSETS}
_SCRIPT = f'<script type="module" src="/page/orders.js" integrity="{_INTEGRITY["orders.js"]}"></script>'
_LINKS = {"/v1/flags": "flags", "/v1/incidents": "incidents", "/v1/gas": "fees", "/metrics": "metrics", "/-/ready": "ready"}
_FOOTER = (
    " ".join(f'<a href="{where}">{what}</a>' for where, what in _LINKS.items())
    + " <span>Orders are given on the admin listener's page, or with <code>seawall pause</code>.</span>"
)


class Screen:
    """What the page shows, made when somebody asks. `acting`: orders can be given from it, as on the admin listener."""

    def __init__(self, flags: FlagBoard, sources: Sources, *, acting: bool = False) -> None:
        self._flags = flags
        self._sources = sources
        self.acting = acting
        self._made: tuple[tuple[object, ...], float, str] = ((), 0.0, "")

    def view(self) -> View:
        """The daemon as it is now."""
        sources = self._sources
        breakers = sources.breakers()
        known = Known(sources.timing, sources.taken_up, lambda name: breakers.get(name) or Breaker(integration=name))
        return View(
            now=time.time(), flags=self._flags.read(), breakers=breakers, stories=stories(sources.made()), known=known,
            chains=sources.chains(), sightings=sources.sightings(),
            would=tuple(sources.would()), exit=sources.exit, acting=self.acting,
        )  # fmt: skip

    def board(self) -> str:
        """The board, made anew when what it shows has changed or a moment has passed."""
        self._flags.read()  # evaluates what is stale, so that the version is of now
        now, state = time.monotonic(), (self._flags.version, *self.state())
        known, at, text = self._made
        if state != known or now - at > MOMENT:
            text = render(self.view())
            self._made = (state, now, text)
        return text

    def state(self) -> tuple[object, ...]:
        """All that it shows besides flags, ages and fees: breakers, the newest decision, who took up which of the newest."""
        made = list(self._sources.made())[-LATELY:]
        taken_up = (self._sources.taken_up(one.decision.id) for one in made)
        return (*self._sources.breakers().values(), *made[-1:], *taken_up, *self._sources.would())

    def incident(self, wanted: str) -> str | None:
        """One incident, by the id of any of its decisions or findings; None when it is not among the newest."""
        view = self.view()
        for story in view.stories:
            if story.about(wanted):
                return incidents.whole(story, view, self._sources.window(story.id))
        for name, breaker in view.breakers.items():
            for finding in breaker.findings:
                if finding.id == wanted:
                    return incidents.unheeded(name, finding, view)
        return None


SCREEN: web.AppKey[Screen] = web.AppKey("screen", Screen)
AUDIENCE: web.AppKey[Audience] = web.AppKey("page_audience", Audience)


async def home(request: web.Request) -> web.Response:
    """`GET /`: the whole page, complete without any script."""
    oracles = request.app[ORACLES].values()
    return _page(request, request.app[SCREEN].board(), "/board", fees.render(oracles), fees.places(oracles))


async def board(request: web.Request) -> web.Response:
    """`GET /board`: what the page shows, without the page around it."""
    return _html(request.app[SCREEN].board())


async def incident(request: web.Request) -> web.Response:
    """`GET /incidents/{id}`: one incident on a page of its own, by the id of any of its decisions or findings."""
    wanted = request.match_info["id"]
    shown = request.app[SCREEN].incident(wanted)
    return _unknown(wanted) if shown is None else _page(request, shown, f"/board/incidents/{wanted}")


async def incident_board(request: web.Request) -> web.Response:
    """`GET /board/incidents/{id}`: the same without the page around it."""
    wanted = request.match_info["id"]
    shown = request.app[SCREEN].incident(wanted)
    return _unknown(wanted) if shown is None else _html(shown)


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /board/events`: "fetch again", on every change of a flag and of whatever else the page tells."""
    return await listening(request, request.app[AUDIENCE])


async def fee_tables(request: web.Request) -> web.Response:
    """`GET /board/fees`: the fees, without the page around them."""
    return _html(fees.render(request.app[ORACLES].values()))


async def asset(request: web.Request) -> web.Response:
    """`GET /page/{name}`: one of the page's own files."""
    name = request.match_info["name"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    return web.Response(body=_BYTES[name], content_type=_ASSETS[name], charset="utf-8", headers=HEADERS)


def _page(request: web.Request, shown: str, source: str, tables: str = "", fans: str = "") -> web.Response:
    acting, now = request.app[SCREEN].acting, time.time()
    places = {
        "board": shown, "source": escape(source), "fees": tables, "fans": fans, "clock": when(now, now),
        "orders": _ORDERS if acting else "",
        "acting": _SCRIPT if acting else "",
        "footer": '<a href="/openapi.json">every route</a>' if acting else _FOOTER,
        **_INTEGRITY,
    }  # fmt: skip
    return _html(_PLACE.sub(lambda place: places[place[1]], _PAGE))


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


def _unknown(wanted: str) -> web.Response:
    return problem(
        404, "No such incident", f"no decision or finding {wanted!r} among the newest; `seawall explain` finds it in the journal"
    )
