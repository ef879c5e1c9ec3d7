"""What is thought of a node, as a table of cases, and who among several is asked."""

from collections.abc import Callable
from functools import reduce
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.chains.health import (
    BANISHED,
    FORGIVEN,
    HALF_LIFE,
    MOST,
    TRANSITIONS,
    Answer,
    Health,
    Sign,
    Standing,
    State,
    answered,
    contradicted,
    failed,
    leader,
    signed,
)  # fmt: skip

SLOT = 12.0
WALL = 1_800_000_000.0

Step = Callable[[Health], Health]


def says(height: int, *, now: float, best: int = -1, age: float = 0.0, safe: int = -1, finalized: int = -1) -> Step:
    """It answers, `age` seconds behind the wall clock, while others have `best`."""
    answer = Answer(height=height, head_time=WALL + now - age, safe=safe, finalized=finalized)
    return lambda health: answered(health, answer, best, SLOT, now, WALL + now)


def fails(now: float, strikes: float = 1.0) -> Step:
    return lambda health: failed(health, "no answer within 1.5 s", now, strikes=strikes)


def sign(which: Sign, now: float = 0.0) -> Step:
    return lambda health: signed(health, which, "seen", now)


def lies(now: float) -> Step:
    return lambda health: contradicted(health, "garbled", now)


CASES: dict[str, tuple[list[Step], State]] = {
    "a new node is undialed": ([], State.UNDIALED),
    "one that answers is alive": ([says(5, now=1)], State.ALIVE),
    "one that cannot be dialled is unreachable": ([sign(Sign.DOWN)], State.UNREACHABLE),
    "one of another chain is refused": ([sign(Sign.FOREIGN)], State.WRONG_CHAIN),
    "one failure is forgiven": ([says(5, now=1), fails(2)], State.ALIVE),
    "three failures in a row are too many": ([says(5, now=1), fails(2), fails(2.5), fails(3)], State.UNREACHABLE),
    "a good answer between does not reset them": (
        [says(5, now=1), fails(2), says(5, now=2.1), fails(2.2), says(5, now=2.3), fails(2.4)],
        State.UNREACHABLE,
    ),
    "failures far apart fade": ([says(5, now=1), fails(2), fails(30), fails(60), fails(90)], State.ALIVE),
    "one that failed is not believed at its first answer": ([fails(1), fails(1), fails(1), says(5, now=2)], State.UNREACHABLE),
    "but is after a while of answers": ([fails(1), fails(1), fails(1), says(5, now=2), says(6, now=12)], State.ALIVE),
    "a lost connection alone is forgiven at once": ([says(5, now=1), sign(Sign.DOWN), says(5, now=2)], State.ALIVE),
    "a lost connection ends being alive": ([says(5, now=1), sign(Sign.DOWN)], State.UNREACHABLE),
    "old and behind the others is out of sync": ([says(5, now=1, best=20, age=200)], State.OUT_OF_SYNC),
    "behind but fresh is not: the others may lie": ([says(5, now=1, best=9_999, age=1)], State.ALIVE),
    "behind and not moving is, whatever its clock says": (
        [says(5, now=1, best=5), says(5, now=30, best=7), says(5, now=60, best=9)],
        State.OUT_OF_SYNC,
    ),
    "old with nobody ahead is not: the chain is quiet": ([says(5, now=1, best=5, age=900)], State.ALIVE),
    "old with nobody else is not": ([says(5, now=1, age=900)], State.ALIVE),
    "nearly caught up is still out of sync": (
        [says(5, now=1, best=20, age=200), says(22, now=10, best=24, age=30)],
        State.OUT_OF_SYNC,
    ),
    "caught up is alive": ([says(5, now=1, best=20, age=200), says(24, now=10, best=24)], State.ALIVE),
    "safe above head is a contradiction": ([says(5, now=1, safe=6, finalized=2)], State.INVALID_FINALITY),
    "finalized above safe is a contradiction": ([says(9, now=1, safe=4, finalized=6)], State.INVALID_FINALITY),
    "finality taken back is a contradiction": (
        [says(9, now=1, safe=8, finalized=7), says(10, now=2, safe=8, finalized=6)],
        State.INVALID_FINALITY,
    ),
    "what was safe may be taken back once": ([says(9, now=1, safe=8), says(10, now=2, safe=7)], State.ALIVE),
    "and not time and again": (
        [says(9, now=1, safe=8), *(says(9, now=2 + step / 5, safe=7 - step) for step in range(3))],
        State.INVALID_FINALITY,
    ),
    "one whose finality cannot be stays so when it hangs up": (
        [says(5, now=1, safe=6, finalized=2), sign(Sign.DOWN), fails(2)],
        State.INVALID_FINALITY,
    ),
    "and is believed again after half a minute of order": (
        [says(5, now=1, safe=6, finalized=2), says(8, now=40, safe=6, finalized=2)],
        State.ALIVE,
    ),
    "tags that are not offered are none": ([says(9, now=1, safe=8, finalized=7), says(10, now=2)], State.ALIVE),
    "a contradiction is not forgiven soon": ([says(5, now=1), lies(2), says(5, now=3), says(6, now=20)], State.QUARANTINED),
    "it is after half a minute of truth": ([says(5, now=1), lies(2), says(5, now=3), says(8, now=40)], State.ALIVE),
    "a liar that hangs up stays one": ([says(5, now=1), lies(2), sign(Sign.DOWN)], State.QUARANTINED),
    "one of another chain that hangs up stays one": ([sign(Sign.FOREIGN), sign(Sign.DOWN)], State.WRONG_CHAIN),
    "one that serves the right chain again is alive": ([sign(Sign.FOREIGN), says(5, now=1)], State.ALIVE),
    "one that changes chains while alive is refused": ([says(5, now=1), sign(Sign.FOREIGN)], State.WRONG_CHAIN),
    "one that lags and then dies is unreachable": (
        [says(5, now=1, best=20, age=200), sign(Sign.DOWN)],
        State.UNREACHABLE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_node_is_thought_of(case: str) -> None:
    steps, state = CASES[case]
    assert reduce(lambda health, step: step(health), steps, Health()).state is state


def test_every_sign_means_something_in_every_state() -> None:
    assert set(TRANSITIONS) == set(product(State, Sign))
    for sign_ in Sign:
        assert TRANSITIONS[State.UNDIALED, sign_] is not State.UNDIALED


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["fails", "answers", "down"])), max_size=40))
def test_whatever_happened_a_node_that_answers_long_enough_is_believed_again(history: list[tuple[float, str]]) -> None:
    now, health = 0.0, Health()
    for wait, what in history:
        now += wait
        step = {"fails": fails(now), "answers": says(5, now=now), "down": sign(Sign.DOWN, now)}[what]
        health = step(health)
        assert health.strikes <= MOST
    assert says(9, now=now + 2 * HALF_LIFE)(health).state is State.ALIVE


