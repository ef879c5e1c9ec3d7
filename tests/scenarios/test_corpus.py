"""A slice of the corpus in every way: attacks pause and name their victims, honest doubles pass; the whole is `make accuracy`."""

import pytest

from tests.scenarios import ways
from tests.scenarios.scenario import CORPUS, corpus

corpus()
SLICE = ("3", "6", "10", "13", "18c", "20b", "30c", "31c", "32", "37", "42")


@pytest.mark.slow
@pytest.mark.parametrize("number", SLICE)
async def test_judged_in_every_way(number: str) -> None:
    scenario = CORPUS[number]
    for seen in await ways.run(scenario, variation=0):
        told = (seen.way, seen.verdict, seen.kinds, seen.false_said)
        assert seen.false != "pause", told
        if seen.way != ways.DEGRADED:
            assert seen.false != "warn", told
        if scenario.attacks and seen.way == ways.DEGRADED:
            assert seen.verdict not in {"clear", "info"}, told
        elif scenario.attacks:
            assert seen.paused, told
            assert seen.all_named, told


def test_every_scenario_says_what_it_is() -> None:
    for scenario in corpus():
        assert scenario.stage.__doc__, scenario.number
        assert scenario.attacks == (scenario.family != "benign"), scenario.number
