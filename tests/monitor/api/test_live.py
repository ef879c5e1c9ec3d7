"""Who listens to the change stream: seated from the door, told at once, and gone without anybody noticing."""

import asyncio

from tests.monitor.api.conftest import Doors

ASK = b"GET /v1/events HTTP/1.1\r\nHost: x\r\n%s\r\n"
CROWD = 60


async def listen(doors: Doors, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A listener that was greeted, and all it was greeted with."""
    host, _, port = doors.read.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(ASK % more)
    async with asyncio.timeout(5):
        greeting = await reader.readuntil(b"\n\n\r\n")
        if b"refetchEvaluation" not in greeting:
            greeting += await reader.readuntil(b"\n\n\r\n")
    return reader, writer, greeting


def headers(greeting: bytes) -> dict[bytes, bytes]:
    """Those of an answer, without what a web server says of itself."""
    lines = greeting.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name: value for name, _, value in (line.partition(b": ") for line in lines) if name not in {b"Date", b"Server"}}


async def test_a_seat_says_what_aiohttp_says(doors: Doors) -> None:
    _, seat, one = await listen(doors)
    _, request, other = await listen(doors, b"Connection: upgrade\r\n")
    assert headers(one) == headers(other)
    assert one[:15] == other[:15] == b"HTTP/1.1 200 OK"
    for said in (one, other):
        assert b"retry: 1000\n\n" in said
        assert b"event: message\ndata: " in said
    seat.close()
    request.close()


async def test_a_crowd_needs_no_tasks_and_whoever_leaves_holds_up_nobody_who_stays(doors: Doors) -> None:
    before = len(asyncio.all_tasks())
    crowd = [await listen(doors) for _ in range(CROWD)]
    assert len(doors.read) == CROWD
    assert len(asyncio.all_tasks()) - before < CROWD / 4, "one who tells, and none who waits"
    for _, writer, _ in crowd[CROWD // 2 :]:
        writer.transport.abort()
    (await doors.pause()).release()
    async with asyncio.timeout(5):
        told = await asyncio.gather(*(reader.readuntil(b"refetchEvaluation") for reader, _, _ in crowd[: CROWD // 2]))
    assert len(told) == CROWD // 2
    async with asyncio.timeout(5):
        while len(doors.read) > CROWD // 2:  # noqa: ASYNC110 - until the last loss is heard of
            await asyncio.sleep(0.01)
    for _, writer, _ in crowd:
        writer.close()


async def test_listeners_leave_with_the_door(doors: Doors) -> None:
    reader, writer, _ = await listen(doors)
    await doors.read.stop()
    async with asyncio.timeout(5):
        assert await reader.read() in {b"", b"0\r\n\r\n"}
    writer.close()
