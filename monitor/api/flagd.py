"""The flagd document with the lease in its targeting: stock evaluators fall to the declared side by themselves when we die.

Every flag has two branches: what it says now, until the lease ends, and what it says to whoever has not heard of us since. A
pause has the same answer in both, since a pause does not expire. flagd's schema v0 and its `$flagd.timestamp` (unix seconds).
"""

import hashlib
import time
from collections.abc import Mapping

import msgspec
from aiohttp import web

from monitor import metrics
from monitor.api.flags import BOARD, unchanged
from monitor.api.hot import Value, value_of
from monitor.breaker.flags import Flag, FlagBoard, OnBlind, Shown
from monitor.config.checks import VIEWS

LEASE: web.AppKey[float] = web.AppKey("lease", float)
_SCHEMA = "https://flagd.dev/schema/v0/flags.json"


def document(board: FlagBoard, lease: float, now: float) -> bytes:
    """All flags as flagd reads them. The lease is renewed every third of its length, so the document changes as often."""
    third = lease / 3
    expires = int(now // third * third + lease)
    flags = {
        f"{flag.integration}.{view}": _leased(flag, view, board.specs[flag.integration].on_blind, expires)
        for flag in board.read().values()
        for view in VIEWS
    }
    return msgspec.json.encode(
        {"$schema": _SCHEMA, "metadata": {"flagSetId": "seawall", "epoch": board.epoch, "lease_expires": expires}, "flags": flags}
    )


def _leased(flag: Flag, view: str, on_blind: OnBlind, expires: int) -> Mapping[str, object]:
    """One view with both of its branches."""
    said, after = value_of(flag, view), _unheard(flag, view, on_blind)
    variants = _VARIANTS.get(view) or {"now": said, "blind": after}
    now_name, after_name = ("now", "blind") if view not in _VARIANTS else (_named(variants, said), _named(variants, after))
    return {
        "state": "ENABLED",
        "variants": variants,
        "defaultVariant": after_name,
        "targeting": {"if": [{"<": [{"var": "$flagd.timestamp"}, expires]}, now_name, after_name]},
        "metadata": {"lease_expires": expires, "revision": flag.revision, "state": str(flag.state), "cause": flag.cause},
    }


def _named(variants: Mapping[str, Value], value: Value) -> str:
    return next(name for name, known in variants.items() if known == value)


_VARIANTS: Mapping[str, Mapping[str, Value]] = {
    "paused": {"paused": True, "clear": False},
    "state": {"run": "run", "pause": "pause", "unknown": "unknown"},
    "level": {"none": "none", "throttle": "throttle", "exits_only": "exits_only", "pause": "pause"},
}
"""The variants of the views that have few values; the others have one for each branch."""


def _unheard(flag: Flag, view: str, on_blind: OnBlind) -> Value:
    """What this view says once the lease has run out: the side that the integration declared, and never less than a pause."""
    if flag.state is Shown.PAUSE:
        return value_of(flag, view)
    if view == "state":
        return str(Shown.UNKNOWN)
    if on_blind is not OnBlind.PAUSE:
        return False if view == "paused" and on_blind is OnBlind.CLEAR else value_of(flag, view)
    closed: dict[str, Value] = {"paused": True, "max_share": 0.0, "risk": 1.0, "level": "pause"}
    return closed[view]


async def flags(request: web.Request) -> web.Response:
    """`GET /flagd/flags.json`, with an ETag of the whole document."""
    body = document(request.app[BOARD], request.app[LEASE], time.time())
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if unchanged(request, tag):
        metrics.FLAG_READS.labels("flagd", "304").inc()
        return web.Response(status=304, headers=headers)
    metrics.FLAG_READS.labels("flagd", "200").inc()
    return web.Response(body=body, content_type="application/json", headers=headers)
