"""Kill -9 at every failpoint and at any moment, with room on the disk and without; `make soak` runs two hundred rounds."""

from pathlib import Path

import pytest

from monitor.journal import failpoints
from tests.support.kills import rounds, small_disk
from tests.support.parts import ROOT

ROUNDS = 12


@pytest.mark.slow
def test_no_acknowledged_pause_is_lost_over_kills_at_failpoints_and_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as place:
        tally = rounds(place, ROUNDS)
    assert (tally.lost, tally.false_run, tally.revisions_back) == ([], [], [])
    assert tally.rounds == ROUNDS
    assert tally.on_full_disk > 0
    assert len(tally.points) > ROUNDS / 2


def test_every_failpoint_stands_where_its_name_says() -> None:
    code = "".join(path.read_text() for path in (ROOT / "monitor").rglob("*.py") if path.name != "failpoints.py")
    assert {name for name in failpoints.NAMES if code.count(f'reach("{name}")') != 1} == set()


@pytest.mark.parametrize("text", ["nowhere@1", "desk.shown", "desk.shown@", "desk.shown@x", ""])
def test_a_failpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name@number"):
        failpoints.armed(text)
