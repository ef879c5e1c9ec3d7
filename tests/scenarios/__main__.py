"""`python -m tests.scenarios`: play scenarios of the corpus and print how each was judged; `--write` the whole ledger."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from monitor.errors import NodeSilent, SeawallError
from tests.scenarios import blocks, ledger, ways
from tests.scenarios.progress import Part, Progress, span
from tests.scenarios.scenario import Scenario, corpus
from tests.scenarios.speed import quiet, speed
from tests.scenarios.trial import Trial, trial
from tests.scenarios.tripping import MOST, trips
from tests.scenarios.ways import Outcome

HONEST = 20_000
ALONE, WORLDS, TRAFFIC, TRIPS = "alone", "variations", "honest", "trips"
TOLD_EVERY = 10.0
"""Seconds between two lines on how far it is."""

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


async def play(
    scenarios: list[Scenario], variations: int, seed: int, wanted: list[str], tell: Callable[[], None] = lambda: None
) -> tuple[list[Outcome], list[str]]:
    """Play every variation, a few side by side, and print; the outcomes in order, and what could not be staged.

    `tell` is called after each variation.
    """
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
            finally:
                tell()

    found: list[Outcome] = []
    for scenario in scenarios:
        count = min(variations, scenario.variations or variations)
        say(f"{scenario.number:>4} {scenario.name}")
        for outcomes in await asyncio.gather(*(one(scenario, variation) for variation in range(count))):
            found += outcomes
            for outcome in outcomes:
                say(told(outcome))
    return found, sorted(failed)


async def honest(asked: argparse.Namespace, progress: Progress) -> Trial:
    """The honest traffic, judged in a process of its own beside this one (`--only-honest`), or in an earlier run of it."""
    if asked.honest_from is not None:
        return msgspec.json.decode(asked.honest_from.read_bytes(), type=Trial)
    with tempfile.NamedTemporaryFile(suffix=".json") as kept:
        order = ("-m", "tests.scenarios", "--only-honest", kept.name, "--honest", str(asked.honest), "--seed", str(asked.seed))
        other = await asyncio.create_subprocess_exec(sys.executable, *order, stdout=asyncio.subprocess.PIPE)
        try:
            assert other.stdout is not None
            async for line in other.stdout:
                progress.done(TRAFFIC, int(line.split()[-1]))
            if await other.wait():
                raise SeawallError(f"judging the honest traffic failed: {' '.join(order)}")
        finally:
            if other.returncode is None:
                other.terminate()
                await other.wait()
        return msgspec.json.decode(kept.read(), type=Trial)


async def telling(progress: Progress) -> None:
    """A line now and then, until cancelled."""
    while True:
        await asyncio.sleep(TOLD_EVERY)
        say(progress.line(time.monotonic()))


async def measure(asked: argparse.Namespace) -> ledger.Run:
    """The whole ledger: what measures time first and alone, then the corpus beside the honest traffic."""
    scenarios, began = chosen(asked.numbers), time.monotonic()
    attacks = [scenario for scenario in scenarios if scenario.attacks]
    worlds = sum(min(asked.variations, scenario.variations or asked.variations) for scenario in scenarios)
    parts = {ALONE: Part(len(attacks), 1.0), WORLDS: Part(worlds, 0.8), TRAFFIC: Part(asked.honest, 0.03), TRIPS: Part(MOST, 0.6)}
    progress = Progress(parts, began)
    ticker = asyncio.create_task(telling(progress))
    measured = await speed(asked.seed)
    measured.alone = await quiet(attacks, asked.seed, lambda: progress.step(ALONE))
    async with asyncio.TaskGroup() as tasks:
        traffic = tasks.create_task(honest(asked, progress))
        ways_ = asked.ways.split(",")
        played = tasks.create_task(play(scenarios, asked.variations, asked.seed, ways_, lambda: progress.step(WORLDS)))
    outcomes, failed = played.result()
    tripped = await trips(asked.seed, lambda: progress.step(TRIPS))
    ticker.cancel()
    command = f"make accuracy VARIATIONS={asked.variations} HONEST={asked.honest} SEED={asked.seed}"
    seconds = time.monotonic() - began
    say(f"measured in {span(seconds)}")
    return ledger.Run(
        scenarios=scenarios,
        outcomes=outcomes,
        failed=failed,
        speed=measured,
        trips=tripped,
        blocks=blocks.judged(),
        trial=traffic.result(),
        command=command,
        date=time.strftime("%Y-%m-%d"),
        seed=asked.seed,
        seconds=seconds,
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
