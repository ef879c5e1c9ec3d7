"""Places: after one that was too long there is one place for a while, and only who failed alone is to blame."""

import asyncio

from monitor.places import LONG, LONGER, Places


async def test_who_fails_beside_others_may_be_excused_and_the_next_goes_alone() -> None:
    places = Places(3)
    for name in ("bomb", "thief"):
        await places.room()
        places.enter(name)
    assert places.shared
    assert places.failed("thief"), "the bomb was there all the time"
    places.leave("bomb")
    waiting = asyncio.create_task(places.room())
    await asyncio.sleep(0)
    assert not waiting.done(), "careful: one at a time"
    places.leave("thief")
    await waiting
    places.enter("bomb")
    assert not places.failed("bomb"), "alone, it is its own fault"


async def test_who_came_before_and_left_after_was_beside_too() -> None:
    places = Places(3)
    for name in ("bomb", "thief", "honest"):
        places.enter(name)
    places.leave("bomb")
    places.leave("honest")
    places.enter("late")
    assert places.first == "thief"
    assert places.failed("late")
    assert places.failed("thief")


async def test_what_is_long_is_told_from_the_quickest_and_never_from_those_who_wait() -> None:
    places = Places(2)
    assert places.long is None
    places.answered(0.001)
    places.answered(1.4)
    assert places.long == LONG
    for _ in range(500):
        places.answered(0.3)
    assert places.long == 0.3 * LONGER


async def test_how_long_the_node_is_at_work_on_one_is_counted_from_when_it_came_first() -> None:
    places = Places(2)
    places.enter("bomb")
    places.enter("thief")
    await asyncio.sleep(0.05)
    assert places.works >= 0.05
    places.leave("thief")
    assert places.works >= 0.05
    places.enter("honest")
    before = places.works
    places.leave("bomb")
    assert (places.first, places.works < before) == ("honest", True)
