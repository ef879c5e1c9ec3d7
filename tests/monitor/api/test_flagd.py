"""The flagd document: a stock evaluator reads what every other door says, and falls to the declared side when we are gone."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from monitor.api.flagd import document
from monitor.breaker.flags import FlagBoard, OnBlind, Spec
from tests.monitor.api.conftest import Doors
from tests.support.findings import CHAIN, position


def evaluated(flag: Mapping[str, Any], at: float) -> Any:  # noqa: ANN401 - any flag's value
    """What a flagd evaluator says of this flag at this time (json-logic's `if` and `<` are all there is)."""
    condition, yes, no = flag["targeting"]["if"]
    assert condition == {"<": [{"var": "$flagd.timestamp"}, flag["metadata"]["lease_expires"]]}
    assert no == flag["defaultVariant"], "an evaluation that fails lands on the declared side too"
    return flag["variants"][yes if at < flag["metadata"]["lease_expires"] else no]


async def flags(doors: Doors) -> Mapping[str, Any]:
    """The document's flags."""
    async with doors.http.get(f"{doors.read.url}/flagd/flags.json") as answer:
        assert answer.status == 200
        return dict((await answer.json(content_type=None))["flags"])


async def test_a_running_integration_is_clear_until_the_lease_ends_and_then_paused(doors: Doors) -> None:
    found, now = await flags(doors), time.time()
    expires = found["bank.paused"]["metadata"]["lease_expires"]
    assert now + 10 <= expires <= now + 31
    assert [evaluated(found["bank.paused"], at) for at in (now, expires)] == [False, True]
    assert [evaluated(found["bank.state"], at) for at in (now, expires)] == ["run", "unknown"]
    assert [evaluated(found["bank.max_share"], at) for at in (now, expires)] == [1.0, 0.0]
    assert [evaluated(found["bank.level"], at) for at in (now, expires)] == ["none", "pause"]


async def test_a_pause_does_not_expire(doors: Doors) -> None:
    await doors.pause()
    found = await flags(doors)
    for view, value in (("paused", True), ("state", "pause"), ("max_share", 0.0), ("level", "pause")):
        assert [evaluated(found[f"bank.{view}"], at) for at in (time.time(), 9e12)] == [value, value]


@pytest.mark.parametrize(("side", "after"), [(OnBlind.PAUSE, True), (OnBlind.KEEP, False), (OnBlind.CLEAR, False)])
def test_the_side_after_the_lease_is_the_declared_one(side: OnBlind, after: bool) -> None:  # noqa: FBT001 - a table
    board = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0, on_blind=side)], epoch=1)
    board.beat()
    board.saw_head(CHAIN, position(1), time.time())
    found = msgspec.json.decode(document(board, 30.0, 1000.0))["flags"]
    assert evaluated(found["bank.paused"], 9e12) is after
    assert evaluated(found["bank.state"], 9e12) == "unknown", "nobody who has not heard of us is told run"


async def test_the_document_is_a_304_until_the_lease_is_renewed_or_a_flag_turns(doors: Doors) -> None:
    url = f"{doors.read.url}/flagd/flags.json"
    if time.time() % 10 > 8:
        await asyncio.sleep(2.1)  # not across a renewal
    async with doors.http.get(url) as answer:
        tag = answer.headers["ETag"]
    async with doors.http.get(url, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304
    await doors.pause()
    async with doors.http.get(url, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200
