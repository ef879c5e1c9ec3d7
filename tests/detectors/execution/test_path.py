"""The call path of a finding: it shows what the finding rests on, and never more than a person can read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import discover
from detectors.base import Finding, Watch
from detectors.execution import Execution
from detectors.execution.path import MOST_NODES, call_tree
from tests.support.executions import ETHER, Call, address, call, execution, sload, sstore, transfer

BANK, THIEF, TOKEN = map(address, ("bank", "thief", "token"))


def robbery(turns: int = 1) -> Execution:
    """The classic: paid before the books are settled, `turns` times."""
    inner: tuple[Call, ...] = ()
    for _ in range(turns):
        inner = (call(BANK, "withdraw()", sload(7, 10), call(THIEF, None, *inner, value=10 * ETHER), sstore(7, 0)),)
    return execution(call(THIEF, "attack()", *inner))


def test_the_path_of_a_reentrancy_names_the_victim_the_payments_and_the_stale_slot() -> None:
    deed = robbery(2)
    detector = discover()["reentrancy"]({deed.chain: Watch()})  # type: ignore[call-arg]  # all take the registry first
    (found,) = [made for made in detector.observe(deed) if isinstance(made, Finding)]
    tree = call_tree(deed, found.victims, found.evidence)
    marks = {mark for one in tree.calls for mark in one.marks}
    assert found.evidence["slot"] == "0x7"
    assert {"victim", "pays", "reads the slot", "writes the slot"} == marks
    assert [one.parent for one in tree.calls] == [-1, 0, 1, 2, 3]


def test_the_tenth_round_of_a_spiral_is_counted_and_not_shown() -> None:
    tree = call_tree(robbery(10), (BANK,), {"slot": "0x7"})
    assert len(tree.calls) < 10
    assert tree.calls[-1].left_out > 10


def test_a_token_that_leaves_is_on_the_path_and_bystanders_are_counted() -> None:
    aside = [call(address(f"aside {n}"), "look()") for n in range(90)]
    deed = execution(call(THIEF, "attack()", *aside, call(TOKEN, "transferFrom()", transfer(BANK, THIEF, 5))))
    root, moved = call_tree(deed, (BANK,), {}).calls
    assert (moved.contract, moved.marks) == (TOKEN, ("moves a token",))
    assert root.left_out == 90


def test_a_victim_a_thousand_calls_down_is_shown_with_the_beginning_of_the_way_to_it() -> None:
    made = call(BANK, "withdraw()", call(THIEF, None, value=ETHER))
    for _ in range(1000):
        made = call(THIEF, "down()", made)
    tree = call_tree(execution(made), (BANK,), {})
    assert len(tree.calls) == MOST_NODES
    assert tree.calls[0].frame == 0
    assert "pays" in tree.calls[-1].marks
    assert sum(one.between for one in tree.calls) == tree.frames - MOST_NODES


@given(st.integers(1, 60), st.integers(0, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_the_tree_it_is_bounded_and_every_call_hangs_below_one_before_it(
    deep: int, wide: int, data: st.DataObject
) -> None:
    names = [BANK, THIEF, TOKEN]
    made = call(BANK, None)
    for _ in range(deep):
        others = [call(data.draw(st.sampled_from(names)), None, value=data.draw(st.integers(0, 3))) for _ in range(wide % 5)]
        made = call(data.draw(st.sampled_from(names)), "f()", *others, made, value=data.draw(st.integers(0, 3)))
    deed = execution(made)
    tree = call_tree(deed, (BANK,), {})
    assert 1 <= len(tree.calls) <= MOST_NODES
    assert all(one.parent < place for place, one in enumerate(tree.calls))
    assert len(tree.calls) + sum(one.left_out for one in tree.calls) == tree.frames
