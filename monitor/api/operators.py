"""What operators may do: pause and resume, with a bearer token, on a listener of its own."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
import structlog
from aiohttp import web

from monitor import metrics
from monitor.api.problems import problem
from monitor.breaker.orders import NoSuchIntegrationError, Orders, StaleRevisionError
from monitor.errors import JournalError

log = structlog.get_logger()
MOST_BYTES = 64 * 1024


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a token, the SHA-256 of its secret (hex), and its scopes (`pause`, `resume`)."""

    name: str
    digest: str
    scopes: frozenset[str]


class PauseOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a pause: a reason, who (default: the token's name), and a review deadline in seconds."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    actor: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    ttl: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None


class ResumeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a resume: a reason and who."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    actor: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an action led to. `pending`: the pause is shown, the journal has not taken it yet."""

    integration: str
    state: str
    breaker: str
    revision: int
    pending: bool = False


ORDERS: web.AppKey[Orders] = web.AppKey("orders", Orders)
TOKENS: web.AppKey[Mapping[str, Token]] = web.AppKey("tokens")
_ETAG = re.compile(r'(?:W/)?"?(\d+)"?')


def digest_of(secret: str) -> str:
    """How a secret is kept: SHA-256, hex (secrets are random, so no slow hash is needed)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def authorised(request: web.Request, scope: str) -> Token | web.Response:
    """The token behind a request, or the refusal. Every known digest is compared, in constant time."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    offered = digest_of(secret.strip())
    holder = None
    for token in request.app[TOKENS].values():
        if hmac.compare_digest(token.digest, offered):
            holder = token
    if scheme.lower() != "bearer" or holder is None:
        refused = problem(401, "Unauthorized", f"{request.path}: send Authorization: Bearer with a configured token")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    if scope not in holder.scopes:
        return problem(403, "Forbidden", f"token {holder.name} has no scope {scope!r}; it has {sorted(holder.scopes)}")
    return holder


async def pause(request: web.Request) -> web.Response:
    """`POST /v1/integrations/{id}/pause`."""
    return await _act(request, "pause", PauseOrder)


async def resume(request: web.Request) -> web.Response:
    """`POST /v1/integrations/{id}/resume`; `If-Match: "<revision>"` refuses a race with 412."""
    return await _act(request, "resume", ResumeOrder)


async def _act(request: web.Request, action: str, shape: type[PauseOrder] | type[ResumeOrder]) -> web.Response:
    answer = await _answer(request, action, shape)
    metrics.ADMIN_ACTIONS.labels(action, str(answer.status)).inc()
    return answer


async def _answer(request: web.Request, action: str, shape: type[PauseOrder] | type[ResumeOrder]) -> web.Response:
    token = authorised(request, action)
    if isinstance(token, web.Response):
        return token
    try:
        order = msgspec.json.decode(await request.read(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return problem(400, "Bad Request", f'{request.path}: {error}; send {{"reason": "..."}}')
    integration, who = request.match_info["id"], order.actor or token.name
    log.info("operator.order", action=action, integration=integration, who=who, token=token.name)
    return await _carried_out(request, order, integration, who)


async def _carried_out(request: web.Request, order: PauseOrder | ResumeOrder, integration: str, who: str) -> web.Response:
    match, orders = request.headers.get("If-Match", "*").strip(), request.app[ORDERS]
    revision = _ETAG.fullmatch(match)
    if revision is None and match != "*":
        return problem(400, "Bad Request", f'If-Match must be the revision, as in "42"; got {match[:40]!r}')
    try:
        if isinstance(order, PauseOrder):
            await orders.pause(integration, who, order.reason, order.ttl)
        else:
            await orders.resume(integration, who, order.reason, int(revision[1]) if revision else None)
    except NoSuchIntegrationError as error:
        return problem(404, "No such integration", str(error))
    except StaleRevisionError as error:
        return problem(412, "Precondition Failed", str(error))
    except JournalError as error:
        return problem(503, "Journal unavailable", f"{request.path}: {error}")
    flag = orders.desk.board.read()[integration]
    done = Done(integration=integration, state=flag.state, breaker=flag.breaker, revision=flag.revision, pending=flag.pending)
    return web.Response(body=msgspec.json.encode(done), content_type="application/json", headers={"ETag": f'"{done.revision}"'})
