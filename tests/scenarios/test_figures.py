"""The ledger's figures, on outcomes made up for the purpose: what counts as recall, as a false alarm, as a victim named."""

from monitor.inspect import Verdict
from tests.scenarios.figures import Part, bound, detectors, family, percentile
from tests.scenarios.scenario import REENTRANCY, Scenario, Staged
from tests.scenarios.ways import DEGRADED, MINED, PENDING, Outcome
from tests.scenarios.world import World


async def nothing(_: World) -> Staged:
    return Staged(watch=(), blocks=())


ROBBERY = Scenario(number="1", name="robbery", family=REENTRANCY, kinds=frozenset({"same_contract"}), stage=nothing)
BUSINESS = Scenario(number="32", name="business", family="benign", kinds=frozenset(), stage=nothing)


def outcome(way: str, verdict: Verdict, *, number: str = "1", said: str = "", named: bool = True) -> Outcome:
    attack = number == "1"
    return Outcome(
        number=number,
        variation=0,
        way=way,
        attack=attack,
        verdict=verdict,
        detected=attack and verdict in {Verdict.WARN, Verdict.PAUSE},
        paused=attack and verdict is Verdict.PAUSE,
        named=named,
        all_named=named,
        false=verdict if not attack else Verdict.CLEAR,
        false_said=(said,) if said else (),
        by=(("reentrancy", 0.9),) if attack and verdict is Verdict.PAUSE else (),
        false_by=(("reentrancy", 0.6),) if said else (),
    )


def test_a_warning_is_found_but_saves_nothing_and_a_false_one_costs_precision() -> None:
    seen = [
        outcome(PENDING, Verdict.WARN),
        outcome(MINED, Verdict.PAUSE),
        outcome(MINED, Verdict.CLEAR, named=False),
        outcome(DEGRADED, Verdict.UNJUDGED),
        outcome(DEGRADED, Verdict.CLEAR),
        outcome(MINED, Verdict.WARN, number="32", said="reentrancy same_contract 0.60: was re-entered"),
    ]
    made = family(REENTRANCY, [ROBBERY, BUSINESS], seen)
    assert made.recall == Part(2, 3)
    assert made.precision == Part(2, 3)
    assert (made.announced, made.blocks) == (Part(0, 1), Part(1, 2))
    assert made.all_named == Part(2, 2), "of what was found"
    assert made.degraded == Part(1, 2), "unjudged is not clean, clear is"
    assert detectors(seen) == {"reentrancy": (1, 1, 1, 0)}


def test_nothing_seen_in_n_trials_bounds_the_rate_by_three_over_n() -> None:
    assert bound(20_000) == "1.50e-04"
    assert bound(0) == "unknown"


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([5, 1, 4, 2, 3], share) for share in (0.5, 0.99, 1.0)] == [3, 5, 5]
    assert percentile([], 0.5) == 0.0
