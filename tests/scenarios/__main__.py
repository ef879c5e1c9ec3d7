"""`python -m tests.scenarios`: play scenarios of the corpus and print how each was judged."""

import argparse
import asyncio
import logging
import sys

import structlog

from monitor.errors import SeawallError
from tests.scenarios import ways
from tests.scenarios.scenario import Scenario, corpus


def chosen(numbers: list[str]) -> list[Scenario]:
    """The scenarios named by number (`7`, `4b`) or range (`1-17`); all, when none is named."""
    spans = [tuple(int(end) for end in n.split("-")) for n in numbers if "-" in n]
    return [s for s in corpus() if not numbers or s.number in numbers or any(a <= s.order[0] <= b for a, b in spans)]


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def show(scenarios: list[Scenario], variations: int, seed: int, wanted: list[str]) -> int:
    """Play and print; how many went wrong."""
    wrong = 0
    for scenario in scenarios:
        say(f"{scenario.number:>4} {scenario.name}")
        for variation in range(min(variations, scenario.variations or variations)):
            try:
                outcomes = await ways.run(scenario, variation, ways=wanted, seed=seed)
            except (SeawallError, AssertionError) as error:
                say(f"     {variation} FAILED: {error}   <--")
                wrong += 1
                continue
            for o in outcomes:
                bad = o.false == "pause" or (o.false == "warn" and o.way != ways.DEGRADED)
                bad |= o.attack and (o.verdict in {"clear", "info"} or (not o.paused and o.way != ways.DEGRADED))
                wrong += bad
                named = "all named" if o.all_named else "named" if o.named else "misnamed" if o.detected else ""
                more = f" FALSE {o.false}: {'; '.join(o.false_said)}" if o.false in {"warn", "pause"} else ""
                flag = "   <--" if bad else ""
                say(f"     {variation} {o.way:<15} {o.verdict:<8} {', '.join(o.kinds)} {named}{more}{flag}")
    return wrong


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("numbers", nargs="*", help="scenario numbers or ranges; all, when none is given")
    parser.add_argument("--variations", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default=",".join(ways.WAYS), help="separated by commas")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return min(1, asyncio.run(show(chosen(asked.numbers), asked.variations, asked.seed, asked.ways.split(","))))


if __name__ == "__main__":
    sys.exit(main())
