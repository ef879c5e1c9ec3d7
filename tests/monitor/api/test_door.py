"""The listener's door: the hot question is answered there exactly as aiohttp would, everything else goes on to aiohttp."""

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from monitor.api import door
from monitor.api.documents import Documents
from monitor.api.hot import HotFlags
from monitor.api.server import Listener, read_app
from monitor.api.views import Sources
from monitor.breaker.flags import FlagBoard, Spec
from tests.support.findings import CHAIN, position

GET = b"GET /v1/flags/%s HTTP/1.1\r\nHost: x\r\n%s\r\n"


def fresh() -> FlagBoard:
    """One flag, and it is seen."""
    board = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=1)
    board.beat()
    board.saw_head(CHAIN, position(10), time.time())
    return board


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    board = fresh()
    sources = Sources(breakers=dict, made=tuple, chains=dict, contracts={})
    fine = lambda: {"ok": True}  # noqa: E731 - a fact
    made = Listener("read", read_app(board, healthy=fine, ready=fine, sources=sources), "127.0.0.1:0", most=5)
    await made.start()
    yield made
    await made.stop()


class Talk:
    """One connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        self.writer.write(sent)
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers.get("Content-Length", 0)))


Talking = Callable[[], Awaitable[Talk]]


@pytest.fixture
async def talk(listener: Listener) -> AsyncIterator[Talking]:
    open_now: list[asyncio.StreamWriter] = []

    async def begin() -> Talk:
        host, port = listener.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        open_now.append(writer)
        return Talk(reader, writer)

    yield begin
    for writer in open_now:
        writer.transport.abort()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("key", [b"bank", b"bank.paused", b"bank.max_share"])
async def test_the_door_says_what_aiohttp_says(talk: Talking, key: bytes) -> None:
    quick, slow = await talk(), await talk()
    one = await quick.answer(GET % (key, b""))
    other = await slow.answer(GET % (key, b"Connection: upgrade\r\n"))
    assert (one[0], one[1]["ETag"], one[2][:40]) == (other[0], other[1]["ETag"], other[2][:40]), "up to its time"
    assert set(one[1]) <= set(other[1]), "no header of its own"
    again = await quick.answer(GET % (key, b"If-None-Match: W/%s\r\n" % one[1]["ETag"].encode()))
    assert (again[0], again[2]) == (304, b"")
    assert {"ETag", "X-Flags-As-Of", "X-Flags-Valid-For", "X-Flags-Epoch"} <= set(again[1])


async def test_questions_in_one_packet_and_in_crumbs_are_answered_in_order(talk: Talking) -> None:
    client = await talk()
    client.writer.write(GET % (b"bank.state", b"") + GET % (b"nope", b"") + GET % (b"bank.paused", b""))
    told = [await client.answer(b"") for _ in range(3)]
    assert [status for status, _, _ in told] == [200, 404, 200]
    assert b'"key":"bank.paused"' in told[2][2]
    crumbs = await talk()
    question = GET % (b"bank", b"")
    for at in range(0, len(question) - 3, 3):
        crumbs.writer.write(question[at : at + 3])
        await asyncio.sleep(0)
    assert (await crumbs.answer(question[at + 3 :]))[0] == 200


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /v1/flags/\xff HTTP/1.1\r\n\r\n",
        b"GET /v1/flags/bank\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ],
)
async def test_junk_gets_an_error_or_is_shut_out_and_nobody_else_notices(talk: Talking, junk: bytes) -> None:
    odd, honest = await talk(), await talk()
    odd.writer.write(junk)
    assert (await honest.answer(GET % (b"bank", b"")))[0] == 200
    odd.writer.close()


async def test_a_half_sent_head_is_shut_out(talk: Talking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEAD_WITHIN", 0.2)
    slow = await talk()
    slow.writer.write(b"GET /v1/fl")
    async with asyncio.timeout(5):
        assert await slow.reader.read() == b""


async def test_a_head_without_an_end_is_not_kept(talk: Talking) -> None:
    endless = await talk()
    endless.writer.write(b"GET /" + b"a" * 200_000)
    async with asyncio.timeout(5):
        assert b" 400 " in await endless.reader.read(16)


async def test_one_too_many_is_told_so_and_the_others_stay(talk: Talking) -> None:
    inside = [await talk() for _ in range(5)]
    for one in inside:
        assert (await one.answer(GET % (b"bank", b"")))[0] == 200
    late = await talk()
    async with asyncio.timeout(5):
        assert (await late.reader.read()).startswith(b"HTTP/1.1 503")
    assert (await inside[0].answer(GET % (b"bank", b"")))[0] == 200


@pytest.fixture
async def threshold() -> AsyncIterator[door.Threshold]:
    made = door.Threshold("read", "127.0.0.1:0", HotFlags(Documents(fresh())))
    await made.open()
    yield made
    for one in list(made.standing):
        one.leave()
    made.close()


async def flood(threshold: door.Threshold) -> tuple[socket.socket, door.Door]:
    """A connection that has asked as often as it could, and has read nothing; and the door it stands in."""
    loop = asyncio.get_running_loop()
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.settimeout(0)
    host, _, port = threshold.url.removeprefix("http://").rpartition(":")
    await loop.sock_connect(asking, (host, int(port)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while True:
                await loop.sock_sendall(asking, GET % (b"bank", b"") * 1000)
    (there,) = threshold.standing
    return asking, there


async def test_who_does_not_read_is_answered_no_more_and_asked_nothing_more(threshold: door.Threshold) -> None:
    asking, there = await flood(threshold)
    transport = there._transport
    assert transport.get_write_buffer_size() < 80 * 1024
    assert not transport.is_reading()
    asking.close()


async def test_who_reads_late_gets_every_answer(threshold: door.Threshold) -> None:
    host, _, port = threshold.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
    writer.write(GET % (b"bank", b"") * 20_000 + GET % (b"bank", b"Connection: close\r\n"))
    await asyncio.sleep(0.5)
    assert [one._transport.is_reading() for one in threshold.standing] == [False], "it waits for its reader"
    async with asyncio.timeout(20):
        assert (await reader.read()).count(b"HTTP/1.1 200") == 20_001
    writer.close()


async def test_who_never_reads_is_cut_off(threshold: door.Threshold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEAD_WITHIN", 0.1)
    monkeypatch.setattr(door, "READ_WITHIN", 2.5)
    asking, there = await flood(threshold)
    assert there in threshold.standing, "it has its time"
    async with asyncio.timeout(5):
        while threshold.standing:  # noqa: ASYNC110 - until it is gone
            await asyncio.sleep(0.05)
    asking.close()


class Wire(asyncio.Transport):
    """A connection whose other end reads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """One answer each."""
        assert data
        self.answers += 1

    def is_closing(self) -> bool:
        """Never."""
        return False

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """As above."""

    def close(self) -> None:
        """Nothing to close."""


async def test_who_asks_much_at_once_is_answered_a_turn_at_a_time(threshold: door.Threshold) -> None:
    asking, wire = door.Door(threshold), Wire()
    asking.connection_made(wire)
    asking.data_received(GET % (b"bank", b"") * 1000 + b"GET /v1/fl")
    told = [wire.answers]
    while told[-1] < 1000:
        await asyncio.sleep(0)
        told.append(wire.answers)
    assert max(after - before for before, after in itertools.pairwise([0, *told])) <= door.A_TURN
    asking.connection_lost(None)
