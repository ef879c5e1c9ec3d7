"""One who splits his money over many accounts has one budget, and what a reorganisation took back funded nobody."""

import itertools
from collections.abc import Iterable
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Detector, Finding
from detectors.events import Block, Committed, Dropped, Event, Reverted, Stage, Tick
from detectors.execution import Execution
from monitor.breaker import funders
from monitor.breaker.fold import Fold
from monitor.breaker.funders import FURTHEST, Funders
from monitor.breaker.holds import Mode
from monitor.breaker.policy import Rules
from monitor.journal.base import encode
from monitor.pipeline import Pipeline, Watched
from tests.support.executions import address, call, execution
from tests.support.findings import BANK, CHAIN, finding, position

START = 50_000.0
RULES = Rules(pending_budget=300.0, sender_budget=120.0)
STEP = 2.0
ROUTER = address("router")


def paid(payer: str, *receivers: str, height: int = 10, ok: bool = True) -> Execution:
    """A mined transaction in which `payer` has a contract pay these."""
    spread = call(ROUTER, "spread()", *(call(one, value=1) for one in receivers), value=len(receivers), ok=ok)
    made = execution(spread, sender=payer, chain=CHAIN)
    return msgspec.structs.replace(made, position=position(height))


def knowing(*events: Event) -> Funders:
    known = Funders()
    for event in events:
        known.observe(event)
    return known


def test_whoever_signed_the_first_payment_answers_for_an_account_and_so_on_up() -> None:
    known = knowing(paid("a", "b", "c"), paid("x", "b"), paid("b", "d"))
    assert [known.root(account) for account in "abcdx"] == ["a", "a", "a", "a", "x"]
    assert known.root("never seen") == "never seen"


def test_who_had_sent_something_before_was_funded_by_nobody() -> None:
    assert knowing(paid("b", "z"), paid("a", "b")).root("b") == "b"


def test_what_failed_paid_nothing_or_is_only_pending_funds_nobody() -> None:
    pending = msgspec.structs.replace(paid("a", "b"), stage=Stage.PENDING, position=None)
    nothing = execution(call("b", "ping()"), sender="a", chain=CHAIN)
    assert knowing(paid("a", "b", ok=False), pending, nothing).root("b") == "b"


def test_the_way_up_ends_somewhere_even_in_a_circle() -> None:
    chain = [paid(str(n), str(n + 1)) for n in range(FURTHEST + 3)]
    assert knowing(*reversed(chain)).root("7") == "6", "who pays had sent before"
    assert knowing(*chain).root(str(FURTHEST + 3)) == str(3)


def test_a_block_that_is_taken_back_funded_nobody() -> None:
    first, last = position(11), position(11)
    known = knowing(
        Block(chain=CHAIN, at=1.0, position=position(10), timestamp=1.0), paid("a", "b"),
        Block(chain=CHAIN, at=2.0, position=first, timestamp=2.0), paid("a", "c", height=11),
        Reverted(chain=CHAIN, at=3.0, first=first, last=last),
    )  # fmt: skip
    assert (known.root("b"), known.root("c")) == ("a", "c")
    known.observe(Committed(chain=CHAIN, at=4.0, first=position(10), last=position(10), safe=10, finalized=10))
    assert known.root("b") == "a"


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funders, "REMEMBERED", 4)
    known = knowing(paid("a", "b"), paid("a", "c"), paid("a", "d"), paid("a", "e"))
    assert [known.root(one) for one in "bcde"] == ["b", "c", "a", "a"]


class Alarmist(Detector):
    """Fears every call of BANK."""

    name: ClassVar[str] = "alarmist"
    summary: ClassVar[str] = "test"
    wants: ClassVar[tuple[type[Event], ...]] = (Execution,)
    kinds: ClassVar[dict[str, str]] = {"same_contract": "test"}

    def observe(self, event: Event) -> Iterable[Finding]:
        assert isinstance(event, Execution)
        if event.frames[0].to == BANK:
            yield finding(tx=event.tx, stage=event.stage, at=event.at, height=None)


class Siege:
    """Fakes from many accounts, feared and then replaced, through the whole pipeline."""

    def __init__(self) -> None:
        self.fold = Fold({"bank": Mode.ENFORCE})
        watched = Watched(integration="bank", chain=CHAIN, contracts=(BANK,), rules=RULES)
        self.pipeline = Pipeline({CHAIN: [Alarmist()]}, [watched], self.fold)
        self.now, self.height, self.paused_for, self.numbers = START, 10, 0.0, itertools.count(1)

    def see(self, event: Event) -> None:
        _, proposed = self.pipeline.step(event)
        for decision in proposed.decisions:
            self.fold.apply_record("decision", encode(decision), self.fold.head + 1)

    def fake(self, sender: str, seconds: float) -> None:
        """One is sent, stands for so long and is replaced."""
        made = execution(call(BANK, "steal()"), sender=sender, chain=CHAIN, stage=Stage.PENDING, tx=f"0x{next(self.numbers)}")
        self.see(msgspec.structs.replace(made, at=self.now))
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self.paused_for += STEP * self.fold.breaker("bank").paused
            self.see(Tick(chain=Tick.EVERYWHERE, at=self.now))
        self.see(Dropped(chain=CHAIN, at=self.now, id=made.tx, reason="replaced"))
        for _ in range(2):
            self.height += 1
            at = position(self.height)
            self.see(Block(chain=CHAIN, at=self.now, position=at, timestamp=self.now))
            self.see(Committed(chain=CHAIN, at=self.now, first=at, last=at))


FAKES = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([6.0, 24.0, 90.0])), min_size=1, max_size=40)


@given(fakes=FAKES)
def test_a_flood_from_accounts_that_one_funded_pauses_no_longer_than_one_sender_may(fakes: list[tuple[int, float]]) -> None:
    siege = Siege()
    siege.see(paid("mallory", *(f"account {n}" for n in range(31))))
    for number, seconds in fakes:
        if siege.now < START + 3600.0:
            siege.fake(f"account {number}", seconds)
    assert siege.paused_for <= RULES.sender_budget + 2 * STEP


@given(fakes=FAKES)
def test_a_flood_from_strangers_pauses_no_longer_than_all_pending_fears_may(fakes: list[tuple[int, float]]) -> None:
    siege = Siege()
    for number, seconds in fakes:
        if siege.now < START + 3600.0:
            siege.fake(f"stranger {number}", seconds)
    assert siege.paused_for <= RULES.pending_budget + 2 * STEP


def test_who_has_money_of_his_own_is_still_feared_when_a_flood_has_spent_its_budget() -> None:
    siege = Siege()
    siege.see(paid("mallory", *(f"account {n}" for n in range(10))))
    for number in range(10):
        siege.fake(f"account {number}", 30.0)
    assert siege.paused_for >= RULES.sender_budget
    siege.fake("account 3", 6.0)
    before = siege.paused_for
    siege.fake("somebody else", 6.0)
    assert siege.paused_for > before
