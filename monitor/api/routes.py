"""Every route of both listeners, once: what serves it, what it takes, what it answers. Servers and OpenAPI are made of it."""

from functools import cache

from aiohttp import web

from alerts.window import Window
from monitor.api import (
    audit,
    flagd,
    flags,
    health,
    live,
    ofrep,
    openapi,
    operators,
    page,
    reconciling,
    reload,
    replies,
    shapes,
    views,
)
from monitor.api import gas as fees
from monitor.api import status as whole
from monitor.api.openapi import Route
from monitor.breaker.flags import Flag
from monitor.breaker.timing import Acknowledged
from monitor.gas.answers import Question

JSON, HTML, SVG, TEXT, STREAM = "application/json", "text/html", "image/svg+xml", "text/plain", "text/event-stream"


PAGE = (
    Route("GET", "/", page.home, media=HTML),
    Route("GET", "/board", page.board, media=HTML),
    Route("GET", "/board/events", page.events, media=STREAM),
    Route("GET", "/board/fees", page.fee_tables, media=HTML),
    Route("GET", "/board/incidents/{id}", page.incident_board, media=HTML),
    Route("GET", "/incidents/{id}", page.incident, media=HTML),
    Route("GET", "/page/{name:.+}", page.asset, media="*/*"),
    Route("GET", "/v1/incidents/{id}", views.incident, shapes.Incident),
    Route("GET", "/v1/incidents/{id}/window", reconciling.window, Window),
    Route("GET", "/v1/incidents/{id}/tree.svg", views.tree, media=SVG),
    Route("GET", "/v1/gas/{chain}", fees.chain, shapes.Forecast, query=Question, tagged=True),
)
"""The page, and what it asks for: on the read listener, and on the admin listener with orders to give."""

READ = (
    *PAGE,
    Route("GET", "/v1/events", live.stream, media=STREAM),
    Route("GET", "/v1/flags", flags.read_all, shapes.Flags, tagged=True),
    Route("GET", "/v1/flags/{key:.+}", flags.read_one, (Flag, shapes.View), tagged=True),
    Route("GET", "/v1/keys", flags.keys, shapes.KeySet),
    Route("GET", "/flagd/flags.json", flagd.flags, shapes.FlagdDocument, tagged=True),
    Route(
        "POST", "/ofrep/v1/evaluate/flags", ofrep.evaluate_all, shapes.Evaluations, body=shapes.Context, open_body=True,
        tagged=True, fault=shapes.NotEvaluated,
    ),
    Route(
        "POST", "/ofrep/v1/evaluate/flags/{key:.+}", ofrep.evaluate_one, shapes.Evaluation, body=shapes.Context, open_body=True,
        fault=shapes.NotEvaluated,
    ),
    Route("GET", "/v1/integrations", views.integrations, shapes.Integrations),
    Route("GET", "/v1/integrations/{id}", views.integration, shapes.IntegrationView),
    Route("GET", "/v1/incidents", views.incidents, shapes.Incidents),
    Route("GET", "/v1/gas", fees.chains, shapes.GasChains),
    Route("GET", "/-/healthy", health.healthy, shapes.Health, fault=shapes.Health),
    Route("GET", "/-/ready", health.ready, shapes.Ready, fault=shapes.Ready),
    Route("GET", "/metrics", health.metrics_page, media=TEXT),
)  # fmt: skip
"""The read listener's: not one of them changes anything."""

_DONE = (operators.Done, shapes.ManyDone)

ADMIN = (
    Route(
        "POST", "/v1/integrations/{id}/pause", operators.pause, _DONE, body=operators.PauseOrder, scope="pause",
        asks=("Idempotency-Key",),
    ),
    Route(
        "POST", "/v1/integrations/{id}/resume", operators.resume, _DONE, body=operators.ResumeOrder, scope="resume",
        accepted=shapes.Asked, asks=("If-Match",),
    ),
    Route(
        "POST", "/v1/integrations/{id}/override", operators.override, _DONE, body=operators.OverrideOrder, scope="resume",
        accepted=shapes.Asked, asks=("If-Match",),
    ),
    Route(
        "POST", "/v1/incidents/{id}/acknowledge", operators.acknowledge, Acknowledged, body=operators.Acknowledgement,
        scope="pause",
    ),
    Route("GET", "/v1/approvals", operators.approvals, shapes.Approvals, scope="resume"),
    Route("POST", "/v1/approvals/{id}", operators.approve, operators.Done, body=operators.Approval, scope="resume"),
)  # fmt: skip
RELOAD = Route("POST", "/-/reload", reload.reload, reload.Reloaded, scope="reload")
AUDIT = Route("GET", "/v1/audit", audit.audit, shapes.AuditPage, query=audit.Page, scope="audit")
REPLY = Route("POST", "/v1/replies/{receiver}", replies.reply, shapes.Replied, open_body=True, signed=True)
"""The admin listener's; the last three only where there is something to reload, a journal to read, a pager to be replied to."""


async def document(_: web.Request) -> web.Response:
    """`GET /openapi.json`: both listeners' routes, as OpenAPI 3.1."""
    return web.Response(body=described(), content_type=JSON, headers={"Cache-Control": "no-cache"})


OPENAPI = Route("GET", "/openapi.json", document)
"""On both listeners."""

STATUS = Route("GET", "/-/status", whole.status, whole.Status)
"""On the read listener of a whole daemon."""

EVERY = (*READ, STATUS, *ADMIN, RELOAD, AUDIT, REPLY, OPENAPI)


@cache
def described() -> bytes:
    """The document, made when it is first asked for: few ask, and every start would pay for it."""
    return openapi.document(EVERY)
