"""A breaker's life under any order of events: no false run, no release without authority, revisions that rise, no flapping.

The model knows only what was acknowledged: which holds were placed, by whom, and what released them. `HYPOTHESIS_PROFILE=long`
takes it through thousands of steps more.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from detectors.events import Reverted, Stage
from monitor.breaker.holds import UNMINED, Decision, Level, Mode, State
from monitor.breaker.limits import afraid_for
from monitor.breaker.machine import Breaker, apply
from monitor.breaker.people import Order, bypass, pause, resume
from monitor.breaker.policy import Around, Rules, Settled, judge, settle, tick, unroll
from tests.support.findings import CHAIN, finding, position

RULES = Rules(min_open=600.0, half_open_step=60.0, pending_budget=120.0, sender_budget=60.0, max_trips=4, exits_only_at=0.7)
SENDERS = ("0xa", "0xb", "0xc")
PEOPLE = ("alice", "bob")


class Life(RuleBasedStateMachine):
    """One integration, one chain."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(integration="bank", mode=Mode.ENFORCE)
        self.sequence, self.now, self.height = 0, 100_000.0, 10
        self.ordered: dict[str, str] = {}
        """Ordered holds acknowledged and not released by who may: id -> who."""
        self.grounded: set[str] = set()
        """Automatic holds on block evidence that stop the integration."""
        self.trips: list[float] = []
        self.paused_pending: list[tuple[float, float]] = []

    def take(self, decision: Decision | None) -> None:
        """A decision enters the fold."""
        if decision is None:
            return
        self.sequence += 1
        before = self.breaker
        self.breaker = apply(before, decision, self.sequence)
        assert self.breaker.revision > before.revision
        if self.breaker.state is State.OPEN and before.state in {State.CLOSED, State.HALF_OPEN}:
            self.trips.append(self.now)

    def only_feared(self) -> bool:
        """Does nothing but pending evidence stop it?"""
        stops = [hold for hold in self.breaker.holds.values() if hold.stops]
        return self.breaker.state is State.OPEN and bool(stops) and all(hold.pending for hold in stops)

    @rule(
        number=st.integers(0, 5), stage=st.sampled_from(list(Stage)), confidence=st.floats(0, 1), sender=st.sampled_from(SENDERS)
    )
    def find(self, number: int, stage: Stage, confidence: float, sender: str) -> None:
        """A detector finds something."""
        found = finding(confidence, tx=f"0x{number}", stage=stage, at=self.now, height=self.height)
        around = Around(sender=sender)
        decision, _ = judge(self.breaker, [found], RULES, self.now, self.height, "default", around)
        before, standing = self.breaker.paused, self.breaker.holds.get(found.id)
        self.take(decision)
        if RULES.level_for(confidence) is None or self.breaker.state is State.FORCED_CLOSED:
            return
        again = standing is not None and standing.level is Level.THROTTLE  # its budget may have been spent since
        if stage not in UNMINED and not again:
            assert self.breaker.paused, "a mined mechanism finding stops it, whatever was spent"
            self.grounded.add(found.id)
        if decision is not None and decision.page and not before:
            assert not self.breaker.paused or stage not in UNMINED

    @rule(who=st.sampled_from(PEOPLE), level=st.sampled_from(list(Level)), automated=st.booleans())
    def somebody_orders_a_pause(self, who: str, level: Level, *, automated: bool) -> None:
        """A person or a service."""
        self.now += 1
        order = Order(who=who, reason="because", automated=automated)
        decision = pause(self.breaker, order, self.now, level=level, share=0.2, ttl=300.0)
        assert decision is not None
        self.take(decision)
        self.ordered[decision.place[0].id] = order.by

    @rule(who=st.sampled_from(PEOPLE))
    def a_person_resumes(self, who: str) -> None:
        """Everything is released."""
        self.take(resume(self.breaker, Order(who=who, reason="fine"), self.now))
        self.ordered, self.grounded = {}, set()
        assert self.breaker.level is None

    @rule(who=st.sampled_from(PEOPLE))
    def a_service_resumes(self, who: str) -> None:
        """Only its own orders go."""
        order = Order(who=who, reason="fine", automated=True)
        self.take(resume(self.breaker, order, self.now))
        self.ordered = {key: by for key, by in self.ordered.items() if by != order.by}

    @precondition(lambda self: not self.breaker.forced)
    @rule(seconds=st.sampled_from([10.0, 1000.0]))
    def a_person_bypasses(self, seconds: float) -> None:
        """Automatic holds are suppressed."""
        self.take(bypass(self.breaker, Order(who="alice", reason="known"), self.now, seconds))

    @rule(seconds=st.sampled_from([0.25, 1.0, 61.0, 700.0, 4000.0, 90000.0]), final=st.booleans())
    def time_passes(self, seconds: float, *, final: bool) -> None:
        """Ticks come at least once in the meantime, as they do."""
        feared, since = self.only_feared(), self.now
        self.now, self.height = self.now + seconds, self.height + 1
        before = self.breaker
        for _ in range(3):  # a review, a spent budget and the end of a bypass may fall together
            self.take(tick(self.breaker, RULES, self.now, {CHAIN: self.height if final else -1}, "default"))
        if before.state is State.OPEN and self.breaker.state is State.HALF_OPEN:
            assert final
            assert all(not hold.pending for hold in before.automatic), "a probe needs block evidence that is final"
            assert self.now >= before.since + RULES.min_open
        if feared:
            self.paused_pending.append((since, self.now))
        self.grounded &= set(self.breaker.holds)

    @rule(number=st.integers(0, 5))
    def a_transaction_is_dropped(self, number: int) -> None:
        """Its pending holds end, two blocks on."""
        self.take(settle(self.breaker, [Settled(f"0x{number}", "dropped")], RULES, self.now, self.height, "default"))
        self.grounded &= set(self.breaker.holds)

    @rule(depth=st.integers(0, 3))
    def the_chain_reorganises(self, depth: int) -> None:
        """Holds count down, the flag does not flip."""
        before = self.breaker.paused
        first, last = position(self.height - depth), position(self.height)
        self.take(unroll(self.breaker, Reverted(chain=CHAIN, at=self.now, first=first, last=last), RULES, "default"))
        assert self.breaker.paused == before

    @invariant()
    def no_false_run(self) -> None:
        """An ordered hold is there until who may releases it, and while a hold that stops stands, nobody reads run."""
        assert set(self.ordered) <= set(self.breaker.holds)
        if any(self.breaker.holds[key].stops for key in self.ordered):
            assert self.breaker.paused
        bypassed = self.breaker.state is State.FORCED_CLOSED
        for key in self.grounded & set(self.breaker.holds):
            assert bypassed or self.breaker.paused or not self.breaker.holds[key].stops

    @invariant()
    def the_share_is_what_the_level_says(self) -> None:
        """Nothing passes an exits-only or full pause outside a probe; all passes where nothing stands."""
        if self.breaker.level is None:
            assert self.breaker.allowed == 1.0
        elif self.breaker.state is not State.HALF_OPEN and self.breaker.paused:
            assert self.breaker.allowed == 0.0
        assert 0.0 <= self.breaker.allowed <= 1.0

    @invariant()
    def fear_has_a_budget(self) -> None:
        """Once spent, pending evidence alone stops nothing more after the next tick."""
        if self.only_feared():
            assert afraid_for(self.breaker, self.now) < RULES.pending_budget + 4000.0 or self.now == self.breaker.feared_since

    @invariant()
    def no_flapping(self) -> None:
        """An hour holds at most `max_trips` trips on block evidence; then a person is needed."""
        recent = [at for at in self.breaker.tripped if at > self.now - 3600.0]
        assert len(recent) <= RULES.max_trips


Life.TestCase.settings = settings(
    settings(), max_examples=max(100, settings().max_examples), stateful_step_count=50, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
test_no_order_of_events_breaks_a_promise = Life.TestCase
