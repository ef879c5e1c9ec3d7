"""A bounded queue keeps its written rule, whoever is slow."""

import asyncio

import pytest

from monitor.stream import Queue, QueueClosed, Rule


async def test_nothing_is_lost_under_never_and_the_writer_waits() -> None:
    queue: Queue[int] = Queue(2, Rule.NEVER)

    async def write() -> None:
        for n in range(100):
            assert await queue.put(n)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert len(queue) == 2
    assert not queue.offer(99)
    assert [await queue.get() for _ in range(100)] == list(range(100))
    await writing
    assert queue.take_lost() == 0


@pytest.mark.parametrize(("rule", "kept"), [(Rule.DROP_OLDEST, [7, 8, 9]), (Rule.DROP_NEWEST, [0, 1, 2])])
async def test_what_a_loss_rule_gives_up_is_counted_once(rule: Rule, kept: list[int]) -> None:
    queue: Queue[int] = Queue(3, rule)
    for n in range(10):
        await queue.put(n)
    assert await queue.drain() == kept
    assert (queue.take_lost(), queue.take_lost()) == (7, 0)


async def test_a_burst_can_be_read_in_slices_and_lets_writers_in() -> None:
    queue: Queue[int] = Queue(4, Rule.NEVER)
    for n in range(4):
        queue.offer(n)
    waiting = [asyncio.create_task(queue.put(n)) for n in (4, 5)]
    await asyncio.sleep(0)
    assert await queue.drain(3) == [0, 1, 2]
    assert all(await asyncio.gather(*waiting))
    assert await queue.drain() == [3, 4, 5]


async def test_a_closed_queue_gives_what_it_has_and_then_its_reason() -> None:
    queue: Queue[int] = Queue(1, Rule.NEVER)
    queue.offer(1)
    blocked = asyncio.create_task(queue.put(2))
    await asyncio.sleep(0)
    queue.close(KeyError("gone"))
    queue.close()
    with pytest.raises(KeyError):
        await blocked
    assert await queue.get() == 1
    with pytest.raises(KeyError):
        await queue.get()
    assert not queue.offer(3)


async def test_a_waiting_reader_hears_of_the_end() -> None:
    queue: Queue[int] = Queue(1, Rule.DROP_OLDEST)
    reading = asyncio.create_task(queue.drain())
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(QueueClosed):
        await reading


async def test_a_cancelled_writer_passes_its_turn_on() -> None:
    queue: Queue[int] = Queue(1, Rule.NEVER)
    queue.offer(0)
    first, second = asyncio.create_task(queue.put(1)), asyncio.create_task(queue.put(2))
    await asyncio.sleep(0)
    assert await queue.get() == 0  # wakes the first, which is cancelled before it runs
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await second
    assert await queue.get() == 2


async def test_a_cancelled_reader_loses_nothing() -> None:
    queue: Queue[int] = Queue(1, Rule.NEVER)
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.offer(7)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await queue.get() == 7


async def test_two_readers_and_no_room_are_mistakes_told_at_once() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Queue(0, Rule.NEVER)
    queue: Queue[int] = Queue(1, Rule.NEVER)
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one reader"):
        await queue.get()
    reading.cancel()
