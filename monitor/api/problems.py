"""Errors over HTTP: RFC 9457 problem documents, and the middleware that turns what slips through into one."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

log = structlog.get_logger()

BODY_WITHIN = 10.0
"""Seconds in which a request's body must be here."""


def problem(status: int, title: str, detail: str, **extra: object) -> web.Response:
    """A problem+json answer: what was attempted, on what, what to do."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/problem+json")


@web.middleware
async def problems(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Answer every error as a problem document; an unforeseen one is logged and told as 500 without its text.

    The body is read here, so that no handler waits for one that was sent by half.
    """
    try:
        if request.body_exists:
            async with asyncio.timeout(BODY_WITHIN):
                await request.read()
    except TimeoutError:
        answer = problem(408, "Request Timeout", f"{request.method} {request.path}: the body did not come in {BODY_WITHIN:g} s")
        answer.force_close()
        return answer
    except web.RequestPayloadError:
        return problem(400, "Bad Request", f"{request.method} {request.path}: the body is not what its headers say it is")
    except web.HTTPException as refused:
        return _told(request, refused)
    return await _answered(request, handler)


async def _answered(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        return _told(request, refused)
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("http.failed", method=request.method, path=request.path)
        return problem(500, "Internal Server Error", f"{request.method} {request.path} failed here; the log has the cause")


def _told(request: web.Request, refused: web.HTTPException) -> web.Response:
    answer = problem(refused.status, refused.reason, f"{request.method} {request.path}: {refused.reason}")
    if "Allow" in refused.headers:
        answer.headers["Allow"] = refused.headers["Allow"]
    return answer


@web.middleware
async def same_origin(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a page of another site has a browser send: orders come from programs, or from this very origin."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("Host"):
        return problem(403, "Forbidden", f"{request.path}: orders from another site's page are not taken")
    return await handler(request)
