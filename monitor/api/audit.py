"""The journal over HTTP: where it stands, and its records as they were sealed, a page at a time, for whoever keeps a copy."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from monitor.api.operators import authorised
from monitor.api.problems import problem
from monitor.errors import JournalError
from monitor.journal.base import Journal, Record

JOURNAL: web.AppKey[Journal] = web.AppKey("journal")
MOST = 500
"""Records a page."""


class Page(msgspec.Struct, frozen=True):
    """Which records are asked for."""

    start: Annotated[int, msgspec.Meta(ge=0, lt=10**18)] = msgspec.field(default=1, name="from")


async def audit(request: web.Request) -> web.Response:
    """`GET /v1/audit?from=SEQUENCE`: epoch, head, and up to 500 records from there on, each with its hash and the one before."""
    token = authorised(request, "audit")
    if isinstance(token, web.Response):
        return token
    start = request.query.get("from", "1")
    if not start.isdecimal() or len(start) > 18:
        return problem(400, "Bad Request", f"{request.path}: from must be a record's sequence, not {start[:40]!r}")
    journal = request.app[JOURNAL]
    try:
        records = await asyncio.to_thread(_page, journal, int(start))
    except JournalError as error:
        return problem(503, "Journal unavailable", f"{request.path}: {error}")
    facts = {"epoch": journal.epoch, "head": journal.head, "records": records}
    return web.Response(body=msgspec.json.encode(facts), content_type="application/json")


def _page(journal: Journal, start: int) -> list[dict[str, object]]:
    shown = []
    for record in journal.read(start):
        shown.append(shape(record))
        if len(shown) == MOST:
            break
    return shown


def shape(record: Record) -> dict[str, object]:
    """A record as JSON, its body exactly the bytes that were hashed."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "body"}
    return fields | {"body": msgspec.Raw(record.body)}
