"""The hot question, answered whole from its head: one flag, a view of one, or all of them. Nothing of a web framework is needed.

So a daemon that starts can answer it long before the rest of it is loaded.
"""

import msgspec

from monitor import metrics
from monitor.api.documents import Documents
from monitor.api.door import Reply
from monitor.breaker.flags import Flag, FlagBoard, fingerprint
from monitor.config.checks import VIEWS

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


def tag_of(flag: Flag, view: str) -> str:
    """A tag of one view of a flag, without times and heads."""
    return fingerprint(f"{view}\0{flag.content}")


def shown(documents: Documents, flag: Flag, view: str, key: str) -> bytes:
    """A flag's document, or one view of it with the document inside."""
    body = documents.one(flag)
    return msgspec.json.encode({"key": key, "value": value_of(flag, view), "flag": msgspec.Raw(body)}) if view else body


class Ready(msgspec.Struct, frozen=True, gc=False):
    """Both answers to one question: `hit` to who has the present tag, `miss` to everybody else. `made_of` is what they say."""

    made_of: object
    integration: str
    tag: bytes
    hit: bytes
    miss: bytes


class HotFlags:
    """Answers `GET /v1/flags[/{key}]` from its head alone; None for whatever is not exactly that."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._ready: dict[bytes, Ready] = {}
        self._served = {code: metrics.FLAG_READS.labels("json", code) for code in ("200", "304")}

    def __call__(self, head: bytes) -> Reply | None:
        """The answer: 304 when the caller's tag is the present one."""
        if not head.startswith(b"GET /v1/flags"):
            return None
        path, _, rest = head[13:].partition(b" ")
        if not rest.startswith(b"HTTP/1.1\r\n") or (ready := self._of(path)) is None:
            return None
        lowered = rest.lower()
        if last := _LAST in lowered:
            lowered = lowered.replace(_LAST, b"\r\n", 1)
        if odd(lowered):
            return None
        at = lowered.find(b"\r\nif-none-match:")
        known = at >= 0 and ready.tag in lowered[at + 16 : lowered.index(b"\r\n", at + 2)]
        self._served["304" if known else "200"].inc()
        answer = ready.hit if known else ready.miss
        return Reply(answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1) if last else answer, last)

    def _of(self, path: bytes) -> Ready | None:
        """`path` is what follows `/v1/flags`."""
        if not path:
            return self._whole()
        documents = self._documents
        ready = self._ready.get(path)
        if ready is not None and documents.board.read().get(ready.integration) is ready.made_of:
            return ready
        try:
            key = path.decode("ascii")
        except UnicodeDecodeError:
            return None
        found = find(documents.board, key[1:]) if key[0] == "/" else None
        if found is None:
            return None
        flag, view = found
        ready = self._ready[path] = self._made(flag, tag_of(flag, view), shown(documents, flag, view, key[1:]))
        return ready

    def _whole(self) -> Ready:
        """All of them in one document."""
        body = self._documents.all()
        ready = self._ready.get(b"")
        if ready is None or ready.made_of is not body:
            ready = self._ready[b""] = self._made(body, self._documents.board.version, body)
        return ready

    def _made(self, made_of: Flag | bytes, tag: str, body: bytes) -> Ready:
        headers = self._documents.freshness(tag)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        return Ready(
            made_of,
            made_of.integration if isinstance(made_of, Flag) else "",
            headers["ETag"].encode(),
            b"HTTP/1.1 304 Not Modified\r\n" + lines + b"\r\n",
            b"HTTP/1.1 200 OK\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (lines, len(body), body),
        )


def odd(lowered: bytes) -> bool:
    r"""Do these headers, in lower case, ask for more than a plain answer? To keep the connection alive is nothing more.

    >>> odd(b"\r\nhost: x\r\nconnection: keep-alive\r\n\r\n"), odd(b"\r\nconnection: upgrade\r\n\r\n")
    (False, True)
    """
    lowered = lowered.replace(b"\r\nconnection: keep-alive\r\n", b"\r\n")
    return any(name in lowered for name in _ODD)


_LAST = b"\r\nconnection: close\r\n"
_ODD = (b"\r\nconnection:", b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nexpect:", b"\r\nupgrade:")
