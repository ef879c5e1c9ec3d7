"""Flags over plain JSON: `GET /v1/flags[/{key}]` with ETag, 304, and freshness in the headers of every answer."""

import msgspec
from aiohttp import web

from monitor import metrics
from monitor.api.documents import DOCUMENTS, Documents
from monitor.api.problems import problem
from monitor.api.signing import keys_of
from monitor.breaker.flags import Flag, FlagBoard, Shown, fingerprint
from monitor.config.checks import VIEWS

BOARD: web.AppKey[FlagBoard] = web.AppKey("board", FlagBoard)
Value = bool | str | float


def value_of(flag: Flag, view: str) -> Value:
    """One view of a flag: `paused` bool, `state` text, `max_share` and `risk` floats 0..1, `level` text."""
    values: dict[str, Value] = {
        "paused": flag.paused,
        "state": str(flag.state),
        "max_share": float(flag.max_share),
        "risk": float(flag.risk),
        "level": flag.level,
    }
    return values[view]


def find(board: FlagBoard, key: str) -> tuple[Flag, str] | None:
    """The flag and view behind a key: an integration id (view `""`), or `<integration>.<view>`. None when there is none."""
    flags = board.read()
    if key in flags:
        return flags[key], ""
    integration, dot, view = key.rpartition(".")
    return (flags[integration], view) if dot and view in VIEWS and integration in flags else None


def unchanged(request: web.Request, tag: str) -> bool:
    """Does the caller already hold this tag? Compared weakly, since proxies add `W/`."""
    return any(known.value in {tag, "*"} for known in request.if_none_match or ())


def tag_of(flag: Flag, view: str) -> str:
    """A tag of one view of a flag, without times and heads."""
    return fingerprint(f"{view}\0{flag.content}")


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


def shown(documents: Documents, flag: Flag, view: str, key: str) -> bytes:
    """A flag's document, or one view of it with the document inside."""
    body = documents.one(flag)
    return msgspec.json.encode({"key": key, "value": value_of(flag, view), "flag": msgspec.Raw(body)}) if view else body


class HotFlags:
    """Answers `GET /v1/flags/{key}` whole, from its head alone; None for whatever is not exactly that."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._ready: dict[bytes, tuple[Flag, bytes, bytes, bytes]] = {}
        self._served = {code: metrics.FLAG_READS.labels("json", code) for code in ("200", "304")}

    def __call__(self, head: bytes) -> bytes | None:
        """The answer's bytes: 304 when the caller's tag is the present one."""
        if not head.startswith(b"GET /v1/flags/"):
            return None
        path, _, rest = head[14:].partition(b" ")
        if not rest.startswith(b"HTTP/1.1\r\n") or (ready := self._of(path)) is None:
            return None
        lowered = rest.lower().replace(b"\r\nconnection: keep-alive", b"")
        if any(name in lowered for name in _ODD):
            return None
        _, tag, hit, miss = ready
        at = lowered.find(b"\r\nif-none-match:")
        if at >= 0 and tag in lowered[at + 16 : lowered.index(b"\r\n", at + 2)]:
            self._served["304"].inc()
            return hit
        self._served["200"].inc()
        return miss

    def _of(self, path: bytes) -> tuple[Flag, bytes, bytes, bytes] | None:
        documents = self._documents
        ready = self._ready.get(path)
        if ready is not None and documents.board.read().get(ready[0].integration) is ready[0]:
            return ready
        try:
            found = find(documents.board, path.decode("ascii"))
        except UnicodeDecodeError:
            return None
        if found is None:
            return None
        flag, view = found
        body, headers = shown(documents, flag, view, path.decode("ascii")), documents.freshness(tag_of(flag, view))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        ready = self._ready[path] = (
            flag,
            headers["ETag"].encode(),
            b"HTTP/1.1 304 Not Modified\r\n" + lines + b"\r\n",
            b"HTTP/1.1 200 OK\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (lines, len(body), body),
        )
        return ready


_ODD = (b"\r\nconnection:", b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nexpect:", b"\r\nupgrade:")
"""Headers that ask for more than the table has; `Connection: keep-alive`, which is no news, is taken out before."""


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
