"""Our own chain, remembered as far back as something could still undo it."""

import pytest

from detectors.events import Position
from monitor.feeds.lineage import KEPT, UNFINAL_KEPT, Lineage


def _row(first: int, last: int) -> list[Position]:
    return [Position(height, f"b{height}", f"b{height - 1}") for height in range(first, last + 1)]


def test_a_block_that_does_not_build_on_the_tip_is_refused() -> None:
    lineage = Lineage(_row(1, 3))
    for wrong in (Position(5, "b5", "b4"), Position(4, "x4", "x3"), Position(3, "x3", "b2")):
        with pytest.raises(ValueError, match="does not build on"):
            lineage.extend(wrong)
    lineage.extend(Position(4, "b4", "b3"))
    assert lineage.tip == Position(4, "b4", "b3")


def test_cutting_goes_back_and_the_chain_can_grow_another_way() -> None:
    lineage = Lineage(_row(1, 6))
    lineage.cut(3)
    lineage.extend(Position(4, "other", "b3"))
    assert [position.id for height in range(8) if (position := lineage.at(height))] == ["b1", "b2", "b3", "other"]
    lineage.cut(0)
    assert lineage.tip is None
    assert lineage.at(1) is None


def test_what_is_final_is_forgotten_but_for_the_last_of_it() -> None:
    lineage = Lineage(_row(1, 9))
    lineage.settle(6)
    lineage.settle(4)
    lineage.extend(Position(10, "b10", "b9"))
    assert lineage.final == 6
    assert lineage.bottom == Position(6, "b6", "b5")


@pytest.mark.parametrize(("final", "kept"), [(-1, UNFINAL_KEPT), (0, KEPT)])
def test_memory_is_bounded_when_finality_stalls_or_is_never_told(final: int, kept: int) -> None:
    lineage = Lineage(final=final)
    for position in _row(1, KEPT + 500):
        lineage.extend(position)
    assert len(lineage) == kept


def test_known_positions_that_do_not_reach_the_cursor_are_not_used() -> None:
    lineage = Lineage([*_row(1, 3), *_row(6, 8)])
    assert (lineage.bottom, len(lineage)) == (Position(6, "b6", "b5"), 3)
