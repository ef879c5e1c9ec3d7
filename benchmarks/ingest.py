"""How fast a chain's talk is taken in, against the bare parts and against web3.py 8. `python -m benchmarks.ingest`.

A pusher of its own sends logs, full pending transactions and heads as fast as it can to three lanes in turn: (a) bare
`websockets` and `msgspec`, (b) Seawall from the socket to the pipeline with all detectors on, (c) web3.py's subscription manager.
Every run is a fresh process; each must find exactly what the feed was made of. Cost is CPU of the taking process per message,
counted once it is set up; ratios are taken round by round. Goals: (b) at least 0.60 of (a) and 10 times (c).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from benchmarks.ingesting.feed import expected
from benchmarks.ingesting.tally import Lap, Tally

ROUNDS = 9
WITHIN = 120
"""Seconds one run of one lane may take."""
QUIET = 0.5
"""Load average above which absolute figures say more about the neighbours."""
_ROOT = Path(__file__).parent.parent


class Lane(NamedTuple):
    """A module of `benchmarks.ingesting`, and the messages it is sent a run: all lanes the same ones, the slow one fewer."""

    module: str
    messages: int


LANES = {"bare": Lane("bare", 40_000), "seawall": Lane("ours", 40_000), "web3": Lane("peer", 4_000)}


class Run(NamedTuple):
    """One run: CPU microseconds a message, messages a second by the clock, and what the lane says of itself."""

    micros: float
    per_second: float
    lap: Lap


class Pusher:
    """The pushing process with its first `most` messages ready, and a line to it."""

    def __init__(self, most: int) -> None:
        self.process = subprocess.Popen(_module("pusher", str(most)), stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        self.port = int(self.line())

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def run(pusher: Pusher, lane: Lane, session: str, truth: Tally, log: IO[str]) -> Run:
    """One lane once. Fails unless it found what there is to find."""
    url = f"ws://127.0.0.1:{pusher.port}/{session}/{lane.messages}"
    done = subprocess.run(
        _module(lane.module, url, str(lane.messages)), stdout=subprocess.PIPE, text=True, cwd=_ROOT, timeout=WITHIN, check=True
    )
    began = float(pusher.line())
    lap = msgspec.json.decode(done.stdout.splitlines()[-1], type=Lap)
    assert lap.tally == truth, f"{session}: found {lap.tally}, there is {truth}"
    found = Run(lap.cpu / lane.messages * 1e6, lane.messages / (lap.ended - began), lap)
    log.write(f"{session:>12}  {found.micros:7.2f} us CPU a message, {found.per_second:9,.0f} messages/s\n")
    return found


def main() -> None:
    """Alternate the lanes, compare round by round, print one JSON object."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    load = os.getloadavg()[0]
    if load > QUIET:
        sys.stderr.write(f"load {load:.2f} before the start: the ratios hold, the absolute figures are those of a busy machine\n")
    truths = {name: expected(lane.messages) for name, lane in LANES.items()}
    pusher = Pusher(max(lane.messages for lane in LANES.values()))
    try:
        rounds = [
            {name: run(pusher, lane, f"{name}-{number}", truths[name], sys.stderr) for name, lane in LANES.items()}
            for number in range(ROUNDS)
        ]
    finally:
        pusher.stop()
    report = {
        "benchmark": "ingest", "rounds": ROUNDS, "load_before": round(load, 2), "cpus": os.cpu_count(),
        "lanes": {name: _lane(name, [one[name] for one in rounds]) for name in LANES},
        "seawall_to_bare": _ratio([one["bare"].micros / one["seawall"].micros for one in rounds], goal=0.6),
        "seawall_to_web3": _ratio([one["web3"].micros / one["seawall"].micros for one in rounds], goal=10.0),
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.ingesting.{name}", *arguments]


def _lane(name: str, runs: Sequence[Run]) -> dict[str, object]:
    cost = statistics.median(one.micros for one in runs)
    return {
        "messages": LANES[name].messages, "cpu_us_per_message": _spread([one.micros for one in runs]),
        "events_per_cpu_second": round(1e6 / cost), "events_per_second": _spread([one.per_second for one in runs], 0),
        "work": msgspec.to_builtins(runs[0].lap.tally), **runs[0].lap.extra,
    }  # fmt: skip


def _ratio(ratios: Sequence[float], *, goal: float) -> dict[str, object]:
    return {**_spread(ratios, 3), "goal": goal, "met": statistics.median(ratios) >= goal}


def _spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), digits), "min": round(min(values), digits), "max": round(max(values), digits)
    }  # fmt: skip


if __name__ == "__main__":
    main()
