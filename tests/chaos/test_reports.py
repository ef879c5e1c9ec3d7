"""What the command says: seeds as they are named, several at once, the sum, and what makes a seed a failed one."""

import json

import msgspec
import pytest

from tests.chaos.__main__ import _seeds, main
from tests.chaos.plan import MODES, mode_of
from tests.chaos.report import Report, summary
from tests.chaos.sight import Befallen, Look, blindness

WELL = Report(
    seed=1, mode="one-bad", seconds=20.0, nodes=3, events=10, processed=10, lost=0, phantom=0, duplicated=0, chain_equal=True,
    blocks=5, reorgs=1, gaps=0, faults={"reorg": 1}, recoveries=2, unrecovered=0, recovery_p50_s=0.2, recovery_max_s=0.3,
    recovery_ms=[100, 300], settled_s=0.1, lies=0,
)  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": 1}, {"phantom": 1}, {"duplicated": 1}, {"duplicates_effected": 1}, {"chain_equal": False},
        {"replay_identical": False}, {"unknown_seconds": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_each_thing_that_may_not_happen_fails_the_seed(wrong: dict[str, object]) -> None:
    assert WELL.good
    assert not msgspec.structs.replace(WELL, **wrong).good


def test_the_only_node_of_a_daemon_may_leave_it_blind_for_a_while() -> None:
    assert msgspec.structs.replace(WELL, mode="single", unknown_seconds=3.0).good


def test_many_seeds_are_one_sum_that_names_those_that_failed() -> None:
    bad = msgspec.structs.replace(WELL, seed=2, lost=3, recovery_ms=[900])
    told = summary([bad, WELL])
    assert (told["seeds"], told["good"], told["failed"], told["lost"]) == ([1, 2], 1, [2], 3)
    assert (told["recovery_p50_s"], told["recovery_max_s"]) == (0.3, 0.9)


def test_a_row_of_seeds_goes_through_every_mode() -> None:
    assert {mode_of(seed).name for seed in _seeds("1-3")} == set(MODES)
    assert list(_seeds("4")) == [0, 1, 2, 3]


def test_every_unknown_second_has_its_fault_or_counts_as_unexplained() -> None:
    looks = [Look(float(second), "unknown" if 2 <= second < 8 else "run", "why") for second in range(12)]
    found = blindness(looks, [Befallen("reset", 1.0, 1.5), Befallen("black_hole", 3.0, 4.0)], grace=1.0)
    assert (found.unknown, found.by, found.unjustified) == (6.0, {"black_hole": 4.0}, 2.0)


@pytest.mark.slow
def test_several_seeds_at_once_are_processes_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fast", "--seeds", "1-2", "--seconds", "1", "--jobs", "2", "--json"]) == 0
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert sorted(line["seed"] for line in lines) == [1, 2]
    assert (last["seeds"], last["good"], last["lost"], last["broken"]) == ([1, 2], 2, 0, 0)
