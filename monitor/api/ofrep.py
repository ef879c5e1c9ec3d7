"""OFREP 0.3: any OpenFeature client reads the flags, and every known quirk of those clients is met generously."""

import msgspec
from aiohttp import web

from monitor import metrics
from monitor.api.flags import BOARD, DOCUMENTS, reason_of, unchanged
from monitor.api.hot import find, tag_of, value_of
from monitor.breaker.flags import Flag
from monitor.config.checks import VIEWS

_INACTIVITY_SECONDS = 120
_MOST_BRACKETS = 1000
"""Far beyond any honest context. Not left to the recursion limit: importing eth_account lifts it to 100,000 (py_ecc does), where
one deep body overruns the C stack and takes the process with it."""


def evaluation(flag: Flag, view: str) -> dict[str, object]:
    """One successful evaluation; `metadata` is flat, since clients refuse nested values."""
    reason, variant = reason_of(flag)
    metadata: dict[str, object] = {
        "state": str(flag.state),
        "breaker": str(flag.breaker),
        "level": flag.level,
        "why": flag.reason,
        "since": flag.since,
        "cause": flag.cause,
        "chain": flag.chain,
        "revision": flag.revision,
        "epoch": flag.epoch,
        "valid_for": flag.valid_for,
        "pending": flag.pending,
    }
    if flag.observed_block is not None:
        metadata |= {"observed_block": flag.observed_block.number, "observed_hash": flag.observed_block.hash}
    return {
        "key": f"{flag.integration}.{view}",
        "value": value_of(flag, view),
        "reason": reason,
        "variant": variant,
        "metadata": metadata,
    }


def refusal(status: int, code: str, details: str, key: str | None = None) -> web.Response:
    """An OFREP error: JSON with `errorCode`, `errorDetails`, `metadata`, and `key` on the single route."""
    body: dict[str, object] = {"errorCode": code, "errorDetails": details, "metadata": {}}
    if key is not None:
        body = {"key": key, **body}
    metrics.FLAG_READS.labels("ofrep", str(status)).inc()
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


async def _context_fault(request: web.Request) -> str | None:
    """What is wrong with the body, or None. An empty body, a missing targetingKey and a missing content type are all fine."""
    raw = await request.read()
    if not raw.strip():
        return None
    if raw.count(b"[") + raw.count(b"{") > _MOST_BRACKETS:
        return "the body nests too deep"
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"the body is not JSON: {error}"
    except RecursionError:
        return "the body nests too deep"
    if not isinstance(body, dict) or not isinstance(body.get("context"), dict | None):
        return 'the body must be an object with an object "context"'
    return None


async def evaluate_one(request: web.Request) -> web.Response:
    """`POST /ofrep/v1/evaluate/flags/{key}`."""
    board, key = request.app[BOARD], request.match_info["key"]
    if fault := await _context_fault(request):
        return refusal(400, "PARSE_ERROR", fault, key)
    found = find(board, key)
    if found is None:
        return refusal(404, "FLAG_NOT_FOUND", f"unknown flag {key}", key)
    flag, view = found
    metrics.FLAG_READS.labels("ofrep", "200").inc()
    body = msgspec.json.encode({**evaluation(flag, view or "paused"), "key": key})
    return web.Response(body=body, content_type="application/json", headers=request.app[DOCUMENTS].freshness(tag_of(flag, view)))


async def evaluate_all(request: web.Request) -> web.Response:
    """`POST /ofrep/v1/evaluate/flags`: bulk, with ETag and the announcement of the change stream."""
    board = request.app[BOARD]
    if fault := await _context_fault(request):
        return refusal(400, "PARSE_ERROR", fault)
    flags = board.read()
    headers = request.app[DOCUMENTS].freshness(board.version)
    if unchanged(request, board.version):
        metrics.FLAG_READS.labels("ofrep", "304").inc()
        return web.Response(status=304, headers=headers)
    stream = {"type": "sse", "endpoint": {"requestUri": "/v1/events"}, "inactivityDelaySec": _INACTIVITY_SECONDS}
    body = {
        "flags": [evaluation(flag, view) for flag in flags.values() for view in VIEWS],
        "metadata": {"epoch": board.epoch, "version": board.version},
        "eventStreams": [stream],
    }
    metrics.FLAG_READS.labels("ofrep", "200").inc()
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", headers=headers)
