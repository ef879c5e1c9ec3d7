"""Time and price in the ledger: how far a run is, what a detector's lead was, what only warns and why."""

from monitor.inspect import Verdict
from tests.scenarios import leads
from tests.scenarios.progress import Part, Progress
from tests.scenarios.scenario import DRAIN, REENTRANCY, Scenario, corpus
from tests.scenarios.test_figures import nothing, outcome
from tests.scenarios.ways import PENDING, Outcome

ROBBERY = Scenario(number="1", name="robbery", family=REENTRANCY, kinds=frozenset({"same_contract"}), stage=nothing)
RUG = Scenario(number="23", name="rug", family=DRAIN, kinds=frozenset({"pulled"}), stage=nothing, why="it is the house's own.")


def paused(flag_ms: float) -> Outcome:
    made = outcome(PENDING, Verdict.PAUSE)
    made.flag_ms, made.lead_ms, made.frames = flag_ms, 6000.0, 20
    return made


def test_a_run_says_how_far_it_is_and_learns_from_itself_how_long_it_will_take() -> None:
    run = Progress({"worlds": Part(10, 1.0), "honest": Part(100, 0.1)}, began=0.0)
    assert run.line(0.0).endswith("worlds 0/10, honest 0/100; 0m00s gone, about 0m20s to go")
    run.done("worlds", 5)
    run.step("honest")
    assert "26 %" in run.line(90.0)
    run.done("worlds", 99)
    run.done("honest", 100)
    assert run.line(90.0).endswith("worlds 10/10, honest 100/100; 1m30s gone, about 0m00s to go")


def test_lead_time_is_told_by_scenario_and_by_detector_and_apart_from_what_else_ran() -> None:
    told = [*leads.by_scenario([ROBBERY], [paused(5.0)], [paused(10.0), paused(30.0)])]
    assert told[-1] == "| 1 | 2 | 2 | 5.0 ms | 10.0 ms | 30.0 ms | 6,000.0 ms | 20 |"
    told = [*leads.by_detector([paused(5.0)], [paused(10.0)])]
    assert told[-1] == "| reentrancy | 1 | 5.0 ms | 10.0 ms | 10.0 ms | 6,000.0 ms |"


def test_an_attack_that_is_only_warned_of_says_why() -> None:
    warned = outcome(PENDING, Verdict.WARN)
    warned.number = "23"
    (told,) = leads.only_warned([ROBBERY, RUG], [paused(1.0), warned])
    assert told == "* 23, rug, is only warned of: it is the house's own."


def test_the_whole_matrix_is_staged() -> None:
    assert leads.missing(corpus()) == []
    assert leads.missing([ROBBERY]) == list(range(2, 45))
