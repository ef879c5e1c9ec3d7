"""A body of nothing but brackets, in a process whose recursion limit a library has lifted beyond the C stack."""

import sys
from collections.abc import Iterator

import pytest

from tests.monitor.api.conftest import Doors


@pytest.fixture
def lifted() -> Iterator[None]:
    """The limit that importing eth_account leaves behind."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("lifted")
@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"context":' * 5_000, b'{"context":{"a":' + b"[" * 60_000])
async def test_brackets_are_refused_and_the_daemon_lives(doors: Doors, body: bytes) -> None:
    for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/bank"):
        async with doors.http.post(doors.read.url + path, data=body) as answer:
            assert (answer.status, (await answer.json())["errorCode"]) == (400, "PARSE_ERROR")
    order = {"Authorization": "Bearer wall-and-sea"}
    async with doors.http.post(f"{doors.admin.url}/v1/integrations/bank/pause", data=body, headers=order) as answer:
        assert answer.status == 400
