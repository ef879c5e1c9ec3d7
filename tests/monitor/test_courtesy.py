"""A block waits for a verdict that is being made; a flood of them holds it up a little, once."""

import asyncio
from time import perf_counter

from monitor.courtesy import MOST, SLICE, Courtesy


async def verdict(turns: int, made: list[int]) -> None:
    """What takes so many turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    made.append(turns)


async def work(courtesy: Courtesy, slices: int, seen: list[int], made: list[int]) -> None:
    """A block that is judged in so many slices; `seen` is how many verdicts were made before each."""
    courtesy.begin()
    for _ in range(slices):
        seen.append(len(made))
        until = perf_counter() + SLICE
        while perf_counter() < until:
            pass
        await courtesy.pause()


async def test_a_verdict_of_many_turns_waits_for_one_slice_of_the_block() -> None:
    courtesy, made, seen = Courtesy(), list[int](), list[int]()
    courtesy.urgent = lambda: not made
    task = asyncio.create_task(verdict(12, made))
    await work(courtesy, 6, seen, made)
    await task
    assert seen == [0, 1, 1, 1, 1, 1]


async def test_without_one_others_get_a_turn_a_slice_and_the_block_goes_on() -> None:
    courtesy, made, seen = Courtesy(), list[int](), list[int]()
    task = asyncio.create_task(verdict(3, made))
    await work(courtesy, 6, seen, made)
    await task
    assert seen[0] == 0
    assert seen[-1] == 1


async def test_verdicts_without_end_hold_a_block_up_only_so_long_and_the_next_one_again() -> None:
    courtesy = Courtesy()
    courtesy.urgent = lambda: True
    took = []
    for _ in range(2):
        courtesy.begin()
        began = perf_counter()
        for _ in range(5):
            await courtesy.stand_aside()
        took.append(perf_counter() - began)
    assert min(took) >= MOST
    assert max(took) < 20 * MOST
