"""`python -m tests.scenarios`: play scenarios of the corpus and print how each was judged; `--write` the whole ledger."""

import argparse
import asyncio
import logging
import sys
import time
from pathlib import Path

import msgspec
import structlog

from monitor.errors import NodeSilent, SeawallError
from tests.scenarios import blocks, ledger, ways
from tests.scenarios.scenario import Scenario, corpus
from tests.scenarios.speed import speed
from tests.scenarios.trial import Trial, trial
from tests.scenarios.tripping import trips
from tests.scenarios.ways import Outcome

HONEST = 20_000
AT_ONCE = 3
"""Worlds that are played side by side."""


def chosen(numbers: list[str]) -> list[Scenario]:
    """The scenarios named by number (`7`, `4b`) or range (`1-17`); all, when none is named."""
    spans = [tuple(int(end) for end in n.split("-")) for n in numbers if "-" in n]
    return [s for s in corpus() if not numbers or s.number in numbers or any(a <= s.order[0] <= b for a, b in spans)]


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def wrong(o: Outcome) -> bool:
    """Is this not as it should be?"""
    if o.false == "pause" or (o.false == "warn" and o.way != ways.DEGRADED):
        return True
    return o.attack and (o.verdict in {"clear", "info"} or (not o.paused and o.way != ways.DEGRADED))


def told(o: Outcome) -> str:
    """An outcome as a line."""
    named = "all named" if o.all_named else "named" if o.named else "misnamed" if o.detected else ""
    more = f" FALSE {o.false}: {'; '.join(o.false_said)}" if o.false in {"warn", "pause"} else ""
    paused = "paused" if o.paused and o.verdict != "pause" else ""
    flag = "   <--" if wrong(o) else ""
    return f"     {o.variation} {o.way:<15} {o.verdict:<8} {', '.join(o.kinds)} {paused} {named if o.attack else ''}{more}{flag}"


async def play(scenarios: list[Scenario], variations: int, seed: int, wanted: list[str]) -> tuple[list[Outcome], list[str]]:
    """Play every variation, a few side by side, and print; the outcomes in order, and what could not be staged."""
    places = asyncio.Semaphore(AT_ONCE)
    failed: list[str] = []

    async def one(scenario: Scenario, variation: int) -> list[Outcome]:
        async with places:
            try:
                try:
                    return await ways.run(scenario, variation, ways=wanted, seed=seed)
                except NodeSilent:  # the machine was busy with something else: that says nothing of a verdict
                    return await ways.run(scenario, variation, ways=wanted, seed=seed)
            except (SeawallError, AssertionError) as error:
                failed.append(f"{scenario.number}/{variation}")
                say(f"     {scenario.number}/{variation} FAILED: {error}   <--")
                return []

    found: list[Outcome] = []
    for scenario in scenarios:
        count = min(variations, scenario.variations or variations)
        say(f"{scenario.number:>4} {scenario.name}")
        for outcomes in await asyncio.gather(*(one(scenario, variation) for variation in range(count))):
            found += outcomes
            for outcome in outcomes:
                say(told(outcome))
    return found, sorted(failed)


async def honest(asked: argparse.Namespace) -> Trial:
    """The honest traffic, judged now, or in a run of its own (`--only-honest FILE`) whose result is there."""
    if asked.honest_from is None:
        return await trial(asked.honest, asked.seed, say)
    return msgspec.json.decode(asked.honest_from.read_bytes(), type=Trial)


async def measure(asked: argparse.Namespace) -> ledger.Run:
    """The whole ledger."""
    scenarios = chosen(asked.numbers)
    outcomes, failed = await play(scenarios, asked.variations, asked.seed, asked.ways.split(","))
    command = f"make accuracy VARIATIONS={asked.variations} HONEST={asked.honest} SEED={asked.seed}"
    return ledger.Run(
        scenarios=scenarios,
        outcomes=outcomes,
        failed=failed,
        speed=await speed(asked.seed),
        trips=await trips(asked.seed),
        blocks=blocks.judged(),
        trial=await honest(asked),
        command=command,
        date=time.strftime("%Y-%m-%d"),
        seed=asked.seed,
    )


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("numbers", nargs="*", help="scenario numbers or ranges; all, when none is given")
    parser.add_argument("--variations", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default=",".join(ways.WAYS), help="separated by commas")
    parser.add_argument("--honest", type=int, default=HONEST, help="honest transactions of the ledger")
    parser.add_argument("--only-honest", type=Path, help="judge the honest traffic alone and keep what came of it there")
    parser.add_argument("--honest-from", type=Path, help="take what was kept there instead of judging it again")
    parser.add_argument("--write", type=Path, help="measure everything and write the ledger there")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if asked.only_honest is not None:
        asked.only_honest.write_bytes(msgspec.json.encode(asyncio.run(trial(asked.honest, asked.seed, say))))
        return 0
    if asked.write is not None:
        run = asyncio.run(measure(asked))
        asked.write.write_text(ledger.document(run))
        return 0
    outcomes, failed = asyncio.run(play(chosen(asked.numbers), asked.variations, asked.seed, asked.ways.split(",")))
    return int(bool(failed) or any(wrong(one) for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
