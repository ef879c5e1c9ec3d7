"""Errors over HTTP: RFC 9457 problem documents, and the middleware that turns what slips through into one."""

from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

log = structlog.get_logger()


def problem(status: int, title: str, detail: str, **extra: object) -> web.Response:
    """A problem+json answer: what was attempted, on what, what to do."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/problem+json")


@web.middleware
async def problems(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Answer every error as a problem document; an unforeseen one is logged and told as 500 without its text."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        answer = problem(refused.status, refused.reason, f"{request.method} {request.path}: {refused.reason}")
        if "Allow" in refused.headers:
            answer.headers["Allow"] = refused.headers["Allow"]
        return answer
    except web.RequestPayloadError:
        return problem(400, "Bad Request", f"{request.method} {request.path}: the body is not what its headers say it is")
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("http.failed", method=request.method, path=request.path)
        return problem(500, "Internal Server Error", f"{request.method} {request.path} failed here; the log has the cause")
