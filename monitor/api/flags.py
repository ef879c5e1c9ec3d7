"""Flags over plain JSON: `GET /v1/flags[/{key}]` with ETag, 304, and freshness in the headers of every answer."""

import msgspec
from aiohttp import web

from monitor import metrics
from monitor.api.documents import Documents
from monitor.api.hot import find, shown, tag_of
from monitor.api.problems import problem
from monitor.api.signing import keys_of
from monitor.breaker.flags import Flag, FlagBoard, Shown

BOARD: web.AppKey[FlagBoard] = web.AppKey("board", FlagBoard)
DOCUMENTS: web.AppKey[Documents] = web.AppKey("documents", Documents)


def unchanged(request: web.Request, tag: str) -> bool:
    """Does the caller already hold this tag? Compared weakly, since proxies add `W/`."""
    return any(known.value in {tag, "*"} for known in request.if_none_match or ())


async def read_all(request: web.Request) -> web.Response:
    """`GET /v1/flags`: every flag."""
    documents = request.app[DOCUMENTS]
    request.app[BOARD].read()  # evaluates what is stale, so that the tag is of now
    version = request.app[BOARD].version
    headers = documents.freshness(version)
    if unchanged(request, version):
        metrics.FLAG_READS.labels("json", "304").inc()
        return web.Response(status=304, headers=headers)
    metrics.FLAG_READS.labels("json", "200").inc()
    return web.Response(body=documents.all(), content_type="application/json", headers=headers)


async def read_one(request: web.Request) -> web.Response:
    """`GET /v1/flags/{key}`: one flag document, or one view of it."""
    documents, key = request.app[DOCUMENTS], request.match_info["key"]
    found = find(request.app[BOARD], key)
    if found is None:
        metrics.FLAG_READS.labels("json", "404").inc()
        return problem(404, "No such flag", f"unknown flag {key!r}: GET /v1/flags lists the known ones")
    flag, view = found
    tag = tag_of(flag, view)
    headers = documents.freshness(tag)
    if unchanged(request, tag):
        metrics.FLAG_READS.labels("json", "304").inc()
        return web.Response(status=304, headers=headers)
    metrics.FLAG_READS.labels("json", "200").inc()
    return web.Response(body=shown(documents, flag, view, key), content_type="application/json", headers=headers)


async def keys(request: web.Request) -> web.Response:
    """`GET /v1/keys`: the public keys that flag documents are signed with; none where nothing is signed."""
    signer = request.app[DOCUMENTS].signer
    return web.Response(
        body=msgspec.json.encode({"keys": [] if signer is None else [keys_of(signer)]}), content_type="application/json"
    )


def reason_of(flag: Flag) -> tuple[str, str]:
    """OpenFeature's (reason, variant). Only reasons that every known client reads as an answer are ever used."""
    if flag.state is Shown.UNKNOWN:
        return "UNKNOWN", "blind"
    return ("TARGETING_MATCH", "paused") if flag.state is Shown.PAUSE else ("STATIC", "clear")
