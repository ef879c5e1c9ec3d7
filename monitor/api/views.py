"""What people read about integrations and incidents, as JSON: the breaker's state, its holds, its findings, its history."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from aiohttp import web

from monitor.api.flags import BOARD
from monitor.api.problems import problem
from monitor.breaker.desk import Made
from monitor.breaker.machine import Breaker


class Sources(msgspec.Struct, frozen=True):
    """Where the views read: the breakers, the decisions in force (oldest first), and what is known of each chain."""

    breakers: Callable[[], Mapping[str, Breaker]]
    made: Callable[[], Iterable[Made]]
    chains: Callable[[], Mapping[str, Mapping[str, object]]]
    contracts: Mapping[str, tuple[str, ...]]


SOURCES: web.AppKey[Sources] = web.AppKey("sources", Sources)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-cache"})


def described(request: web.Request, name: str) -> dict[str, object]:
    """One integration in full."""
    sources, flag = request.app[SOURCES], request.app[BOARD].read()[name]
    breaker = sources.breakers().get(name) or Breaker(integration=name)
    return {
        "integration": name,
        "flag": flag,
        "contracts": sources.contracts.get(name, ()),
        "holds": list(breaker.holds.values()),
        "findings": list(breaker.findings),
        "orphans": breaker.orphans,
        "retracted": list(breaker.retracted),
        "trips": breaker.trips,
    }


async def integrations(request: web.Request) -> web.Response:
    """`GET /v1/integrations`."""
    return _json({"integrations": [described(request, name) for name in request.app[BOARD].read()]})


async def integration(request: web.Request) -> web.Response:
    """`GET /v1/integrations/{id}`."""
    name = request.match_info["id"]
    if name not in request.app[BOARD].specs:
        return problem(404, "No such integration", f"unknown integration {name!r}: GET /v1/integrations lists the known ones")
    return _json(described(request, name))


def told(made: Made, breaker: Breaker) -> dict[str, object]:
    """A decision as an incident: what changed, why, on which evidence, at which revision, and what became of that."""
    decision = made.decision
    return {
        "id": decision.id,
        "integration": decision.integration,
        "before": decision.before,
        "after": decision.after,
        "at": decision.at,
        "reason": decision.reason,
        "by": decision.by,
        "shadow": decision.shadow,
        "revision": made.revision,
        "findings": decision.findings,
        "evidence": evidence(made, breaker),
    }


def evidence(made: Made, breaker: Breaker) -> dict[str, dict[str, object]]:
    """What the chain makes of the decision's findings by now, by id: the stage, and whether and why it was retracted."""
    now = {finding.id: finding for finding in breaker.findings}
    back = {news.finding.id: news for news in breaker.retracted}
    found: dict[str, dict[str, object]] = {}
    for finding in made.decision.findings:
        known, news = now.get(finding.id, finding), back.get(finding.id)
        found[finding.id] = {
            "stage": known.stage,
            "block": known.position.height if known.position is not None else None,
            "orphaned": finding.id in breaker.orphans,
            "retracted_at": news.at if news is not None and finding.id not in now else None,
            "why": news.reason if news is not None and finding.id not in now else "",
        }
    return found


def _incident(request: web.Request, made: Made) -> dict[str, object]:
    name = made.decision.integration
    return told(made, request.app[SOURCES].breakers().get(name) or Breaker(integration=name))


async def incidents(request: web.Request) -> web.Response:
    """`GET /v1/incidents`: decisions, newest first."""
    return _json({"incidents": [_incident(request, made) for made in reversed(list(request.app[SOURCES].made()))]})


async def incident(request: web.Request) -> web.Response:
    """`GET /v1/incidents/{id}`: by the decision's id, or by a finding's."""
    wanted = request.match_info["id"]
    for made in request.app[SOURCES].made():
        if made.decision.id == wanted or any(finding.id == wanted for finding in made.decision.findings):
            return _json(_incident(request, made))
    return problem(404, "No such incident", f"no decision or finding {wanted!r} among the newest; the journal has the older ones")
