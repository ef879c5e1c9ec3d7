"""The door for fees: what it says, to whom it says no and why, and that nothing it says is silently old."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.monitor.api.conftest import Doors, doors_with
from tests.support.fees import CHAIN, Seer, fed


@pytest.fixture
async def fees(tmp_path: Any) -> AsyncIterator[Doors]:  # noqa: ANN401 - pytest's path
    async with doors_with(tmp_path, gas={"ethereum": Seer(fed()), "cold": Seer(None, "cold")}) as doors:
        yield doors


async def got(doors: Doors, path: str, **headers: str) -> tuple[int, aiohttp.ClientResponse, Any]:
    async with doors.http.get(doors.read.url + path, headers=headers) as answer:
        return answer.status, answer, await answer.json(content_type=None) if answer.status != 304 else None


async def test_everything_about_a_chain_comes_in_one_answer(fees: Doors) -> None:
    status, answer, said = await got(fees, "/v1/gas/ethereum?deadline=50&urgency=0.25&cap=40&tip=1&within=10")
    assert status == 200
    assert said["ahead"]["1"]["point"] * 1e9 == pytest.approx(said["next_fee_wei"])
    assert {"2", "5", "10", "25", "50", "100", "300", "1800"} <= said["ahead"].keys()
    assert said["caps"]["5"]["80"] <= said["caps"]["5"]["95"] <= said["caps"]["5"]["99"]
    assert (said["advice"]["deadline"], said["advice"]["urgency"]) == (50, 0.25)
    assert 0.25 <= said["advice"]["release"] <= 1.0
    assert said["inclusion"] == said["inclusion"] | {"cap": 40.0, "tip": 1.0, "within": 10}
    assert said["model"]["last"] > said["model"]["first"]
    assert said["blob_wei"]["next_fee"] == 1
    assert answer.headers["X-Gas-Block"] == str(said["block"]["number"])


async def test_a_chain_is_found_by_its_caip_2_id_too_and_all_are_listed(fees: Doors) -> None:
    assert (await got(fees, f"/v1/gas/{CHAIN}"))[0] == 200
    _, _, said = await got(fees, "/v1/gas")
    assert [(one["name"], one["trouble"]) for one in said["chains"]] == [("ethereum", None), ("cold", "no block yet")]


async def test_the_same_block_and_question_are_a_304_and_another_question_is_not(fees: Doors) -> None:
    _, answer, _ = await got(fees, "/v1/gas/ethereum?deadline=25")
    tag = answer.headers["ETag"]
    status, answer, _ = await got(fees, "/v1/gas/ethereum?deadline=25", **{"If-None-Match": tag})
    assert (status, answer.headers["ETag"]) == (304, tag)
    assert "X-Gas-As-Of" in answer.headers
    assert (await got(fees, "/v1/gas/ethereum?deadline=26", **{"If-None-Match": tag}))[0] == 200


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/gas/nowhere", 404, "GET /v1/gas lists"),
        ("/v1/gas/cold", 503, "no block yet"),
        ("/v1/gas/ethereum?deadline=soon", 400, "deadline"),
        ("/v1/gas/ethereum?deadline=-1", 400, "deadline"),
        ("/v1/gas/ethereum?urgency=1.5", 400, "urgency"),
        ("/v1/gas/ethereum?cap=nan", 400, "cap"),
        ("/v1/gas/ethereum?within=51", 400, "within"),
        ("/v1/gas/ethereum?dead_line=3", 400, "unknown parameter 'dead_line'"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(fees: Doors, path: str, status: int, words: str) -> None:
    told, answer, said = await got(fees, path)
    assert (told, answer.content_type) == (status, "application/problem+json")
    assert words in said["detail"]
