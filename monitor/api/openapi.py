"""OpenAPI 3.1 from the table of routes: schemas by msgspec, words from the handlers' own docstrings."""

import importlib.metadata
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

_REF = "#/components/schemas/{name}"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457: what was attempted, on what, what to do.",
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
    },
}  # fmt: skip

_REFUSED = ("400", "404", "413", "503")
"""What any route may refuse with: a question it does not understand, nothing there, too much, not now."""
_GUARDED = ("401", "403", "409", "412", "428", "429")
"""What else the admin listener may: no token that counts, not its scope, a race, no If-Match, too often."""
_SIGNED = ("401", "429")
"""What else a route without a token may, where the body must be signed."""


_ASKED = {
    "If-None-Match": "The tag that the caller has; 304 when it is still the present one.",
    "If-Match": 'The revision that the caller saw, as in "42"; 412 when it is another by now.',
    "Idempotency-Key": "Names the order: the same key twice is one hold.",
}
"""Headers that a request may have, by name."""


class Route(msgspec.Struct, frozen=True):
    """One of them. `path` is aiohttp's; `body` is what must be sent, `query` what may be asked; `scope` the token's, on admin.

    `answers` is the type of a 200, or several, None where it is no JSON of ours; `media` its content type. `tagged`: a 304 is
    possible. `accepted` is the type of a 202: a second person must approve. `open_body`: the body may be left out, or be any
    object; `signed`: only from who signed it. `fault` is the type of errors that are no problem documents. `asks`: headers that
    count, by name.
    """

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    answers: Any = None
    media: str = "application/json"
    body: Any = None
    query: Any = None
    scope: str = ""
    tagged: bool = False
    accepted: Any = None
    open_body: bool = False
    signed: bool = False
    fault: Any = None
    asks: tuple[str, ...] = ()

    def types(self) -> list[Any]:
        """Every type it names."""
        told = self.answers if isinstance(self.answers, tuple) else (self.answers,)
        return [kind for kind in (*told, self.body, self.query, self.accepted, self.fault) if kind is not None]

    def defined(self) -> web.RouteDef:
        """As aiohttp takes it."""
        return web.route(self.method, self.path, self.handler) if self.method != "GET" else web.get(self.path, self.handler)


def document(routes: Iterable[Route]) -> bytes:
    """The whole document, JSON."""
    routes = list(routes)
    types = {kind for route in routes for kind in route.types()}
    ordered = sorted(types, key=lambda kind: str(kind.__name__))
    _, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(bare(route.path), {})[route.method.lower()] = _operation(route, components)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "Seawall", "version": importlib.metadata.version("seawall"),
            "description": "Pause flags that payment services can trust. Those with a bearer token are the admin listener's.",
        },
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip
    return msgspec.json.encode(made)


def bare(path: str) -> str:
    """A path without the patterns of its parts.

    >>> bare("/v1/flags/{key:.+}")
    '/v1/flags/{key}'
    """
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    told = " ".join((route.handler.__doc__ or "").split())
    parts: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", bare(route.path))
    ]
    if route.query is not None:
        asked = components[route.query.__name__]["properties"]
        parts += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in asked.items()]
    parts += [
        {"name": name, "in": "header", "required": False, "description": _ASKED[name], "schema": {"type": "string"}}
        for name in (*route.asks, *(("If-None-Match",) if route.tagged else ()))
    ]
    content = {route.media: {"schema": _schema(route.answers) if route.media == "application/json" else {"type": "string"}}}
    answers: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    if route.tagged:
        tag = {"ETag": {"description": "Names what was answered.", "required": True, "schema": {"type": "string"}}}
        answers["200"]["headers"] = tag
        answers["304"] = {"description": "As the caller's tag has it; it is itself a proof of freshness."}
    if route.accepted is not None:
        waits = {"schema": _schema(route.accepted)}
        answers["202"] = {"description": "A second person must approve.", "content": {"application/json": waits}}
    refused = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    if route.fault is not None:
        refused["application/json"] = {"schema": _schema(route.fault)}
    for status in (*_REFUSED, *(_GUARDED if route.scope else ()), *(_SIGNED if route.signed else ())):
        answers[status] = {"description": "What is wrong.", "content": refused}
    made: dict[str, Any] = {"summary": told[:120], "operationId": _name(route), "parameters": parts, "responses": answers}
    if route.body is not None or route.open_body:
        body = {"application/json": {"schema": _schema(route.body)}}
        made["requestBody"] = {"required": not route.open_body, "content": body}
    if route.scope:
        made["security"] = [{"token": []}]
        made["description"] = f"Admin listener; the token needs the scope `{route.scope}`."
    return made


def _schema(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
    """A reference to a type; to one of several; any object for None."""
    if kind is None:
        return {"type": "object"}
    if isinstance(kind, tuple):
        return {"anyOf": [_schema(one) for one in kind]}
    return {"$ref": _REF.format(name=kind.__name__)}


def _name(route: Route) -> str:
    words = re.findall(r"\w+", bare(route.path))
    return "_".join((route.method.lower(), *words))
