"""Turns: no flood of one keeps another waiting, and who is costly comes last."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.events import Transaction
from monitor.turns import Turns


def tx(sender: str, number: int = 0) -> Transaction:
    name = f"{sender}{number}"
    return Transaction(
        chain="eip155:1", at=0.0, id=name, sender=sender, to=None, value=0, input="0x", nonce=number, gas=1, max_fee=1
    )  # fmt: skip


def ready(turns: Turns) -> list[str]:
    """Everything that may fly now."""
    return [taken.id for taken in iter(turns.take_now, None)]


async def test_who_waits_for_a_turn_gets_it_when_one_is_offered() -> None:
    turns = Turns(10)
    waiting = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    turns.offer(tx("thief"))
    assert (await waiting).id == "thief0"


def test_a_flood_of_one_sender_lets_everybody_else_pass() -> None:
    turns = Turns(1000)
    for number in range(500):
        turns.offer(tx("flood", number))
    turns.offer(tx("thief"))
    assert ready(turns) == ["flood0", "thief0"]
    turns.done("flood", costly=False)
    assert ready(turns) == ["flood1"]


def test_costly_senders_come_last_and_one_at_a_time() -> None:
    turns = Turns(1000)
    for sender in ("bomb", "bang"):
        turns.offer(tx(sender))
        ready(turns)
        turns.done(sender, costly=True)
    for sender in ("bomb", "bang", "honest"):
        turns.offer(tx(sender, 1))
    assert ready(turns) == ["honest1", "bomb1"]
    turns.done("bomb", costly=False)
    assert ready(turns) == ["bang1"]


def test_what_is_over_capacity_is_given_up_by_who_has_most_and_counted() -> None:
    turns = Turns(3)
    for number in range(3):
        turns.offer(tx("flood", number))
    turns.offer(tx("thief"))
    assert (turns.size, turns.take_lost(), turns.take_lost()) == (3, 1, 0)
    assert ready(turns) == ["thief0", "flood1"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60))
def test_everything_offered_flies_once_and_a_senders_in_order(moves: list[tuple[str, bool]]) -> None:
    turns, flown = Turns(1000), []
    for number, (sender, costly) in enumerate(moves):
        turns.offer(tx(sender, number))
        for name in ready(turns):
            flown.append(name)
            turns.done(name[0], costly=costly)
    while more := ready(turns):
        for name in more:
            flown.append(name)
            turns.done(name[0], costly=False)
    assert sorted(flown) == sorted(f"{sender}{number}" for number, (sender, _) in enumerate(moves))
    for sender in "abcd":
        mine = [int(name[1:]) for name in flown if name[0] == sender]
        assert mine == sorted(mine)


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_small_row_still_moves(capacity: int) -> None:
    turns = Turns(capacity)
    for number in range(5):
        turns.offer(tx("a", number))
    assert len(ready(turns)) == 1
