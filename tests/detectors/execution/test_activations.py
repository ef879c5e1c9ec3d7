"""Activations: what merges, what nests, what waits."""

from detectors.execution.activations import TRACKED, Activations
from tests.support.executions import address, call, create, delegate, execution, selfdestruct, static

A, B, C, CODE = address("a"), address("b"), address("c"), address("code")


def spiral(turns: int) -> Activations:
    root = call(A)
    for turn in range(2 * turns):
        root = call(B if turn % 2 == 0 else A, "f()", root)
    return Activations(execution(root).frames)


def test_a_proxy_its_code_and_its_calls_to_itself_are_one_activation() -> None:
    acts = Activations(
        execution(call(A, "f()", delegate(CODE, "f()", call(A, "g()", static(B, "h()"))), selfdestruct(C, 1))).frames
    )
    assert acts.of == [0, 0, 0, 1, 0]
    assert acts.ctx == [A, B]
    assert acts.static == [False, True]


def test_a_sibling_does_not_wait() -> None:
    acts = Activations(execution(call(A, "f()", call(B, "g()"), call(B, "g()"))).frames)
    assert acts.outer == [-1, -1, -1]


def test_what_is_entered_again_knows_who_waits_and_who_stands_between() -> None:
    acts = Activations(execution(call(A, "f()", call(B, "g()", call(C, "h()", call(B, "g()"))))).frames)
    assert acts.outer == [-1, -1, -1, 1]
    assert acts.between(1, 3) == [2]
    assert acts.encloses(1, 3)
    assert not acts.encloses(3, 1)


def test_everything_below_a_static_call_is_static() -> None:
    acts = Activations(execution(call(A, "f()", static(B, "g()", call(C, "h()")), call(C, "h()"))).frames)
    assert acts.static == [False, True, True, False]


def test_contracts_whose_creation_failed_without_a_name_are_never_the_same() -> None:
    acts = Activations(execution(call(A, "f()", call(B, "g()", create("", ok=False)))).frames)
    assert acts.outer == [-1, -1, -1]


def test_of_a_deep_spiral_the_ends_are_tracked() -> None:
    acts = spiral(400)
    inner = len(acts) - 1
    waiting = acts.tracked(inner)
    same = [a for a in range(inner) if acts.ctx[a] == acts.ctx[inner]]
    assert list(waiting) == same[:TRACKED] + same[-TRACKED:]
    assert acts.last[0] == inner
