"""Calls to a running daemon, on the standard library alone: a health check must not load a web client.

The bearer token never follows a redirect and never passes a proxy from the environment.
"""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import IO, Any

from monitor.errors import ConfigError, SeawallError

READ_URL, ADMIN_URL, TOKEN = "SEAWALL_URL", "SEAWALL_ADMIN_URL", "SEAWALL_TOKEN"
READ_AT, ADMIN_AT = "http://127.0.0.1:8080", "http://127.0.0.1:8081"
ANSWERS_WITHIN = 5.0
STREAM_SILENT_AFTER = 25.0
"""Seconds; the daemon's change stream says something at least every ten."""

MOST_BYTES = 16 * 1024 * 1024
Facts = dict[str, Any]
"""A JSON object as the daemon answered it."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: whoever answers with one would be sent the token."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Refuse; urllib then raises the redirect as an HTTPError."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


class Refused(SeawallError):
    """The daemon answered with an error. `status` is HTTP's, `facts` what it said (a problem document or a health report)."""

    def __init__(self, message: str, status: int, facts: Facts) -> None:
        super().__init__(message)
        self.status = status
        self.facts = facts


def read_base(url: str | None) -> str:
    """Where flags are read: `url`, else SEAWALL_URL, else the default port on loopback. Raises ConfigError when it is no URL."""
    return _base("--url", url) if url else _base(READ_URL, os.environ.get(READ_URL) or READ_AT)


def admin_base() -> str:
    """Where orders go: SEAWALL_ADMIN_URL, else the default port on loopback. Raises ConfigError when it is no URL."""
    return _base(ADMIN_URL, os.environ.get(ADMIN_URL) or ADMIN_AT)


def _base(source: str, url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError([f"{source}: not an http(s) URL: {url!r}"])
    return url.rstrip("/")


def get(base: str, path: str) -> Facts:
    """GET a JSON object. Raises Refused on an error status, SeawallError when there is no answer or no JSON."""
    return _object(urllib.request.Request(base + path), "say where with --url or SEAWALL_URL")  # noqa: S310 - `_base` admits http(s) only


def order(integration: str, action: str, body: Mapping[str, object], revision: int | None = None) -> Facts:
    """POST an order to the admin listener. `revision` refuses a race: the order holds only for that state.

    Raises ConfigError without a token, Refused when the daemon says no, SeawallError when it says nothing.
    """
    scope = "pause" if action == "pause" else "resume"
    return _posted(f"/v1/integrations/{urllib.parse.quote(integration, safe='')}/{action}", body, scope, revision)


def approve(request: str, body: Mapping[str, object]) -> Facts:
    """POST an approval of somebody's request. Raises as `order`."""
    return _posted(f"/v1/approvals/{urllib.parse.quote(request, safe='')}", body, "resume", None)


def acknowledge(incident: str, body: Mapping[str, object]) -> Facts:
    """POST that somebody has taken up an incident. Raises as `order`."""
    return _posted(f"/v1/incidents/{urllib.parse.quote(incident, safe='')}/acknowledge", body, "pause", None)


def _posted(path: str, body: Mapping[str, object], scope: str, revision: int | None) -> Facts:
    token = os.environ.get(TOKEN)
    if not token:
        raise ConfigError([f"{TOKEN}: not set; orders need a token with the scope {scope!r}"])
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    if revision is not None:
        headers["If-Match"] = f'"{revision}"'
    request = urllib.request.Request(admin_base() + path, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - as in `get`
    return _object(request, f"set {ADMIN_URL}")


def changes(base: str) -> Iterator[None]:
    """One item at once and one for every change the daemon announces. Raises SeawallError at its end or silence."""
    request = urllib.request.Request(base + "/v1/events", headers={"Accept": "text/event-stream"})  # noqa: S310 - as in `get`
    with _opened(request, STREAM_SILENT_AFTER, "say where with --url or SEAWALL_URL") as answer:
        try:
            for line in iter(lambda: answer.readline(MOST_BYTES), b""):
                if line.startswith(b"data:") and b'"refetchEvaluation"' in line:
                    yield
        except (OSError, http.client.HTTPException) as error:
            raise SeawallError(f"{base}/v1/events: {_why(error)}") from error
    raise SeawallError(f"{base}/v1/events: the daemon closed the stream")


def _object(request: urllib.request.Request, advice: str) -> Facts:
    where = f"{request.get_method()} {request.full_url}"
    with _opened(request, ANSWERS_WITHIN, advice) as answer:
        try:
            facts = json.loads(answer.read(MOST_BYTES))
        except (ValueError, RecursionError, OSError, http.client.HTTPException) as error:
            raise SeawallError(f"{where}: no JSON came back; is this Seawall? {advice}") from error
    if not isinstance(facts, dict):
        raise SeawallError(f"{where}: a JSON {type(facts).__name__} came back, an object was due; is this Seawall? {advice}")
    return facts


def _opened(request: urllib.request.Request, seconds: float, advice: str) -> http.client.HTTPResponse:
    where = f"{request.get_method()} {request.full_url}"
    try:
        answer: http.client.HTTPResponse = _OPENER.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        raise _refused(where, error) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SeawallError(f"{where}: {_why(error)}; is the daemon up? {advice}") from error
    return answer


def _refused(where: str, error: urllib.error.HTTPError) -> Refused:
    with error:
        try:
            facts = json.loads(error.read(MOST_BYTES))
        except (ValueError, RecursionError, OSError, http.client.HTTPException):
            facts = {}
    facts = facts if isinstance(facts, dict) else {}
    told = facts.get("detail") or facts.get("reason") or error.reason
    return Refused(f"{where}: {error.code} {told}", error.code, facts)


def _why(error: Exception) -> str:
    """What the network said, without Python's wrapping."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
