"""Policy and machine together: what trips, what releases, who may."""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from detectors.base import Basis, Finding
from detectors.events import Stage
from monitor.breaker.holds import Decision, Mode, State
from monitor.breaker.machine import TRANSITIONS, Breaker, IllegalTransitionError, apply
from monitor.breaker.people import Order, pause, resume
from monitor.breaker.policy import Rules, Settled, judge, settle, tick, unroll
from tests.support.findings import CHAIN, finding

RULES = Rules(min_open=600.0, half_open_step=60.0, pending_budget=1e12, sender_budget=1e12, max_trips=10**6)


def enforced() -> Breaker:
    return Breaker(integration="bank", mode=Mode.ENFORCE)


def tripped(*found: Finding, at: float = 1000.0, height: int = 10) -> Breaker:
    decision, _ = judge(enforced(), found or [finding()], RULES, at, height, "default")
    assert decision is not None
    return apply(enforced(), decision, 1)


def ordered(breaker: Breaker, who: str, at: float) -> Decision:
    decision = pause(breaker, Order(who=who, reason="because"), at)
    assert decision is not None
    return decision


def test_one_mechanism_finding_trips_at_any_stage() -> None:
    for stage in Stage:
        assert tripped(finding(0.8, stage=stage)).paused


def test_a_warning_pauses_nothing_and_is_noted() -> None:
    decision, notes = judge(enforced(), [finding(0.79)], RULES, 1000.0, 10, "default")
    assert decision is None
    assert [note.confidence for note in notes] == [0.79]


def test_a_second_look_can_take_a_warning_back() -> None:
    warned = msgspec.structs.replace(enforced(), findings=(finding(0.6),))
    _, same = judge(warned, [finding(0.6)], RULES, 1001.0, 10, "default")
    _, lower = judge(warned, [finding(0.3)], RULES, 1001.0, 10, "default")
    assert (same, [note.confidence for note in lower]) == ([], [0.3])


def test_statistics_need_a_quorum_of_detectors() -> None:
    one = finding(0.9, detector="cusum", basis=Basis.STATISTICS)
    decision, _ = judge(enforced(), [one], RULES, 1000.0, 10, "default")
    assert decision is None
    other = finding(0.9, detector="spot", basis=Basis.STATISTICS)
    decision, _ = judge(enforced(), [one, other], RULES, 1000.0, 10, "default")
    assert decision is not None
    assert decision.after is State.OPEN


def test_advice_never_pauses() -> None:
    decision, notes = judge(enforced(), [finding(1.0, basis=Basis.ADVICE)], RULES, 1000.0, 10, "default")
    assert (decision, notes) == (None, [])


def test_the_same_finding_again_decides_nothing_and_a_stronger_stage_upgrades_the_hold() -> None:
    breaker = tripped(finding(stage=Stage.PENDING))
    again, _ = judge(breaker, [finding(stage=Stage.PENDING)], RULES, 1001.0, 10, "default")
    assert again is None
    mined, _ = judge(breaker, [finding(stage=Stage.INCLUDED, height=11)], RULES, 1002.0, 11, "default")
    assert mined is not None
    after = apply(breaker, mined, 2)
    (hold,) = after.holds.values()
    assert (hold.stage, hold.since, after.state, after.reason) == (Stage.INCLUDED, 1000.0, State.OPEN, breaker.reason)


def test_a_pending_hold_ends_two_blocks_later_when_its_transaction_is_dropped() -> None:
    breaker = tripped(finding(stage=Stage.PENDING), height=10)
    gone = [Settled("0xattack", "dropped")]
    assert settle(breaker, gone, RULES, 1004.0, 11, "default") is None
    decision = settle(breaker, gone, RULES, 1006.0, 12, "default")
    assert decision is not None
    assert apply(breaker, decision, 2).state is State.CLOSED


def test_a_block_hold_does_not_end_because_its_transaction_is_settled() -> None:
    assert settle(tripped(), [Settled("0xattack", "dropped")], RULES, 9e9, 99, "default") is None


def test_a_reorg_counts_a_hold_down_to_pending_and_never_flips_the_flag() -> None:
    breaker = tripped(finding(height=10))
    decision = unroll(breaker, CHAIN, 9, 10, 1005.0, "default")
    assert decision is not None
    after = apply(breaker, decision, 2)
    assert after.paused
    assert [hold.pending for hold in after.automatic] == [True]
    assert unroll(breaker, CHAIN, 11, 12, 1005.0, "default") is None


def test_it_probes_only_when_old_enough_quiet_and_final_and_then_closes_step_by_step() -> None:
    breaker = tripped(at=1000.0)
    assert tick(breaker, RULES, 1599.0, {CHAIN: 10}, "default") is None
    assert tick(breaker, RULES, 1600.0, {CHAIN: 9}, "default") is None
    shares, now = [], 1600.0
    for sequence in itertools.count(2):
        decision = tick(breaker, RULES, now, {CHAIN: 10}, "default")
        assert decision is not None
        breaker, now = apply(breaker, decision, sequence), now + 60
        shares.append((breaker.state, breaker.share))
        if breaker.state is State.CLOSED:
            break
        assert breaker.paused
    assert shares == [
        (State.HALF_OPEN, 0.01), (State.HALF_OPEN, 0.1), (State.HALF_OPEN, 1.0), (State.CLOSED, 1.0)
    ]  # fmt: skip


