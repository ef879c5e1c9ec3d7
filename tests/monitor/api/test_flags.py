"""Flags as payment services read them: plain JSON and OFREP, tags, change stream, real OpenFeature client."""

import asyncio
import time

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider

from monitor.breaker.flags import FlagBoard
from tests.monitor.api.conftest import Doors
from tests.support.findings import CHAIN, position

BULK = "/ofrep/v1/evaluate/flags"


async def test_every_door_tells_the_same(doors: Doors) -> None:
    assert (await doors.pause()).status == 200
    async with doors.http.get(f"{doors.read.url}/v1/flags/bank") as answer:
        flag = await answer.json()
    assert (flag["state"], flag["paused"], flag["reason"]) == ("pause", True, "drill")
    async with doors.http.post(f"{doors.read.url}{BULK}/bank.paused", json={"context": {}}) as answer:
        one = await answer.json()
    assert (one["value"], one["reason"], one["variant"]) == (True, "TARGETING_MATCH", "paused")
    async with doors.http.get(f"{doors.read.url}/v1/flags/bank.max_share") as answer:
        assert (await answer.json())["value"] == 0.0
    async with doors.http.get(f"{doors.read.url}/v1/flags/pool.v2.state") as answer:
        assert (await answer.json())["value"] == "run"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/flags"), ("GET", "/v1/flags/bank"), ("POST", BULK)])
async def test_an_unchanged_state_is_a_304_with_freshness_and_a_changed_one_is_not(doors: Doors, method: str, path: str) -> None:
    async with doors.http.request(method, doors.read.url + path) as answer:
        tag = answer.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        async with doors.http.request(method, doors.read.url + path, headers={"If-None-Match": known}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert float(answer.headers["X-Flags-As-Of"]) > time.time() - 60
    await doors.pause()
    async with doors.http.request(method, doors.read.url + path, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200


async def test_a_new_head_changes_no_tag(doors: Doors) -> None:
    async with doors.http.get(f"{doors.read.url}/v1/flags") as answer:
        tag = answer.headers["ETag"]
    doors.board.saw_head(CHAIN, position(11), time.time())
    async with doors.http.get(f"{doors.read.url}/v1/flags") as answer:
        assert answer.headers["ETag"] == tag


async def test_unknown_flags_are_refused_in_each_doors_own_shape(doors: Doors) -> None:
    async with doors.http.post(f"{doors.read.url}{BULK}/nope", json={}) as answer:
        assert answer.status == 404
        assert await answer.json() == {
            "key": "nope", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "unknown flag nope", "metadata": {}
        }  # fmt: skip
    async with doors.http.get(f"{doors.read.url}/v1/flags/nope") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"context":{}}', b'{"context":null}', b'{"context":{"targetingKey":"me","x":[1]}}']
)
async def test_generous_with_what_clients_send(doors: Doors, body: bytes) -> None:
    async with doors.http.post(f"{doors.read.url}{BULK}/bank.state", data=body) as answer:
        assert (answer.status, (await answer.json())["value"]) == (200, "run")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"context":[]}', b'{"context":7}', b"\xff\xfe", b'{"context":{"x":"\xff"}}', b"[" * 50_000]
)
async def test_a_broken_body_is_a_parse_error(doors: Doors, body: bytes) -> None:
    for path in (BULK, f"{BULK}/bank.state"):
        async with doors.http.post(doors.read.url + path, data=body) as answer:
            assert (answer.status, (await answer.json())["errorCode"]) == (400, "PARSE_ERROR")


async def test_the_read_listener_has_no_mutating_route(doors: Doors) -> None:
    async with doors.http.post(f"{doors.read.url}/v1/integrations/bank/pause", json={"reason": "x"}) as answer:
        assert answer.status == 404


async def test_a_change_is_announced_on_the_stream(doors: Doors) -> None:
    async with doors.http.get(f"{doors.read.url}/v1/events") as stream:
        assert stream.content_type == "text/event-stream"
        first = await asyncio.wait_for(stream.content.readuntil(b"refetchEvaluation"), 5)
        assert b"event: message" in first
        await doors.pause()
        again = await asyncio.wait_for(stream.content.readuntil(b"refetchEvaluation"), 5)
        assert b"event: message" in again


async def test_blind_is_unknown_with_200(doors: Doors) -> None:
    doors.board.blind_now(CHAIN, "wrong chain")
    async with doors.http.post(f"{doors.read.url}{BULK}/bank.paused") as answer:
        body = await answer.json()
    assert (answer.status, body["value"], body["reason"], body["variant"]) == (200, True, "UNKNOWN", "blind")
    assert body["metadata"]["why"] == "wrong chain"


async def test_the_python_openfeature_provider_reads_every_view(doors: Doors) -> None:
    def read() -> list[object]:
        api.set_provider(OFREPProvider(doors.read.url))
        client = api.get_client()
        details = [
            client.get_boolean_details("bank.paused", default_value=True), client.get_string_details("bank.state", "?"),
            client.get_float_details("bank.max_share", -1.0), client.get_float_details("bank.risk", -1.0),
        ]  # fmt: skip
        assert [one.error_code for one in details] == [None] * 4
        return [one.value for one in details]

    assert await asyncio.to_thread(read) == [False, "run", 1.0, 0.0]
    await doors.pause()
    assert await asyncio.to_thread(read) == [True, "pause", 0.0, 0.0]


async def test_metrics_are_served(doors: Doors) -> None:
    async with doors.http.get(f"{doors.read.url}/metrics") as answer:
        assert b"seawall_flag_reads_total" in await answer.read()


def test_the_pipeline_bound_is_longer_than_a_tick() -> None:
    assert FlagBoard.PIPELINE_BOUND > 1.0
