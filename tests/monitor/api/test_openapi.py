"""The document is what is served: valid, complete, and held against both real listeners by schemathesis."""

import asyncio
import re
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from monitor.api.openapi import bare
from monitor.api.routes import ADMIN, AUDIT, EVERY, OPENAPI, READ, RELOAD, REPLY, STATUS, described
from monitor.breaker.policy import Rules, judge
from monitor.breaker.sightings import Sighting
from tests.monitor.api.conftest import SECRET, Doors, doors_with
from tests.support.fees import Seer, fed
from tests.support.findings import finding

EXAMPLES = 8
ENDLESS = {"/v1/events", "/board/events"}
"""A stream has no last byte to wait for."""

CHECKS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def drilled(paths: set[str], url: str, secret: str | None) -> tuple[set[str], list[str]]:
    """The paths that were asked, and every answer that is not as the document says: to made-up and to broken requests."""
    schema: Any = schemathesis.openapi.from_dict(msgspec.json.decode(described()))
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    asked: set[str] = set()
    faults: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path not in paths:
            continue

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def one(case: Any) -> None:  # noqa: ANN401 - schemathesis' own
            asked.add(case.path)
            case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

        try:
            one()
        except Exception as error:  # noqa: BLE001 - collected, so that one run tells all
            faults.append(f"{operation.label}: {error}")
    return asked, faults


def test_the_document_is_openapi_and_names_every_route_of_both_listeners() -> None:
    document = msgspec.json.decode(described())
    validate(document)
    told = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert told == {(route.method, bare(route.path)) for route in EVERY}
    assert len(told) == len(EVERY) == len(READ) + len(ADMIN) + len((RELOAD, AUDIT, REPLY, STATUS, OPENAPI))
    guarded = {path for path, operations in document["paths"].items() for one in operations.values() if "security" in one}
    assert guarded == {bare(route.path) for route in (*ADMIN, RELOAD, AUDIT)}


def strict(schema: dict[str, Any]) -> Draft202012Validator:
    """Checks against a schema of the document, in which no object has a field that is not named."""
    components = msgspec.json.decode(described())["components"]
    for one in components["schemas"].values():
        if "properties" in one:
            one["additionalProperties"] = False
    return Draft202012Validator({**schema, "components": components})


def test_no_answer_and_no_body_is_just_an_object() -> None:
    document = msgspec.json.decode(described())
    bare_objects = [
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, one in operations.items()
        for part in (*one["responses"].values(), one.get("requestBody", {}))
        for kind, content in part.get("content", {}).items()
        if kind.endswith("json") and "$ref" not in str(content["schema"])
    ]
    assert bare_objects == ["post /v1/replies/{receiver}", "get /openapi.json"], "a receiver sends what it likes"


async def test_every_field_that_is_answered_is_named(tmp_path: Path) -> None:
    document = msgspec.json.decode(described())
    async with doors_with(tmp_path, {"test": Seer(fed())}) as doors:
        decision, _ = judge(doors.desk.fold.breaker("bank"), [finding()], Rules(), 1000.0, 10, "default")
        assert decision is not None
        seen = Sighting(finding=finding().id, seen_at=1000.0, shown_at=1000.1, tree=None)
        await doors.desk.decide(lambda: ([decision], [seen]))
        (await doors.pause()).release()
        asked = {
            "/v1/flags": "", "/v1/flags/{key}": "bank", "/v1/keys": "", "/flagd/flags.json": "", "/v1/integrations": "",
            "/v1/integrations/{id}": "bank", "/v1/incidents": "", "/v1/incidents/{id}": decision.id, "/v1/gas": "",
            "/v1/gas/{chain}": "test", "/-/healthy": "", "/-/ready": "",
        }  # fmt: skip
        for path, part in (*asked.items(), ("/v1/flags/{key}", "bank.state")):
            async with doors.http.get(doors.read.url + re.sub(r"{\w+}", part, path)) as answer:
                assert answer.status == 200, path
                schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                faults = [fault.message for fault in strict(schema).iter_errors(await answer.json())]
            assert faults == [], path
        for path, part in (("/ofrep/v1/evaluate/flags", ""), ("/ofrep/v1/evaluate/flags/{key}", "bank.paused")):
            async with doors.http.post(doors.read.url + re.sub(r"{\w+}", part, path), json={"context": {}}) as answer:
                schema = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
                assert [fault.message for fault in strict(schema).iter_errors(await answer.json())] == []


async def test_both_listeners_serve_it(doors: Doors) -> None:
    for listener in (doors.read, doors.admin):
        async with doors.http.get(f"{listener.url}/openapi.json") as answer:
            assert (answer.status, await answer.read()) == (200, described())


async def test_the_read_listener_answers_as_the_document_says(tmp_path: Path) -> None:
    paths = {bare(route.path) for route in (*READ, STATUS, OPENAPI)} - ENDLESS
    async with doors_with(tmp_path) as doors:
        (await doors.pause()).release()
        asked, faults = await asyncio.to_thread(drilled, paths, doors.read.url, None)
    assert faults == []
    assert asked == paths


@pytest.mark.parametrize("secret", [SECRET, "no-token-of-ours", None])
async def test_the_admin_listener_answers_as_the_document_says(tmp_path: Path, secret: str | None) -> None:
    paths = {bare(route.path) for route in ADMIN}
    async with doors_with(tmp_path) as doors:
        asked, faults = await asyncio.to_thread(drilled, paths, doors.admin.url, secret)
    assert faults == []
    assert asked == paths
