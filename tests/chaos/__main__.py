"""`python -m tests.chaos --seed N --seconds S --json`: does the follower lose or invent an event when everything goes wrong?

Exit status: 0 nothing lost, nothing invented, the chain equal; 1 otherwise; 2 it could not be tried. Where an installed package
named `tests` goes first, Python itself finds no `tests.chaos`; `python tests/chaos` says which package that is.
"""

import argparse
import asyncio
import importlib.util
import json
import logging
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

if TYPE_CHECKING:
    from tests.chaos.run import Report

ROOT = Path(__file__).resolve().parents[2]
SUMMED = (
    "events", "processed", "lost", "phantom", "duplicated", "reorgs", "gaps", "lies", "caught_lies", "recoveries", "unrecovered",
)  # fmt: skip


def shadowed(root: Path = ROOT) -> str | None:
    """Why `tests` is not this project's, or None. Ours has no __init__.py, and an installed package of that name goes first."""
    spec = importlib.util.find_spec("tests")
    if spec is None:
        return f"no package `tests` is found: run this from {root}"
    places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    if root / "tests" in places:
        return None
    there = spec.origin or ", ".join(map(str, places))
    return f"another package named `tests` hides this project's: {there}; uninstall it, or use the project's own .venv"


def main(given: Sequence[str] | None = None) -> int:
    """Run and print. The exit status."""
    options = _options(given)
    if reason := shadowed():
        print(f"tests.chaos: {reason}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 2
    from tests.chaos.run import run  # noqa: PLC0415 - only once it is known whose tests these are

    level = logging.DEBUG if options.verbose else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    seeds = range(options.seed, options.seed + (options.seeds or 1))
    reports: list[Report] = []
    for seed in seeds:
        reports.append(asyncio.run(run(seed, options.seconds)))
        _say(reports[-1], as_json=options.json)
    if options.seeds:
        summary = _summary(reports)
        print(json.dumps(summary) if options.json else f"all: {summary}")  # noqa: T201 - as above
    return 0 if all(report.good for report in reports) else 1


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="The follower against a node's worst days.")
    parser.add_argument("--seed", type=int, default=1, help="which schedule of faults, the first one with --seeds")
    parser.add_argument("--seeds", type=int, default=0, metavar="K", help="run K seeds on end and sum up")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the faults go on, each seed")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--verbose", action="store_true", help="the follower's own log, on stderr")
    return parser.parse_args(given)


def _say(report: "Report", *, as_json: bool) -> None:
    if as_json:
        text = msgspec.json.encode(report).decode()
    else:
        text = (
            f"seed {report.seed}: {'ok  ' if report.good else 'FAIL'} {report.processed}/{report.events} events, "
            f"lost {report.lost}, phantom {report.phantom}, {report.reorgs} reorgs told, "
            f"lies caught {report.caught_lies}/{report.lies}, "
            f"{report.recoveries} recoveries p50 {report.recovery_p50_s} s max {report.recovery_max_s} s"
        )
    print(text, flush=True)  # noqa: T201 - the point of the command


def _summary(reports: "Sequence[Report]") -> dict[str, object]:
    took = sorted(one for report in reports for one in report.recovery_ms)
    return {
        "seeds": [report.seed for report in reports],
        "good": sum(report.good for report in reports),
        **{name: sum(getattr(report, name) for report in reports) for name in SUMMED},
        "chain_equal": all(report.chain_equal for report in reports),
        "recovery_p50_s": statistics.median(took or [0]) / 1000,
        "recovery_p99_s": took[len(took) * 99 // 100] / 1000 if took else 0.0,
        "recovery_max_s": max(took, default=0) / 1000,
    }


if __name__ == "__main__":
    sys.exit(main())
