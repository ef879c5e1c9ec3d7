"""Who listens to the change stream: seated from the door, told at once, and gone without anybody noticing."""

import asyncio
import time
from collections.abc import Callable

import pytest

from monitor.api import live
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


class Source:
    """What is listened to, changed by hand."""

    def __init__(self) -> None:
        self.version = "old"
        self.watchers: list[asyncio.Event] = []

    def subscribe(self) -> asyncio.Event:
        """Another watcher."""
        self.watchers.append(asyncio.Event())
        return self.watchers[-1]

    def unsubscribe(self, changed: asyncio.Event) -> None:
        """One fewer."""
        self.watchers.remove(changed)

    def change(self) -> None:
        """To what is new."""
        self.version = "new"
        for one in self.watchers:
            one.set()


class Ear(asyncio.Transport):
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.told += bytes(data)

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_write_buffer_size(self) -> int:
        """It reads at once."""
        return 0


async def until(so: Callable[[], bool]) -> None:
    """Wait for it, a second at most."""
    async with asyncio.timeout(1):
        while not so():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.005)


async def test_a_change_in_the_turn_of_a_sign_of_life_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEEPALIVE_SECONDS", 0.05)
    source, ear, loop = Source(), Ear(), asyncio.get_running_loop()
    audience = live.Audience(source)
    audience.join(ear, chunked=False)
    await asyncio.sleep(0)
    loop.call_later(0.04, time.sleep, 0.05)  # the loop is held up until both are due, so that one turn brings both
    loop.call_later(0.051, source.change)
    await until(lambda: b"new" in ear.told)
    audience.leave(ear)
    await until(lambda: not source.watchers)


async def test_a_change_before_the_teller_has_begun_is_told() -> None:
    source, ear = Source(), Ear()
    audience = live.Audience(source)
    audience.join(ear, chunked=False)
    source.change()
    await until(lambda: b"new" in ear.told)
    audience.leave(ear)
    audience.join(ear, chunked=False)
    audience.leave(ear)  # and of a teller that never began nothing is left
    await until(lambda: not source.watchers)


async def test_listeners_leave_with_the_door(doors: Doors) -> None:
    reader, writer, _ = await listen(doors)
    await doors.read.stop()
    async with asyncio.timeout(5):
        assert await reader.read() in {b"", b"0\r\n\r\n"}
    writer.close()
