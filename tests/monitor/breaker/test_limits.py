"""The breaker must not become the outage: how long fear may pause, how often it may trip, how much of it at once."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.events import Stage
from monitor.breaker.holds import Level, Mode, State
from monitor.breaker.limits import afraid_for, room
from monitor.breaker.machine import Breaker, apply
from monitor.breaker.people import Order, resume
from monitor.breaker.policy import Around, Rules, Settled, judge, settle, tick
from tests.support.findings import CHAIN, finding

RULES = Rules(pending_budget=300.0, sender_budget=120.0, max_trips=3)
TICK = 0.25


def enforced(**more: object) -> Breaker:
    return msgspec.structs.replace(Breaker(integration="bank", mode=Mode.ENFORCE), **more)


class Siege:
    """Fake attacks: sent, feared, and replaced before they are mined, as often as somebody likes."""

    def __init__(self) -> None:
        self.breaker, self.now, self.height, self.paused_for, self.pages = enforced(), 50_000.0, 10, 0.0, 0
        self.sequence = itertools.count(1)

    def fake(self, number: int, sender: str) -> None:
        """One more is seen."""
        found = finding(1.0, tx=f"0x{number}", stage=Stage.PENDING, at=self.now, height=None)
        decision, _ = judge(self.breaker, [found], RULES, self.now, self.height, "default", Around(sender=sender))
        if decision is not None:
            self.pages += bool(decision.page)
            self.breaker = apply(self.breaker, decision, next(self.sequence))

    def replaced(self, number: int) -> None:
        """Two blocks later it is gone."""
        self.height += 2
        decision = settle(self.breaker, [Settled(f"0x{number}", "replaced")], RULES, self.now, self.height, "default")
        if decision is not None:
            self.breaker = apply(self.breaker, decision, next(self.sequence))

    def wait(self, seconds: float) -> None:
        """Time passes, tick by tick where it matters."""
        while seconds > 0:
            step = min(seconds, TICK if self.breaker.paused else seconds)
            self.paused_for += step * self.breaker.paused
            self.now, seconds = self.now + step, seconds - step
            decision = tick(self.breaker, RULES, self.now, {}, "default")
            if decision is not None:
                self.pages += bool(decision.page)
                self.breaker = apply(self.breaker, decision, next(self.sequence))


@given(
    fakes=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.5, 24.0, 90.0]), st.booleans()), min_size=1, max_size=60
    )
)
def test_fake_attacks_cannot_pause_for_more_than_the_budget_of_an_hour(fakes: list[tuple[str, float, bool]]) -> None:
    siege = Siege()
    for number, (sender, seconds, gone) in enumerate(fakes):
        if siege.now > 50_000.0 + 3600.0:
            break
        siege.fake(number, sender)
        siege.wait(seconds)
        if gone:
            siege.replaced(number)
    assert siege.paused_for <= RULES.pending_budget + 2 * TICK


def test_one_sender_cannot_use_up_the_budget_of_all() -> None:
    siege = Siege()
    for number in range(40):
        siege.fake(number, "mallory")
        siege.wait(30.0)
        siege.replaced(number)
    assert siege.paused_for <= RULES.sender_budget + 2 * TICK
    assert siege.pages > 0
    siege.fake(99, "somebody else")
    assert siege.breaker.paused, "another's feared transaction still pauses"


def test_beyond_the_budget_it_throttles_pages_and_pauses_all_the_same_once_the_attack_is_mined() -> None:
    siege = Siege()
    siege.fake(1, "mallory")
    siege.wait(200.0)
    assert (siege.breaker.paused, siege.breaker.level, siege.breaker.allowed) == (False, Level.THROTTLE, RULES.throttle_share)
    assert siege.pages == 1
    mined = finding(1.0, tx="0x1", stage=Stage.INCLUDED, at=siege.now, height=siege.height)
    decision, _ = judge(siege.breaker, [mined], RULES, siege.now, siege.height, "default", Around(sender="mallory"))
    assert decision is not None
    after = apply(siege.breaker, decision, 99)
    assert (after.paused, after.level, after.allowed) == (True, Level.PAUSE, 0.0)


def test_a_fear_that_came_true_costs_no_budget() -> None:
    siege = Siege()
    siege.fake(1, "mallory")
    siege.wait(12.0)
    mined = finding(1.0, tx="0x1", stage=Stage.INCLUDED, at=siege.now, height=siege.height)
    decision, _ = judge(siege.breaker, [mined], RULES, siege.now, siege.height, "default")
    assert decision is not None
    assert afraid_for(apply(siege.breaker, decision, 99), siege.now) == 0.0


def test_too_many_trips_in_an_hour_wait_for_a_person() -> None:
    rules = Rules(max_trips=3, min_open=10.0, half_open_step=10.0)
    breaker, now, sequence, pages = enforced(), 1000.0, itertools.count(1), []
    for number in range(3):
        found = finding(1.0, tx=f"0x{number}", at=now, height=number)
        decision, _ = judge(breaker, [found], rules, now, number, "default")
        assert decision is not None
        pages.append(decision.page)
        breaker = apply(breaker, decision, next(sequence))
        for _ in range(12):
            now += 30.0
            if (decision := tick(breaker, rules, now, {CHAIN: 10_000}, "default")) is not None:
                breaker = apply(breaker, decision, next(sequence))
    assert [bool(page) for page in pages] == [False, False, True]
    assert tick(breaker, rules, now + 1e6, {CHAIN: 10_000}, "default") is None
    assert breaker.state is State.OPEN
    freed = resume(breaker, Order(who="alice", reason="looked"), now)
    assert freed is not None
    assert apply(breaker, freed, next(sequence)).tripped == ()


def test_cheap_fears_never_feed_the_latch() -> None:
    siege = Siege()
    for number in range(10):
        siege.fake(number, str(number))
        siege.wait(1.0)
        siege.replaced(number)
    assert (siege.breaker.trips, siege.breaker.tripped) == (0, ())


def test_no_more_than_a_share_of_the_integrations_is_paused_by_itself() -> None:
    paused, _ = judge(enforced(), [finding()], Rules(), 1000.0, 10, "default")
    assert paused is not None
    stopped, fine = apply(enforced(), paused, 1), enforced()
    assert room([stopped, fine, fine, fine], 0.5)
    assert not room([stopped, stopped, fine, fine], 0.5)
    assert not room([stopped, fine, fine, fine], 0.5, more=1)
    assert room([stopped, stopped, fine], 0.5), "three are too few for a share to mean anything"
    decision, _ = judge(enforced(), [finding()], Rules(), 1000.0, 10, "default", Around(room=False))
    assert decision is not None
    after = apply(enforced(), decision, 1)
    assert (after.paused, after.level, bool(decision.page)) == (False, Level.THROTTLE, True)


def test_milder_findings_take_away_less() -> None:
    rules = Rules(throttle_at=0.5, exits_only_at=0.65)
    levels = []
    for confidence in (0.55, 0.7, 0.9):
        decision, _ = judge(enforced(), [finding(confidence)], rules, 1000.0, 10, "default")
        assert decision is not None
        after = apply(enforced(), decision, 1)
        levels.append((after.level, after.paused, after.allowed))
    assert levels == [(Level.THROTTLE, False, 0.1), (Level.EXITS_ONLY, True, 0.0), (Level.PAUSE, True, 0.0)]
