"""Fees: `GET /v1/gas` lists the chains, `GET /v1/gas/{chain}` forecasts one and advises. Advice only, and never silently old."""

import time
from collections.abc import Mapping

import msgspec
from aiohttp import web

from monitor.api.flags import unchanged
from monitor.api.problems import problem
from monitor.breaker.flags import fingerprint
from monitor.gas.answers import Advised, Inclusion, Oracle, Outlook, Question

ORACLES: web.AppKey[Mapping[str, Oracle]] = web.AppKey("oracles")
TRY_AGAIN = "5"
"""Seconds after which a chain without a forecast may have one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is served: the outlook, how old it is (seconds), the advice, and the inclusion that was asked about."""

    age: float
    advice: Advised
    inclusion: Inclusion | None
    outlook: Outlook


async def chains(request: web.Request) -> web.Response:
    """`GET /v1/gas`: every chain whose fees are forecast, with what is wrong with it."""
    listed = [
        {
            "name": oracle.name, "chain": oracle.chain, "trouble": oracle.trouble if outlook is None else outlook.degraded,
            "block": outlook and outlook.block.number, "next_fee_wei": outlook and outlook.next_fee_wei,
        }
        for oracle in request.app[ORACLES].values()
        for outlook in (oracle.outlook,)
    ]  # fmt: skip
    return web.Response(
        body=msgspec.json.encode({"chains": listed}), content_type="application/json", headers={"Cache-Control": "no-cache"}
    )


async def chain(request: web.Request) -> web.Response:
    """`GET /v1/gas/{chain}`: by the chain's name or its CAIP-2 id; the query is a `Question`."""
    oracles, wanted = request.app[ORACLES], request.match_info["chain"]
    oracle = oracles.get(wanted) or next((one for one in oracles.values() if one.chain == wanted), None)
    if oracle is None:
        return problem(
            404, "No such chain", f"no fees are forecast for {wanted!r}: GET /v1/gas lists the chains that are; "
            "another needs chains.<id>.gas.enabled", known=sorted(oracles),
        )  # fmt: skip
    try:
        question = asked(request.query)
    except ValueError as error:
        return problem(400, "Bad Request", f"GET /v1/gas/{wanted}: {error}")
    outlook = oracle.outlook
    if outlook is None:
        answer = problem(503, "No forecast yet", f"{oracle.name}: {oracle.trouble or 'no block yet'}; try again in a moment")
        answer.headers["Retry-After"] = TRY_AGAIN
        return answer
    tag = fingerprint(f"{msgspec.json.encode(outlook).hex()}\0{question!r}")
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": "no-cache",
        "X-Gas-Block": str(outlook.block.number),
        "X-Gas-As-Of": f"{outlook.seen_at:.3f}",
        "X-Gas-Degraded": "1" if outlook.degraded else "0",
    }
    if unchanged(request, tag):
        return web.Response(status=304, headers=headers)
    advice, inclusion = oracle.advise(question)
    said = Answer(age=max(0.0, time.time() - outlook.seen_at), advice=advice, inclusion=inclusion, outlook=outlook)
    return web.Response(body=_flat(said), content_type="application/json", headers=headers)


def asked(query: Mapping[str, str]) -> Question:
    """The question in a query string. Raises ValueError naming the parameter."""
    known = Question.__struct_fields__
    if strange := [name for name in query if name not in known]:
        raise ValueError(f"unknown parameter {strange[0]!r}; there are {', '.join(known)}")
    try:
        return msgspec.convert(dict(query), Question, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}; deadline and within are blocks, urgency 0..1, cap and tip gwei") from error


def _flat(said: Answer) -> bytes:
    """One object: the outlook's fields beside the rest."""
    facts = msgspec.to_builtins(said, str_keys=True)
    return msgspec.json.encode(facts.pop("outlook") | facts)
