"""The harness in small, and proof that it would notice: bugs planted in the follower and in its consumer are found."""

from pathlib import Path

import pytest

from detectors.events import Reverted
from tests.chaos.__main__ import main, shadowed
from tests.chaos.consumer import Keeping
from tests.chaos.plan import FOLLOWER, plan
from tests.chaos.run import run

pytestmark = pytest.mark.slow


async def test_a_few_bad_seconds_lose_nothing_and_invent_nothing() -> None:
    report = await run(2, 6)
    assert (report.lost, report.phantom, report.duplicated, report.chain_equal) == (0, 0, 0, True), report
    assert report.events > 20
    assert report.caught_lies == report.lies
    assert sum(report.faults[kind] for kind in FOLLOWER if kind in report.faults) == len(plan(2, 6)) > 1


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
    report = await run(6, 8)
    assert not report.good
    assert report.phantom > 0


def test_a_package_of_the_same_name_is_named_and_ends_it_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.chaos.__main__.shadowed", lambda: shadowed(tmp_path))
    assert main(["--seconds", "1"]) == 2
    assert "another package named `tests`" in capsys.readouterr().err