@given(st.lists(st.floats(0, 60), min_size=1, max_size=20))
def test_a_liar_is_never_believed_before_its_time(waits: list[float]) -> None:
    health, now = lies(0.0)(says(5, now=0.0)(Health())), 0.0
    for wait in waits:
        now += wait
        health = says(5 + int(now), now=now)(health)
        assert (health.state is State.ALIVE) == (BANISHED * 0.5 ** (now / HALF_LIFE) < FORGIVEN)


def of(state: State, *, answers: bool = False) -> Health:
    return msgspec.structs.replace(Health(), state=state, answers=answers)


LEADS = [
    ("the first while all is well", "a", State.ALIVE, State.ALIVE, "a"),
    ("the second stays though the first is back", "b", State.ALIVE, State.ALIVE, "b"),
    ("another when it is unreachable", "a", State.UNREACHABLE, State.ALIVE, "b"),
    ("another when it lags", "a", State.OUT_OF_SYNC, State.ALIVE, "b"),
    ("another when it lies", "a", State.QUARANTINED, State.ALIVE, "b"),
    ("one that lags before one out of reach", "a", State.UNREACHABLE, State.OUT_OF_SYNC, "b"),
    ("another when its finality cannot be", "a", State.INVALID_FINALITY, State.ALIVE, "b"),
    ("never one of another chain", "a", State.UNREACHABLE, State.WRONG_CHAIN, "a"),
    ("any before one of another chain", "a", State.WRONG_CHAIN, State.UNDIALED, "b"),
    ("the last one, for want of a better", "a", State.UNREACHABLE, State.UNREACHABLE, "a"),
    ("no liar in the place of one out of reach", "a", State.UNREACHABLE, State.QUARANTINED, "a"),
]


@pytest.mark.parametrize(("case", "current", "a", "b", "expected"), LEADS, ids=[case[0] for case in LEADS])
def test_the_lead_has(case: str, current: str, a: State, b: State, expected: str) -> None:
    assert leader(current, {"a": Standing(of(a), judges=True), "b": Standing(of(b), judges=True)}) == expected, case


def test_one_that_judges_leads_before_one_that_cannot() -> None:
    blind = Standing(of(State.ALIVE), judges=False)
    assert leader("a", {"a": blind, "b": Standing(of(State.ALIVE), judges=True)}) == "b"
    assert leader("a", {"a": blind, "b": Standing(of(State.OUT_OF_SYNC), judges=True)}) == "b"
    assert leader("a", {"a": blind, "b": Standing(of(State.UNREACHABLE), judges=True)}) == "a"


def test_one_with_all_its_connections_leads_before_one_that_lacks_any_unless_it_lags() -> None:
    lacking = Standing(of(State.ALIVE), judges=True, whole=False)
    assert leader("a", {"a": lacking, "b": Standing(of(State.ALIVE), judges=True)}) == "b"
    assert leader("a", {"a": lacking, "b": Standing(of(State.OUT_OF_SYNC), judges=True)}) == "a"
    assert leader("a", {"a": lacking, "b": lacking}) == "a"


def test_one_that_answers_again_leads_before_one_that_does_not() -> None:
    down, back = of(State.UNREACHABLE), of(State.UNREACHABLE, answers=True)
    assert leader("b", {"a": Standing(back, judges=True), "b": Standing(down, judges=True)}) == "a"


@given(st.sampled_from("ab"), st.lists(st.tuples(st.sampled_from(State), st.booleans()), min_size=2, max_size=2))
def test_a_lead_once_chosen_is_kept_while_nothing_changes(current: str, states: list[tuple[State, bool]]) -> None:
    nodes = {name: Standing(of(state), judges) for name, (state, judges) in zip("ab", states, strict=True)}
    chosen = leader(current, nodes)
    assert leader(chosen, nodes) == chosen
