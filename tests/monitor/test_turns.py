"""Turns: no flood keeps another waiting, what may hurt goes first, and who is costly comes last."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.events import Transaction
from monitor.rows import MOST_OF_ONE
from monitor.turns import Kind, Turns


def tx(sender: str, number: int = 0, *, to: str | None = None, stake: int = 1) -> Transaction:
    name = f"{sender}{number}"
    return Transaction(
        chain="eip155:1", at=0.0, id=name, sender=sender, to=to, value=0, input="0x", nonce=number, gas=stake, max_fee=1
    )  # fmt: skip


def ready(turns: Turns, kind: Kind = Kind.FAR) -> list[Transaction]:
    """Everything that may fly now."""
    return list(iter(lambda: turns.take_now(kind), None))


def names(taken: list[Transaction]) -> list[str]:
    return [one.id for one in taken]


@pytest.mark.parametrize("near", [True, False])
async def test_who_waits_for_a_turn_gets_it_when_one_is_offered(*, near: bool) -> None:
    turns = Turns(10)
    waiting = asyncio.create_task(turns.take(Kind.NEAR if near else Kind.FAR))
    await asyncio.sleep(0)
    turns.offer(tx("thief"), near=near)
    assert (await waiting).id == "thief0"


def test_a_flood_of_one_sender_lets_everybody_else_pass() -> None:
    turns = Turns(1000)
    for number in range(200):
        turns.offer(tx("flood", number))
    turns.offer(tx("thief"))
    flying = ready(turns)
    assert names(flying) == ["flood0", "thief0"]
    turns.done(flying[0])
    assert names(ready(turns)) == ["flood1"]


def test_what_has_a_reason_to_touch_a_watched_contract_waits_for_none_of_the_others() -> None:
    turns = Turns(10_000)
    for number in range(5_000):
        turns.offer(tx(f"fresh{number}-", number))
    turns.offer(tx("thief"), near=True)
    assert names(ready(turns, Kind.NEAR)) == ["thief0"]
    turns.offer(tx("thief", 1))
    assert turns.size == 5_001


def test_among_thousands_of_fresh_senders_who_shows_most_money_is_within_the_first_two() -> None:
    turns = Turns(10_000)
    for number in range(5_000):
        turns.offer(tx(f"fresh{number}-", number))
    turns.offer(tx("thief", stake=2))
    first, second = turns.take_now(Kind.FAR), turns.take_now(Kind.FAR)
    assert first is not None
    assert second is not None
    assert "thief0" in {first.id, second.id}


def test_money_shown_by_thousands_does_not_keep_a_poor_one_from_its_turn() -> None:
    turns = Turns(10_000)
    turns.offer(tx("poor"))
    for number in range(1_000):
        turns.offer(tx(f"rich{number}-", number, stake=1_000))
    assert "poor0" in names([taken for _ in range(3) if (taken := turns.take_now(Kind.FAR)) is not None])


def test_costly_senders_and_contracts_go_apart_and_what_may_touch_what_is_watched_goes_first_of_them() -> None:
    turns = Turns(1000)
    turns.blame("bomb", "0xb0")
    for sender, to in (("bomb", None), ("bang", "0xb0"), ("honest", None)):
        turns.offer(tx(sender, 1, to=to), near=sender != "bomb")
    assert names(ready(turns, Kind.NEAR) + ready(turns)) == ["honest1"]
    assert names(ready(turns, Kind.SLOW)) == ["bang1", "bomb1"]


def test_of_a_contract_never_simulated_one_goes_at_once_until_it_is_known_not_to_be_costly() -> None:
    turns = Turns(1000)
    for number in range(20):
        turns.offer(tx(f"fresh{number}-", 0, to="0xb0"), near=True)
    turns.offer(tx("thief", to="0xa1"), near=True)
    flying = ready(turns, Kind.NEAR)
    assert {one.to for one in flying} == {"0xb0", "0xa1"}
    assert len(flying) == 2
    assert turns.size == 19
    turns.forget(["fresh7-0"])
    assert turns.size == 18
    turns.forgive("0xb0")
    turns.done(next(one for one in flying if one.to == "0xb0"))
    assert len(ready(turns, Kind.NEAR)) == 18


def test_those_behind_the_first_of_a_costly_contract_come_after_everyone_else_and_are_not_lost() -> None:
    turns = Turns(1000)
    for number in range(20):
        turns.offer(tx(f"fresh{number}-", 0, to="0xb0"), near=True)
    (first,) = ready(turns, Kind.NEAR)
    turns.blame(first.sender, "0xb0")
    turns.done(first)
    turns.offer(tx("thief", to="0xa1"), near=True)
    assert names(ready(turns, Kind.NEAR)) == ["thief0"]
    assert turns.size == 19
    turns.offer(tx("poor", to="0xc2"), near=True, slow=True)
    slow = [turns.take_now(Kind.SLOW) for _ in range(2)]
    assert {one and one.to for one in slow} == {"0xb0", "0xc2"}, "contract by contract"
    assert not turns.take_lost()


def test_who_is_moved_to_the_end_is_named_where_its_sender_has_too_many_there() -> None:
    turns = Turns(100_000)
    turns.blame("flood")
    for number in range(MOST_OF_ONE):
        turns.offer(tx("flood", number))
    turns.forgive("flood")
    for number in range(MOST_OF_ONE, MOST_OF_ONE + 10):
        turns.offer(tx("flood", number))
    turns.blame("flood")
    flown = names(ready(turns) + ready(turns, Kind.SLOW))
    assert len(flown) + turns.size + len(turns.take_lost()) == MOST_OF_ONE + 10


def test_who_turns_out_costly_takes_what_waits_already_to_the_end() -> None:
    turns = Turns(1000)
    for sender in ("bomb", "bang", "honest"):
        turns.offer(tx(sender, 1, to="0xb0" if sender != "honest" else None))
    first = turns.take_now(Kind.FAR)
    assert first is not None
    turns.blame(first.sender, "0xb0")
    turns.done(first)
    assert names(ready(turns) + ready(turns, Kind.SLOW)) == ["honest1", "bang1"]
    turns.forgive("0xb0")
    turns.offer(tx("bong", 1, to="0xb0"))
    assert names(ready(turns)) == ["bong1"], "forgiven, it need not wait for the costly one in flight"


def test_what_is_over_capacity_is_what_has_least_at_stake_and_is_named() -> None:
    turns = Turns(3)
    for number in range(3):
        turns.offer(tx("flood", number, stake=10 + number))
    turns.offer(tx("thief", stake=100))
    assert (turns.size, names(turns.take_lost()), turns.take_lost()) == (3, ["flood0"], [])
    turns.offer(tx("near"), near=True)
    assert names(turns.take_lost()) == ["flood1"], "a far one goes before a near one, however much it shows"


def test_one_sender_cannot_fill_the_house() -> None:
    turns = Turns(100_000)
    turns.offer(tx("flood", 0, stake=2))
    for number in range(1, MOST_OF_ONE + 100):
        turns.offer(tx("flood", number))
    assert (turns.size, len(turns.take_lost())) == (MOST_OF_ONE, 100)
    assert names(ready(turns)) == ["flood0"]


def test_what_was_mined_waits_no_more() -> None:
    turns = Turns(10)
    for sender in "abc":
        turns.offer(tx(sender), near=sender == "b")
    turns.forget(["a0", "b0", "unheard of"])
    assert (turns.size, names(ready(turns)), ready(turns, Kind.NEAR)) == (1, ["c0"], [])


Moves = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans(), st.integers(1, 3)), max_size=60)


@given(Moves)
def test_everything_offered_flies_once(moves: list[tuple[str, bool, bool, int]]) -> None:
    turns, flown = Turns(1000), list[str]()
    for number, (sender, costly, near, stake) in enumerate(moves):
        turns.offer(tx(sender, number, stake=stake), near=near)
        for one in ready(turns, Kind.NEAR if near else Kind.FAR):
            flown.append(one.id)
            if costly:
                turns.blame(one.sender)
            else:
                turns.forgive(one.sender)
            turns.done(one)
    while more := [one for kind in Kind for one in ready(turns, kind)]:
        for one in more:
            flown.append(one.id)
            turns.done(one)
    assert sorted(flown) == sorted(f"{sender}{number}" for number, (sender, *_) in enumerate(moves))
    assert turns.size == 0


@given(st.lists(st.tuples(st.sampled_from(["offer", "take", "done", "forget"]), st.integers(0, 9), st.integers(1, 3))))
def test_whatever_happens_the_count_is_that_of_who_waits_and_nobody_flies_twice(moves: list[tuple[str, int, int]]) -> None:
    turns, waiting, flying = Turns(1000), set[str](), list[Transaction]()
    for number, (move, who, stake) in enumerate(moves):
        if move == "offer":
            turns.offer(tx(f"s{who % 3}-", number, to=f"c{who % 4}", stake=stake))
            waiting.add(f"s{who % 3}-{number}")
        elif move == "take" and (taken := turns.take_now(Kind.FAR)) is not None:
            assert taken.sender not in {one.sender for one in flying}
            waiting.remove(taken.id)
            flying.append(taken)
        elif move == "done" and flying:
            turns.done(flying.pop(who % len(flying)))
        elif move == "forget" and waiting:
            gone = sorted(waiting)[who % len(waiting)]
            turns.forget([gone])
            waiting.remove(gone)
        assert turns.size == len(waiting)
    for one in flying:
        turns.done(one)
    while (taken := turns.take_now(Kind.FAR)) is not None:
        waiting.remove(taken.id)
        turns.done(taken)
    assert not waiting


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_small_row_still_moves(capacity: int) -> None:
    turns = Turns(capacity)
    for number in range(5):
        turns.offer(tx("a", number))
    assert len(ready(turns)) == 1
