"""`python -m tests.chaos --seed N --seconds S --json`: does Seawall lose or invent an event when everything goes wrong?

The whole daemon is a process of its own over real nodes behind faulty proxies; `--fast` tries the follower alone. Exit status:
0 nothing lost, nothing invented, nothing done twice, the chain equal; 1 otherwise; 2 it could not be tried. Where an installed
package named `tests` goes first, Python itself finds no `tests.chaos`; `python tests/chaos` says which package that is.
"""

import argparse
import asyncio
import importlib.util
import json
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from tests.chaos.report import Report

ROOT = Path(__file__).resolve().parents[2]


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
    level = logging.DEBUG if options.verbose else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    return asyncio.run(_tried(options))


def _seeds(text: str) -> range:
    """`1-100`, or `20` for so many from --seed on."""
    first, dash, last = text.partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Seawall against its nodes' worst days.")
    parser.add_argument("--seed", type=int, default=1, help="which schedule of faults, the first one with --seeds K")
    parser.add_argument("--seeds", type=_seeds, metavar="A-B|K", help="run all of these, or K of them, and sum up")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the faults go on, each seed")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once; they mostly wait")
    parser.add_argument("--mode", choices=("single", "one-bad", "blackout"), help="else each seed has its own")
    parser.add_argument("--nodes", type=int, choices=(1, 3), help="1: as --mode single; 3: as --mode one-bad")
    parser.add_argument("--config", type=Path, metavar="FILE", help="take `policies` and `detectors` from this configuration")
    parser.add_argument("--policy", metavar="NAME", help="which of its policies the robbed integration follows")
    parser.add_argument("--fast", action="store_true", help="the follower alone instead of the whole daemon")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave configuration, journal, tapes and log of each seed there")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--verbose", action="store_true", help="the follower's own log, on stderr")
    options = parser.parse_args(given)
    if options.nodes and not options.mode:
        options.mode = {1: "single", 3: "one-bad"}[options.nodes]
    return options


async def _tried(options: argparse.Namespace) -> int:
    from tests.chaos.report import summary  # noqa: PLC0415 - only once it is known whose tests these are

    reports: list[Report] = []
    broken = 0
    async for found in _reports(options):
        if isinstance(found, str):
            broken += 1
            print(f"tests.chaos: {found}", file=sys.stderr, flush=True)  # noqa: T201 - a command's own words
            continue
        reports.append(found)
        print(_line(found, as_json=options.json), flush=True)  # noqa: T201 - the point of the command
    if options.seeds is not None:
        told = summary(reports) | {"broken": broken}
        print(json.dumps(told) if options.json else _closing(told))  # noqa: T201 - as above
    return 2 if broken else int(not all(report.good for report in reports))


async def _reports(options: argparse.Namespace) -> "AsyncIterator[Report | str]":
    from monitor.errors import SeawallError  # noqa: PLC0415 - as above
    from tests.chaos import batch, run, whole  # noqa: PLC0415 - as above

    seeds = [options.seed] if options.seeds is None else list(options.seeds)
    if options.seeds is not None and options.seeds.start == 0:
        seeds = [options.seed + number for number in options.seeds]
    if options.jobs > 1:
        more = ["--fast"] if options.fast else ["--mode", options.mode] if options.mode else []
        more += ["--keep", str(options.keep.resolve())] if options.keep else []
        more += ["--config", str(options.config.resolve())] if options.config else []
        more += ["--policy", options.policy] if options.policy else []
        async for report in batch.together(seeds, options.seconds, options.jobs, *more):
            yield report
        return
    for seed in seeds:
        folder = options.keep and options.keep / f"seed-{seed}"
        try:
            if options.fast:
                yield await run.run(seed, options.seconds)
            else:
                yield await whole.run(seed, options.seconds, options.mode, folder, _own(options))
        except (SeawallError, RuntimeError, TimeoutError, ExceptionGroup) as error:
            yield f"seed {seed} could not be tried: {error!r}"


def _own(options: argparse.Namespace) -> dict[str, object]:
    """What is taken of somebody's own configuration, unread: the daemon refuses what is wrong with it."""
    import yaml  # noqa: PLC0415 - as above

    own = dict(yaml.safe_load(options.config.read_text())) if options.config else {}
    return own | ({"policy": options.policy} if options.policy else {})


def _line(report: "Report", *, as_json: bool) -> str:
    import msgspec  # noqa: PLC0415 - as above

    return msgspec.json.encode(report).decode() if as_json else report.sentence


def _closing(told: dict[str, object]) -> str:
    width = max(map(len, told))
    return "\n".join(f"{name:{width}}  {value}" for name, value in told.items())


if __name__ == "__main__":
    sys.exit(main())
