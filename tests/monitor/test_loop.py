"""Thousands who have something to say at once do not hold up what is due, and none of them is forgotten."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Callable

import pytest

from monitor.loop import AT_ONCE, fair

CROWD = 900
ROOM = 2 * CROWD + 100


@pytest.fixture(autouse=True)
def _room_for_the_crowd() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < ROOM:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ROOM, hard))


async def crowded(busy: int) -> tuple[int, Counter[int]]:
    """Everybody speaks at once, and the first `busy` for ever: most reads between two turns of a task, and who was read."""
    loop, heard, between = asyncio.get_running_loop(), Counter[int](), [0]
    pairs = [socket.socketpair() for _ in range(CROWD)]

    def hear(number: int) -> None:
        heard[number] += 1
        between[0] += 1
        if number >= busy:
            pairs[number][0].recv(1)

    try:
        for number, (here, there) in enumerate(pairs):
            there.send(b"x")
            loop.add_reader(here, hear, number)
        most = 0
        for _ in range(3 * (CROWD // AT_ONCE + 1)):
            await asyncio.sleep(0)
            most, between[0] = max(most, between[0]), 0
        return most, heard
    finally:
        for here, there in pairs:
            loop.remove_reader(here)
            here.close()
            there.close()


def run(factory: Callable[[], asyncio.AbstractEventLoop], busy: int) -> tuple[int, Counter[int]]:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(crowded(busy))


def test_a_task_gets_its_turn_between_a_few_of_them() -> None:
    most, heard = run(fair, 0)
    assert most <= AT_ONCE + 1
    assert heard == Counter(dict.fromkeys(range(CROWD), 1)), "each once"
    assert run(asyncio.new_event_loop, 0)[0] >= CROWD, "the standard loop takes them all in one turn"


def test_who_never_stops_talking_keeps_nobody_else_from_being_heard() -> None:
    _, heard = run(fair, AT_ONCE)
    assert set(heard) == set(range(CROWD))


def test_timers_and_waiting_work_as_ever() -> None:
    async def nap() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.02)
        return asyncio.get_running_loop().time() - began

    with asyncio.Runner(loop_factory=fair) as runner:
        assert runner.run(nap()) >= 0.02
