"""A season fitted from a tape is one the detector takes."""

import random
from pathlib import Path

import yaml
from typer.testing import CliRunner

from detectors.base import Watch
from detectors.statistics import Statistics
from monitor.chains.recorder import Recorder
from monitor.chains.tape import Header
from monitor.cli import app
from tests.support.executions import ETHER, address
from tests.support.pools import CHAIN, reading

POOL, COIN = address("pool"), address("coin")
HOUR = 300
"""Blocks of twelve seconds in an hour."""


def recorded(path: Path, days: int) -> None:
    """A reserve that loses a twentieth at nine every day and has it back by evening."""
    dice, amount = random.Random(4), 10**6 * ETHER
    with Recorder(path, Header(seawall="test", config="", started=0.0, chains=(CHAIN,), integrations=())) as tape:
        for hour in range(24 * days + 1):
            amount = int(amount * (1 + dice.gauss(0, 0.001) + (-0.05 if hour % 24 == 9 else 0.0)))
            amount = 10**6 * ETHER if hour % 24 == 20 else amount
            tape.saw(reading(POOL, hour * HOUR, "holdings", {COIN: amount}))


def test_a_fitted_season_is_taken_and_tells_payday_from_theft(tmp_path: Path) -> None:
    recorded(tmp_path / "a.tape.gz", 14)
    told = CliRunner().invoke(app, ["seasons", str(tmp_path / "a.tape.gz")])
    assert told.exit_code == 0, told.output
    settings = yaml.safe_load(told.stdout)
    for hour, kinds in ((9, []), (15, ["season"])):
        guard = Statistics({CHAIN: Watch(watched=frozenset({POOL}))}, **settings)
        assert list(guard.observe(reading(POOL, hour * HOUR, "holdings", {COIN: 10**6 * ETHER}))) == []
        later = reading(POOL, (hour + 1) * HOUR - 1, "holdings", {COIN: 95 * 10**4 * ETHER})
        done = reading(POOL, (hour + 1) * HOUR, "holdings", {COIN: 95 * 10**4 * ETHER})
        assert [made.kind for state in (later, done) for made in guard.observe(state) if made.kind == "season"] == kinds


def test_too_short_a_tape_says_so(tmp_path: Path) -> None:
    recorded(tmp_path / "a.tape.gz", 2)
    told = CliRunner().invoke(app, ["seasons", str(tmp_path / "a.tape.gz")])
    assert told.exit_code == 1
    assert "four days" in told.output
