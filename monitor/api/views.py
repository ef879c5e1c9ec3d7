"""What people read about integrations and incidents, as JSON: the breaker's state, its holds, its findings, its history."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import cast

import msgspec
from aiohttp import web

from alerts.window import Window
from detectors.base import Finding
from monitor.api import svg
from monitor.api.flags import BOARD
from monitor.api.problems import problem
from monitor.breaker.actuators.base import Readiness
from monitor.breaker.desk import Made
from monitor.breaker.holds import Decision, strictest
from monitor.breaker.machine import Breaker
from monitor.breaker.shadows import WouldPause
from monitor.breaker.sightings import Sighting
from monitor.breaker.timing import Acknowledged, Timing


def _none_seen() -> Mapping[str, Sighting]:
    return MappingProxyType({})


class Sources(msgspec.Struct, frozen=True):
    """Where the views read: the breakers, the decisions in force (oldest first), and what is known of each chain."""

    breakers: Callable[[], Mapping[str, Breaker]]
    made: Callable[[], Iterable[Made]]
    chains: Callable[[], Mapping[str, Mapping[str, object]]]
    contracts: Mapping[str, tuple[str, ...]]
    window: Callable[[str], Window | None] = lambda _: None
    timing: Callable[[str], Timing | None] = lambda _: None
    taken_up: Callable[[str], Acknowledged | None] = lambda _: None
    exit: Callable[[str], Readiness | None] = lambda _: None
    sightings: Callable[[], Mapping[str, Sighting]] = _none_seen
    would: Callable[[], Iterable[WouldPause]] = tuple


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
        "pause_target": sources.exit(name),
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


def told(made: Made, breaker: Breaker, sightings: Mapping[str, Sighting]) -> dict[str, object]:
    """A decision as an incident: what changed, why, on which evidence, at which revision, what was seen, what became of that."""
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
        "level": level_of(decision),
        "page": decision.page,
        "sightings": {finding.id: sightings[finding.id] for finding in decision.findings if finding.id in sightings},
    }


def level_of(decision: Decision) -> str | None:
    """How much the holds that it placed take away; None when it placed none."""
    return strictest(decision.place)


def evidence(made: Made, breaker: Breaker) -> dict[str, dict[str, object]]:
    """What the chain makes of the decision's findings by now, by id: the stage, since when, whether and why retracted."""
    now = {finding.id: finding for finding in breaker.findings}
    back = {news.finding.id: news for news in breaker.retracted}
    found: dict[str, dict[str, object]] = {}
    for finding in made.decision.findings:
        known, news = now.get(finding.id, finding), back.get(finding.id)
        found[finding.id] = {
            "stage": known.stage,
            "at": known.at,
            "block": known.position.height if known.position is not None else None,
            "orphaned": finding.id in breaker.orphans,
            "retracted_at": news.at if news is not None and finding.id not in now else None,
            "why": news.reason if news is not None and finding.id not in now else "",
        }
    return found


def noted(finding: Finding, breaker: Breaker, sightings: Mapping[str, Sighting]) -> dict[str, object]:
    """A finding that changed no flag, as an incident of the same shape: before and after are the same, nobody decided."""
    nothing = Decision(
        id=finding.id, integration=breaker.integration, before=breaker.state, after=breaker.state, at=finding.at,
        reason=finding.title, by=f"detector:{finding.detector}", findings=(finding,),
    )  # fmt: skip
    return told(Made(nothing, breaker, breaker.revision), breaker, sightings)


def look_up(
    wanted: str, made: Iterable[Made], breakers: Mapping[str, Breaker], sightings: Mapping[str, Sighting]
) -> dict[str, object] | None:
    """The incident of this id: a decision's, or that of the first decision (or note) of a finding. None: not among these."""
    for one in made:
        if one.decision.id == wanted or any(finding.id == wanted for finding in one.decision.findings):
            name = one.decision.integration
            return told(one, breakers.get(name) or Breaker(integration=name), sightings)
    for breaker in breakers.values():
        for finding in breaker.findings:
            if finding.id == wanted:
                return noted(finding, breaker, sightings)
    return None


async def incidents(request: web.Request) -> web.Response:
    """`GET /v1/incidents`: decisions, newest first."""
    sources = request.app[SOURCES]
    breakers, seen = sources.breakers(), sources.sightings()
    newest = reversed(list(sources.made()))
    shown = [told(one, breakers.get(n := one.decision.integration) or Breaker(integration=n), seen) for one in newest]
    return _json({"incidents": [one | {"acknowledged": sources.taken_up(str(one["id"]))} for one in shown]})


def _found(request: web.Request) -> dict[str, object] | None:
    sources = request.app[SOURCES]
    return look_up(request.match_info["id"], sources.made(), sources.breakers(), sources.sightings())


def _unknown(request: web.Request) -> web.Response:
    wanted = request.match_info["id"]
    return problem(404, "No such incident", f"no decision or finding {wanted!r} among the newest; the journal has the older ones")


async def incident(request: web.Request) -> web.Response:
    """`GET /v1/incidents/{id}`: by the decision's id, or by a finding's."""
    found = _found(request)
    if found is None:
        return _unknown(request)
    sources, key = request.app[SOURCES], str(found["id"])
    return _json(found | {"timing": sources.timing(key), "acknowledged": sources.taken_up(key)})


async def tree(request: web.Request) -> web.Response:
    """`GET /v1/incidents/{id}/tree.svg`: the call path of the incident, or of the finding where the id is one's."""
    found, wanted, seen = _found(request), request.match_info["id"], request.app[SOURCES].sightings()
    if found is None:
        return _unknown(request)
    findings = cast("tuple[Finding, ...]", found["findings"])
    for finding in sorted(findings, key=lambda f: (f.id != wanted, -f.confidence)):
        sighting = seen.get(finding.id)
        if sighting is not None and sighting.tree is not None:
            return web.Response(body=svg.drawn(sighting.tree, finding), content_type="image/svg+xml", headers=svg.HEADERS)
    return problem(404, "No call path", f"incident {wanted!r} rests on no execution whose path was kept")
