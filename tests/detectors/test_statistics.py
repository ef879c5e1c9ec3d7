"""Statistics over reserves: they warn early, they corroborate, and alone they never pause."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import Basis, Finding, Severity, Watch
from detectors.events import PoolState
from detectors.statistics import Statistics
from monitor.breaker.machine import Breaker
from monitor.breaker.policy import Rules, judge
from tests.support.executions import ETHER, address
from tests.support.pools import CHAIN, block, reading, reverted

POOL, COIN = address("pool"), address("coin")
WATCH = {CHAIN: Watch(watched=frozenset({POOL}))}


def states(amounts: Iterable[int], first: int = 1) -> list[PoolState]:
    return [reading(POOL, first + i, "holdings", {COIN: amount}) for i, amount in enumerate(amounts)]


def told(detector: Statistics, events: Iterable[PoolState]) -> list[Finding]:
    return [made for event in events for made in detector.observe(event)]


def calm(count: int) -> list[int]:
    return [10**6 * ETHER + (-1) ** i * (i * 7919 % 100) * ETHER for i in range(count)]


def test_a_slow_drain_is_told_long_before_the_budgets_see_it() -> None:
    guard = Statistics(WATCH)
    assert told(guard, states(calm(400))) == []
    steps = [10**6 * ETHER - i * 500 * ETHER for i in range(1, 61)]
    first = next(f for f in told(guard, states(steps, 401)) if f.kind == "drift")
    left = 1 - int(str(first.evidence["amount"])) / (10**6 * ETHER)
    assert left < 0.03


def test_a_sudden_fall_lies_beyond_the_tail() -> None:
    guard = Statistics(WATCH)
    told(guard, states(calm(600)))
    assert "tail" in {made.kind for made in told(guard, states([6 * 10**5 * ETHER], 601))}


def test_a_fall_out_of_the_tail_is_told_beside_what_the_reserve_does_of_late() -> None:
    """It ebbs by a ten-thousandth a block for hours, which is drift; then it loses a fortieth at once."""
    guard = Statistics(WATCH)
    ebb, held = list[int](), 10**6 * ETHER
    for i in range(900):
        held -= held // (10_000 if i % 2 else 8_000)
        ebb.append(held)
    before = told(guard, states(ebb))
    assert "tail" not in {made.kind for made in before}
    (found,) = [made for made in told(guard, states([held - held // 40], 901)) if made.kind == "tail"]
    assert float(found.evidence["deviations"]) > float(found.evidence["limit"]) > float(found.evidence["of_late"]) > 0


def test_an_hour_unlike_its_season_is_told() -> None:
    seasons = {POOL: {COIN: [[0.0] * 24, [0.001] * 24]}}
    guard = Statistics(WATCH, seasons=seasons)
    told(guard, states([10**6 * ETHER], 1))
    assert {made.kind for made in told(guard, states([98 * 10**4 * ETHER], 302))} == {"season"}


@given(amounts=st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=300), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_alone_they_never_pause_whatever_the_reserves_do(amounts: list[int], seed: int) -> None:
    guard, breaker = Statistics(WATCH), Breaker(integration="pool")
    for made in told(guard, states([*calm(150 + seed), *amounts])):
        assert made.basis is Basis.STATISTICS
        assert made.severity is not Severity.CRITICAL
        decision, _ = judge(breaker, [made], Rules(), made.at, 1, "default")
        assert decision is None


def test_what_a_reorganisation_takes_back_was_never_learnt() -> None:
    one, two = Statistics(WATCH), Statistics(WATCH)
    for guard in (one, two):
        told(guard, states(calm(50)))
    for height in range(51, 60):
        one.observe(block(height))
        told(one, states([10**height], height))
    one.observe(reverted(51, 59))
    again = states(calm(300)[50:], 60)
    assert told(one, again) == told(two, again)
