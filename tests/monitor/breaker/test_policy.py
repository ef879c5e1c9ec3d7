"""Policy and machine together: what trips, what releases, who may."""

import itertools

import msgspec
import pytest

from detectors.base import Basis, Finding
from detectors.events import Reverted, Stage
from monitor.breaker.holds import Decision, Mode, State
from monitor.breaker.machine import TRANSITIONS, Breaker, IllegalTransitionError, apply
from monitor.breaker.people import Order, pause, resume
from monitor.breaker.policy import Rules, Settled, judge, settle, tick, unroll
from tests.support.findings import CHAIN, finding, position

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
    decision = unroll(breaker, Reverted(chain=CHAIN, at=1005.0, first=position(9), last=position(10)), RULES, "default")
    assert decision is not None
    after = apply(breaker, decision, 2)
    assert after.paused
    assert [(hold.reverted, hold.until) for hold in after.automatic] == [(True, 1005.0 + RULES.reverted_hold)]
    above = Reverted(chain=CHAIN, at=1005.0, first=position(11), last=position(12))
    assert unroll(breaker, above, RULES, "default") is None


def test_a_hold_whose_block_was_replaced_probes_only_after_its_countdown_and_once_the_new_block_is_final() -> None:
    breaker = tripped(finding(height=10))
    decision = unroll(breaker, Reverted(chain=CHAIN, at=1005.0, first=position(9), last=position(10)), RULES, "default")
    assert decision is not None
    after, late = apply(breaker, decision, 2), 1005.0 + RULES.reverted_hold
    assert tick(after, RULES, late - 1, {CHAIN: 10}, "default") is None
    assert tick(after, RULES, late + RULES.min_open, {CHAIN: 9}, "default") is None
    probing = tick(after, RULES, late + RULES.min_open, {CHAIN: 10}, "default")
    assert probing is not None
    assert probing.after is State.HALF_OPEN
    gone = [Settled("0xattack", "dropped")]
    assert settle(after, gone, RULES, late, 99, "default") is None, "what becomes of the transaction shortens nothing"


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
