"""The harness in small, and proof that it would notice: bugs planted in the follower, its consumer and a trail are found."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from detectors.events import Reverted
from detectors.execution import Execution
from monitor.chains.tape import Entry, Tape
from tests.chaos import whole
from tests.chaos.__main__ import main, shadowed
from tests.chaos.consumer import Keeping
from tests.chaos.plan import FOLLOWER, plan
from tests.chaos.run import run
from tests.chaos.trail import Trail, lives
from tests.support.chain import CHAIN

pytestmark = pytest.mark.slow


async def test_a_few_bad_seconds_lose_nothing_and_invent_nothing() -> None:
    report = await run(2, 4)
    assert (report.lost, report.phantom, report.duplicated, report.chain_equal) == (0, 0, 0, True), report
    assert report.events > 20
    assert report.caught_lies == report.lies
    assert sum(report.faults[kind] for kind in FOLLOWER if kind in report.faults) == len(plan(2, 4)) > 1


async def test_a_follower_that_believes_empty_answers_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chains.bloom.promises", lambda _: False)
    report = await run(4, 8)
    assert not report.good
    assert report.lost > 0
    assert report.caught_lies is not None
    assert report.caught_lies < report.lies


async def test_a_consumer_that_ignores_reorganisations_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Keeping.take
    monkeypatch.setattr(Keeping, "take", lambda ledger, step: None if isinstance(step, Reverted) else real(ledger, step))
    report = await run(170, 4)
    assert not report.good
    assert report.phantom > 0


async def test_a_few_bad_seconds_of_one_node_in_three_lose_nothing_and_replay_bit_for_bit(tmp_path: Path) -> None:
    report = await whole.run(26, 5, "one-bad", tmp_path)
    assert (report.lost, report.phantom, report.duplicated, report.duplicates_effected) == (0, 0, 0, 0), report
    assert (report.chain_equal, report.replay_identical, report.unjustified_unknown_seconds) == (True, True, 0.0), report
    assert report.events > 10


async def test_a_few_bad_seconds_of_the_only_node_and_of_the_daemon_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    report = await whole.run(81, 5, "single", tmp_path)
    assert report.good, report
    assert report.events > 10
    tapes = lives(tmp_path / "trail.tape.gz")
    assert len(tapes) == 1 + report.restarts
    clean, spoilt = Trail(CHAIN), Trail(CHAIN)
    clean.read(tapes)
    for tape in tapes:
        with Tape(tape) as entries:
            for entry in without_every_fifth_execution(entries):
                spoilt.take(entry)
    logs = [place for block in clean.blocks.values() for place in block.logs]
    assert report.processed == len(logs) > sum(len(block.logs) for block in spoilt.blocks.values())


def without_every_fifth_execution(entries: Iterable[Entry]) -> Iterator[Entry]:
    """What a daemon with a hole in it would have recorded."""
    seen = 0
    for entry in entries:
        seen += isinstance(entry, Execution)
        if not (isinstance(entry, Execution) and seen % 5 == 0):
            yield entry


def test_a_package_of_the_same_name_is_named_and_ends_it_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.chaos.__main__.shadowed", lambda: shadowed(tmp_path))
    assert main(["--seconds", "1"]) == 2
    assert "another package named `tests`" in capsys.readouterr().err
