"""Operators: who may, what they must say, races, and a page that shows hostile text as text."""

import asyncio
import re

import pytest

from detectors.events import Stage
from monitor.breaker.policy import Rules, judge
from monitor.errors import JournalError
from tests.monitor.api.conftest import Doors
from tests.support.findings import finding


async def test_a_pause_needs_a_token_of_that_scope(doors: Doors) -> None:
    assert (await doors.pause(token="guess")).status == 401
    assert (await doors.pause(token="")).status == 401
    assert (await doors.pause(token="bot-secret")).status == 200
    answer = await doors.resume(token="bot-secret")
    assert (answer.status, answer.content_type) == (403, "application/problem+json")
    assert doors.board.read()["bank"].state == "pause"


async def test_resume_with_an_old_revision_is_refused(doors: Doors) -> None:
    seen = (await (await doors.pause()).json())["revision"]
    newer = (await (await doors.pause("again")).json())["revision"]
    assert newer > seen
    assert (await doors.resume(seen)).status == 412
    assert doors.board.read()["bank"].state == "pause"
    done = await (await doors.resume(newer)).json()
    assert (done["state"], done["revision"] > newer) == ("run", True)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"reason":""}', b'{"reason":"x","typo":1}', b'{"reason":"x","ttl":-1}', b'{"reason":"\xff"}', b"[" * 9999],
)
async def test_an_order_without_reason_or_with_anything_odd_is_refused(doors: Doors, body: bytes) -> None:
    url = f"{doors.admin.url}/v1/integrations/bank/pause"
    headers = {"Authorization": "Bearer wall-and-sea", "Content-Type": "application/json"}
    async with doors.http.post(url, data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert doors.board.read()["bank"].state == "run"


async def raw(doors: Doors, action: str, header: bytes) -> int:
    """The status of an order with a header that no well-behaved client sends."""
    host, _, port = doors.admin.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /v1/integrations/bank/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wall-and-sea\r\nContent-Length: 14\r\n"
    writer.write(head % action.encode() + header + b'\r\n\r\n{"reason":"x"}')
    async with asyncio.timeout(5):
        status = int((await reader.readline()).split()[1])
    writer.close()
    return status


@pytest.mark.parametrize("key", ["panne-réseau".encode("latin-1"), "panne-réseau".encode(), b"\xed\xa0\x80", b"9" * 5000])
async def test_no_idempotency_key_stops_a_pause_and_the_same_is_still_one_hold(doors: Doors, key: bytes) -> None:
    for _ in range(2):
        assert await raw(doors, "pause", b"Idempotency-Key: " + key) == 200
    assert doors.board.read()["bank"].state == "pause"
    assert len(doors.desk.fold.breaker("bank").holds) == 1
    assert await raw(doors, "pause", b"Idempotency-Key: \xe8" + key) == 200
    assert len(doors.desk.fold.breaker("bank").holds) == 2, "another key is another hold"


@pytest.mark.parametrize("revision", [b"9" * 5000, b'"%s"' % (b"9" * 5000), b"\xff", b'"1.0"', b"-1"])
async def test_a_revision_that_cannot_be_one_is_the_clients_mistake(doors: Doors, revision: bytes) -> None:
    assert await raw(doors, "resume", b"If-Match: " + revision) == 400


async def test_an_unknown_integration_is_named(doors: Doors) -> None:
    answer = await doors.pause(integration="nope")
    assert answer.status == 404
    assert "nope" in (await answer.json())["detail"]


async def test_pausing_works_with_a_broken_journal_and_resuming_does_not(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = doors.desk.journal.append

    async def full(*_: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(doors.desk.journal, "append", full)
    done = await (await doors.pause()).json()
    assert (done["state"], done["pending"], done["revision"]) == ("pause", True, 0)
    assert (await doors.resume()).status == 503
    assert doors.board.read()["bank"].state == "pause"
    monkeypatch.setattr(doors.desk.journal, "append", kept)
    await doors.desk.pay()
    flag = doors.board.read()["bank"]
    assert (flag.state, flag.pending, flag.revision > 0) == ("pause", False, True)
    assert (await doors.resume()).status == 200


async def test_the_page_shows_what_a_chain_wrote_as_text(doors: Doors) -> None:
    evil = finding(0.95, stage=Stage.PENDING)
    evil = type(evil)(**{**{f: getattr(evil, f) for f in evil.__struct_fields__}, "title": "<script>alert(1)</script>"})
    breaker = doors.desk.fold.breaker("bank")
    decision, _ = judge(breaker, [evil], Rules(), 1000.0, 10, "default")
    assert decision is not None
    await doors.desk.decide(lambda: ([decision], []))
    async with doors.http.get(f"{doors.read.url}/") as answer:
        text = await answer.text()
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Do not use" in text
    async with doors.http.get(f"{doors.read.url}/v1/incidents/{evil.id}") as answer:
        assert (await answer.json())["findings"][0]["title"] == "<script>alert(1)</script>"


async def test_the_pages_files_match_their_integrity(doors: Doors) -> None:
    async with doors.http.get(f"{doors.read.url}/") as answer:
        text = await answer.text()
    for name in ("page.css", "page.js", "icon.svg"):
        async with doors.http.get(f"{doors.read.url}/page/{name}") as answer:
            assert answer.status == 200
    fetched = re.findall(r'<(?:script[^>]* src|link rel="(?:stylesheet|icon)")[^>]*>', text)
    assert fetched
    assert all('integrity="sha384-' in tag or "icon" in tag for tag in fetched), "no script or style without its hash"
    async with doors.http.get(f"{doors.read.url}/page/..%2f__init__.py") as answer:
        assert answer.status == 404
