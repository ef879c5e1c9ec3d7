"""What a payment service reconciles after a pause: `GET /v1/incidents/{id}/window`, from memory."""

import msgspec
from aiohttp import web

from monitor.api.problems import problem
from monitor.api.views import SOURCES


async def window(request: web.Request) -> web.Response:
    """`GET /v1/incidents/{id}/window`: by the id of any decision of the incident, or of a finding that one rests on."""
    sources, wanted = request.app[SOURCES], request.match_info["id"]
    about = (
        one.decision.id
        for one in sources.made()
        if one.decision.id == wanted or any(finding.id == wanted for finding in one.decision.findings)
    )
    found = sources.window(next(about, wanted))
    if found is None:
        detail = f"no incident {wanted!r} among the newest that paused anything: GET /v1/incidents lists them"
        return problem(404, "No such window", detail)
    return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers={"Cache-Control": "no-cache"})
