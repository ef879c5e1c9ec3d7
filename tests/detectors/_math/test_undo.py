"""State that goes back: after any reorg it equals the state of a fresh run on the chain that stayed."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from detectors._math.undo import Map, Undo

KEYS = st.sampled_from("abc")
WRITES = st.lists(st.tuples(st.sampled_from(("put", "drop", "nest")), KEYS, st.integers(0, 9)), max_size=6)


def write(held: Map[str, object], writes: list[tuple[str, str, int]]) -> None:
    for op, key, value in writes:
        if op == "put":
            held[key] = value
        elif op == "drop":
            held.pop(key, None)
        else:
            held.child(key)[str(value)] = value


def plain(held: object) -> object:
    return {key: plain(value) for key, value in held.items()} if isinstance(held, Map) else held


def fresh(blocks: list[list[tuple[str, str, int]]]) -> tuple[Undo, Map[str, object]]:
    log = Undo()
    held = log.map()
    for height, writes in enumerate(blocks):
        log.open(height)
        write(held, writes)
    return log, held


@given(st.lists(WRITES, min_size=1, max_size=6), st.lists(WRITES, max_size=4), st.integers(0, 6))
def test_a_reorg_leaves_what_a_fresh_run_on_the_other_branch_has(old: list, new: list, fork: int) -> None:  # type: ignore[type-arg]
    fork = min(fork, len(old))
    log, held = fresh(old)
    assert log.revert(fork) == (fork <= len(old) and bool(old) and fork >= 0)
    for height, writes in enumerate(new, start=fork):
        log.open(height)
        write(held, writes)
    assert plain(held) == plain(fresh(old[:fork] + new)[1])


@given(st.lists(WRITES, min_size=1, max_size=5), st.integers(0, 5))
def test_a_pickled_log_still_knows_the_way_back(blocks: list, fork: int) -> None:  # type: ignore[type-arg]
    log, held = fresh(blocks)
    log_again, held_again = pickle.loads(pickle.dumps((log, held)))  # noqa: S301 - our own bytes
    log.revert(fork)
    log_again.revert(fork)
    assert plain(held_again) == plain(held)


def test_what_is_final_cannot_be_undone_and_costs_nothing() -> None:
    log, held = fresh([[("put", "a", n)] for n in range(100)])
    log.forget(97)
    assert len(log) == 2
    assert log.revert(0) is False, "deeper than the log remembers, and it says so"
    assert plain(held) == {"a": 97}


def test_without_finality_the_log_is_bounded() -> None:
    log = Undo(deepest=10)
    held = log.map()
    for height in range(50):
        log.open(height)
        held["a"] = height
    assert len(log) == 10
    assert log.revert(45)
    assert plain(held) == {"a": 44}


def test_an_older_block_opened_again_changes_nothing() -> None:
    log, held = fresh([[], [("put", "a", 1)]])
    log.open(0)
    held["a"] = 2
    log.revert(1)
    assert plain(held) == {}
