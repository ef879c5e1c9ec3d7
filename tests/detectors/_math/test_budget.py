"""Sums over a moving window equal the sum counted by hand, forwards and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors._math.budget import Budget
from detectors._math.undo import Undo

SPAN, BUCKETS = 600, 10
EVENTS = st.lists(st.tuples(st.integers(0, 400), st.integers(-(10**30), 10**30)), min_size=1, max_size=30)


def by_hand(events: list[tuple[int, int]], now: int) -> int:
    width = SPAN // BUCKETS
    return sum(amount for at, amount in events if now // width - BUCKETS < at // width <= now // width)


def timed(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    at, events = 0, []
    for gap, amount in steps:
        at += gap
        events.append((at, amount))
    return events


@given(EVENTS, st.integers(0, 1500))
def test_the_running_sum_is_the_sum_of_the_window(steps: list[tuple[int, int]], later: int) -> None:
    events = timed(steps)
    budget = Budget(Undo().map(), span=SPAN, buckets=BUCKETS)
    for i, (at, amount) in enumerate(events):
        assert budget.add(at, amount) == by_hand(events[: i + 1], at)
    now = events[-1][0] + later
    assert budget.total(now) == by_hand(events, now)


@given(EVENTS, st.integers(0, 30))
def test_a_reverted_block_gives_back_even_buckets_that_had_left_the_window(steps: list[tuple[int, int]], keep: int) -> None:
    events = timed(steps)
    log = Undo()
    ring = log.map()
    budget = Budget(ring, span=SPAN, buckets=BUCKETS)
    states = []
    for height, (at, amount) in enumerate(events):
        states.append(dict(ring))
        log.open(height)
        budget.add(at, amount)
    keep = min(keep, len(events) - 1)
    log.revert(keep)
    assert dict(ring) == states[keep]


def test_what_arrives_older_than_the_window_is_not_counted() -> None:
    budget = Budget(Undo().map(), span=SPAN, buckets=BUCKETS)
    budget.add(10_000, 5)
    assert budget.add(10, 7) == 5
    assert budget.add(9_990, 1) == 6, "late, but inside"


def test_a_ring_never_holds_more_than_its_buckets() -> None:
    ring = Undo().map()
    budget = Budget(ring, span=SPAN, buckets=BUCKETS)
    for at in range(0, 1_000_000, 7_919):
        budget.add(at, 1)
    assert len(ring) <= BUCKETS + 2


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Budget(Undo().map(), span=0)
