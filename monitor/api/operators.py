"""What operators may do: pause, resume, override, approve, with a bearer token, on a listener of its own."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
import structlog
from aiohttp import web

from monitor import metrics
from monitor.api.budgets import Budgets, retry_after
from monitor.api.problems import problem
from monitor.api.tokens import Token, Tokens
from monitor.breaker.fold import Request
from monitor.breaker.holds import Level
from monitor.breaker.orders import (
    NoSuchIncidentError,
    NoSuchIntegrationError,
    NoSuchRequestError,
    NotAllowedError,
    Orders,
    StaleRevisionError,
    Wanted,
)
from monitor.breaker.people import Order
from monitor.errors import JournalError

log = structlog.get_logger()
MOST_BYTES = 64 * 1024
MOST_KEY = 128
"""Characters of an Idempotency-Key that count."""

SCOPE_OF = {"pause": "pause", "resume": "resume", "override": "resume", "approve": "resume", "acknowledge": "pause"}
"""The token scope that an action needs."""

_PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    NoSuchIntegrationError: (404, "No such integration"),
    NoSuchRequestError: (404, "No such request"),
    NoSuchIncidentError: (404, "No such incident"),
    NotAllowedError: (409, "Not allowed"),
    StaleRevisionError: (412, "Precondition Failed"),
    JournalError: (503, "Journal unavailable"),
}


Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Actor = Annotated[str, msgspec.Meta(max_length=100, description="A person's name; a service's token has only its own.")] | None
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]


class PauseOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a pause: a reason, who (default: the token's name), a review deadline in seconds, and how much is taken away.

    `share` is the traffic (0..1) that may pass under `throttle`.
    """

    reason: Reason
    actor: Actor = None
    ttl: Seconds | None = None
    level: Level = Level.PAUSE
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1


class ResumeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a resume: a reason and who. `break_glass`: alone, though it takes two; everybody is paged."""

    reason: Reason
    actor: Actor = None
    break_glass: bool = False


class OverrideOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of an override: for `ttl` seconds automatic holds are suppressed."""

    reason: Reason
    ttl: Seconds
    actor: Actor = None
    break_glass: bool = False


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of an approval: who, if not the token's owner."""

    actor: Actor = None


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of an acknowledgement: who, if not the token's owner, and what they are about to do."""

    actor: Actor = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an action led to. `pending`: the pause is shown, the journal has not taken it yet."""

    integration: str
    state: str
    breaker: str
    revision: int
    level: str = "none"
    pending: bool = False


ORDERS: web.AppKey[Orders] = web.AppKey("orders", Orders)
TOKENS: web.AppKey[Tokens] = web.AppKey("tokens", Tokens)
BUDGETS: web.AppKey[Budgets] = web.AppKey("budgets", Budgets)
_ETAG = re.compile(r'(?:W/)?"?(\d{1,18})"?')
"""A revision; no number of more digits was ever one."""


def authorised(request: web.Request, scope: str, budget: str = "order") -> Token | web.Response:
    """The token behind a request, or the refusal. A refusal never costs a token anything, however many there are."""
    holder = request.app[TOKENS].holder(request.headers.get("Authorization", ""))
    if isinstance(holder, str):
        wait = request.app[BUDGETS].spend("refused", request.remote or "")
        if wait:
            return _later(request, wait, "too many attempts without a token that counts")
        refused = problem(401, "Unauthorized", f"{request.path}: {holder}")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    if scope not in holder.scopes:
        return problem(403, "Forbidden", f"token {holder.name} has no scope {scope!r}; it has {sorted(holder.scopes)}")
    wait = request.app[BUDGETS].spend(budget, holder.name)
    return _later(request, wait, f"token {holder.name} asks too often") if wait else holder


def _later(request: web.Request, wait: float, why: str) -> web.Response:
    answer = problem(429, "Too Many Requests", f"{request.path}: {why}; wait {wait:.1f} s")
    answer.headers["Retry-After"] = retry_after(wait)
    return answer


async def pause(request: web.Request) -> web.Response:
    """`POST /v1/integrations/{id}/pause`; `{id}` may also be `chain:<id>`, `contract:<address>` or `everything`."""
    return await _act(request, "pause", PauseOrder, _pause)


async def resume(request: web.Request) -> web.Response:
    """`POST /v1/integrations/{id}/resume`; `If-Match: "<revision>"` refuses a race with 412. 202: a second must approve."""
    return await _act(request, "resume", ResumeOrder, _release)


async def override(request: web.Request) -> web.Response:
    """`POST /v1/integrations/{id}/override`; `If-Match` is required. 202: a second person must approve."""
    return await _act(request, "override", OverrideOrder, _release)


async def approve(request: web.Request) -> web.Response:
    """`POST /v1/approvals/{id}`: the second person of a resume or an override."""
    return await _act(request, "approve", Approval, _approve)


async def acknowledge(request: web.Request) -> web.Response:
    """`POST /v1/incidents/{id}/acknowledge`: somebody takes it up; the first who does counts, whoever comes later is told."""
    return await _act(request, "acknowledge", Acknowledgement, _acknowledge)


async def approvals(request: web.Request) -> web.Response:
    """`GET /v1/approvals`: what waits for a second person."""
    token = authorised(request, "resume")
    if isinstance(token, web.Response):
        return token
    return _json({"approvals": [_asked(one) for one in request.app[ORDERS].waiting()]})


Carry = Callable[[web.Request, Any, Order, Token], Awaitable[web.Response]]
"""Carries out one decoded order."""


async def _act(request: web.Request, action: str, shape: type[msgspec.Struct], carry: Carry) -> web.Response:
    answer = await _answer(request, action, shape, carry)
    metrics.ADMIN_ACTIONS.labels(action, str(answer.status)).inc()
    return answer


async def _answer(request: web.Request, action: str, shape: type[msgspec.Struct], carry: Carry) -> web.Response:
    token = authorised(request, SCOPE_OF[action], "pause" if action == "pause" else "order")
    if isinstance(token, web.Response):
        return token
    raw = await request.read()
    try:
        body: Any = msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return problem(400, "Bad Request", f'{request.path}: {error}; send {{"reason": "..."}}')
    if token.automated and body.actor not in {None, "", token.name}:
        # What a service ordered is its own to release: under another's name it would release what that one ordered.
        return problem(
            403,
            "Forbidden",
            f"{request.path}: token {token.name} is a service's and orders in its own name only; leave actor out",
        )
    key = _key(request)
    order = Order(who=body.actor or token.name, reason=getattr(body, "reason", "approved"), automated=token.automated, key=key)
    log.info("operator.order", action=action, target=request.match_info["id"], who=order.who, token=token.name)
    try:
        return await carry(request, body, order, token)
    except tuple(_PROBLEMS) as error:
        status, title = next(told for kind, told in _PROBLEMS.items() if isinstance(error, kind))
        return problem(status, title, f"{request.path}: {error}" if status == 503 else str(error))


def _key(request: web.Request) -> str:
    """The Idempotency-Key, in text that can be hashed: what is no UTF-8 is written out, since no odd key may stop a pause."""
    return request.headers.get("Idempotency-Key", "").strip()[:MOST_KEY].encode("utf-8", "backslashreplace").decode()


async def _pause(request: web.Request, body: PauseOrder, order: Order, _: Token) -> web.Response:
    orders, scope = request.app[ORDERS], request.match_info["id"]
    await orders.pause(scope, order, ttl=body.ttl, level=body.level, share=body.share)
    return _done(orders, scope)


async def _release(request: web.Request, body: ResumeOrder | OverrideOrder, order: Order, token: Token) -> web.Response:
    orders, scope, match = request.app[ORDERS], request.match_info["id"], request.headers.get("If-Match", "").strip()
    revision = _ETAG.fullmatch(match)
    if revision is None and match not in {"", "*"}:
        return problem(400, "Bad Request", f'If-Match must be the revision, as in "42"; got {match[:40]!r}')
    seconds = body.ttl if isinstance(body, OverrideOrder) else None
    if seconds is not None and revision is None:
        return problem(428, "Precondition Required", f'{request.path}: send If-Match with the revision you saw, as in "42"')
    wanted = Wanted(
        order=order, principal=token.name, revision=int(revision[1]) if revision else None, bypass=seconds, glass=body.break_glass
    )
    asked = await orders.release(scope, wanted)
    return _done(orders, scope) if asked is None else _json(_asked(asked), status=202)


async def _approve(request: web.Request, _: Approval, order: Order, token: Token) -> web.Response:
    orders = request.app[ORDERS]
    return _done(orders, await orders.approve(request.match_info["id"], order, token.name))


async def _acknowledge(request: web.Request, body: Acknowledgement, order: Order, _: Token) -> web.Response:
    return _json(await request.app[ORDERS].acknowledge(request.match_info["id"], order, body.note))


def _asked(asked: Request) -> dict[str, object]:
    return {
        "approval": asked.id, "integration": asked.integration, "action": asked.action, "by": asked.by, "reason": asked.reason,
        "revision": asked.revision, "expires_at": asked.until,
    }  # fmt: skip


def _done(orders: Orders, scope: str) -> web.Response:
    """What the flags say now: of one integration, or of each in a scope."""
    flags = orders.desk.board.read()
    done = [
        Done(
            integration=name, state=flags[name].state, breaker=flags[name].breaker, revision=flags[name].revision,
            level=flags[name].level, pending=flags[name].pending,
        )
        for name in orders.inside(scope)
    ]  # fmt: skip
    if scope in flags:
        return _json(done[0], headers={"ETag": f'"{done[0].revision}"'})
    return _json({"scope": scope, "integrations": done})


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json", headers=headers)