def test_a_finding_while_probing_opens_it_again_for_twice_as_long() -> None:
    breaker = tripped(at=1000.0)
    probing = tick(breaker, RULES, 1600.0, {CHAIN: 10}, "default")
    assert probing is not None
    breaker = apply(breaker, probing, 2)
    again, _ = judge(breaker, [finding(tx="0xsecond", at=1610.0)], RULES, 1610.0, 12, "default")
    assert again is not None
    breaker = apply(breaker, again, 3)
    assert (breaker.state, breaker.trips) == (State.OPEN, 2)
    assert tick(breaker, RULES, 1610.0 + 1199.0, {CHAIN: 99}, "default") is None
    assert tick(breaker, RULES, 1610.0 + 1200.0, {CHAIN: 99}, "default") is not None


def test_a_person_can_pause_in_shadow_and_only_a_person_resumes() -> None:
    breaker = Breaker(integration="bank", mode=Mode.SHADOW)
    breaker = apply(breaker, ordered(breaker, "alice", 5.0), 1)
    assert breaker.paused
    assert tick(breaker, RULES, 9e9, {CHAIN: 99}, "default") is None
    assert settle(breaker, [Settled("0xattack", "dropped")], RULES, 9e9, 99, "default") is None
    freed = resume(breaker, Order(who="bob", reason="done"), 6.0)
    assert freed is not None
    assert not apply(breaker, freed, 2).paused


def test_shadow_decides_and_reports_and_leaves_the_flag_alone() -> None:
    shadow = Breaker(integration="bank", mode=Mode.SHADOW)
    decision, _ = judge(shadow, [finding()], RULES, 1000.0, 10, "default")
    assert decision is not None
    assert decision.shadow
    after = apply(shadow, decision, 1)
    assert (after.paused, after.would_pause) == (False, True)


@pytest.mark.parametrize("before", list(State))
def test_a_transition_the_table_forbids_raises(before: State) -> None:
    for after in set(State) - TRANSITIONS[before] - {before}:
        breaker = msgspec.structs.replace(enforced(), state=before)
        decision = Decision(id="x", integration="bank", before=before, after=after, at=1.0, reason="", by="policy:default")
        with pytest.raises(IllegalTransitionError):
            apply(breaker, decision, 1)


class Life(RuleBasedStateMachine):
    """A breaker's life under any order of events. The model: which holds were acknowledged and not validly released."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.sequence, self.now, self.height = enforced(), 0, 1000.0, 10
        self.human: set[str] = set()
        self.automatic: dict[str, str] = {}

    def take(self, decision: Decision | None) -> None:
        if decision is not None:
            self.sequence += 1
            before = self.breaker.revision
            self.breaker = apply(self.breaker, decision, self.sequence)
            assert self.breaker.revision > before

    @rule(number=st.integers(0, 3), stage=st.sampled_from(list(Stage)), confidence=st.floats(0, 1))
    def find(self, number: int, stage: Stage, confidence: float) -> None:
        found = finding(confidence, tx=f"0x{number}", stage=stage, at=self.now, height=self.height)
        decision, _ = judge(self.breaker, [found], RULES, self.now, self.height, "default")
        self.take(decision)
        if confidence >= RULES.pause_at:
            assert self.breaker.paused
            self.automatic[found.id] = found.tx or ""

    @rule(who=st.sampled_from(["alice", "bob"]))
    def person_pauses(self, who: str) -> None:
        self.now += 1
        decision = ordered(self.breaker, who, self.now)
        self.take(decision)
        self.human.add(decision.place[0].id)

    @rule()
    def person_resumes(self) -> None:
        self.take(resume(self.breaker, Order(who="alice", reason="fine"), self.now))
        self.human, self.automatic = set(), {}

    @rule(seconds=st.sampled_from([1.0, 61.0, 700.0, 90000.0]), final=st.booleans())
    def time_passes(self, seconds: float, *, final: bool) -> None:
        self.now, self.height = self.now + seconds, self.height + 1
        self.take(tick(self.breaker, RULES, self.now, {CHAIN: self.height if final else -1}, "default"))
        self.automatic = {key: tx for key, tx in self.automatic.items() if key in self.breaker.holds}

    @rule(number=st.integers(0, 3))
    def a_transaction_is_dropped(self, number: int) -> None:
        self.take(settle(self.breaker, [Settled(f"0x{number}", "dropped")], RULES, self.now, self.height, "default"))
        self.automatic = {key: tx for key, tx in self.automatic.items() if key in self.breaker.holds or tx != f"0x{number}"}

    @rule(depth=st.integers(0, 3))
    def the_chain_reorganises(self, depth: int) -> None:
        self.take(unroll(self.breaker, CHAIN, self.height - depth, self.height, self.now, "default"))

    @invariant()
    def no_false_run(self) -> None:
        assert self.human <= set(self.breaker.holds)
        assert set(self.automatic) <= set(self.breaker.holds)
        assert self.breaker.paused == bool(self.breaker.holds)


Life.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
test_no_order_of_events_makes_a_false_run = Life.TestCase
