"""The pipeline: isolation of detectors, second looks, settlement of pending holds. Detectors here are tiny and real."""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from detectors.base import Detector, Finding, Want
from detectors.events import Block, Committed, Dropped, Event, Reverted, Stage, Tick, Unjudged
from detectors.execution import Execution
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode, State
from monitor.breaker.policy import Rules
from monitor.journal.base import encode
from monitor.pipeline import QUARANTINE_AFTER, Pipeline, Proposed, Watched
from tests.support.executions import call, execution
from tests.support.findings import BANK, CHAIN, finding, position


class Alarmist(Detector):
    """Finds every transaction whose id says so; asks for a second look at others."""

    name: ClassVar[str] = "alarmist"
    summary: ClassVar[str] = "test"
    wants: ClassVar[tuple[type[Event], ...]] = (Execution,)
    kinds: ClassVar[dict[str, str]] = {"same_contract": "test"}

    def observe(self, event: Event) -> Iterable[Finding | Want]:
        assert isinstance(event, Execution)
        if "evil" in event.tx:
            yield finding(tx=event.tx, stage=event.stage, at=event.at, height=event.position.height if event.position else None)
        if "odd" in event.tx and not event.supersedes:
            yield Want(event.chain, event.tx, event.stage, "test")


class Crasher(Alarmist):
    """Raises on everything."""

    name: ClassVar[str] = "crasher"

    def observe(self, event: Event) -> Iterable[Finding | Want]:
        raise ZeroDivisionError(f"as always: {event.key}")


def ran(tx: str, stage: Stage = Stage.PENDING, height: int | None = None, *, second: bool = False) -> Execution:
    """A plain call that ran in such a stage."""
    plain = execution(call(BANK, "ping()"), tx=tx)
    at = position(height) if height else None
    return msgspec.structs.replace(plain, chain=CHAIN, stage=stage, position=at, supersedes=second)


class Shore:
    """A pipeline over a fold with no journal behind it: what is proposed is folded at once."""

    def __init__(self, *detectors: Detector, finality: str = "finalized") -> None:
        self.fold = Fold({"bank": Mode.ENFORCE})
        watched = Watched(integration="bank", chain=CHAIN, contracts=(BANK,), rules=Rules(), finality=finality)
        self.pipeline = Pipeline({CHAIN: detectors}, [watched], self.fold)

    def see(self, event: Event) -> Proposed:
        _, proposed = self.pipeline.step(event)
        for decision in proposed.decisions:
            self.fold.apply_record("decision", encode(decision), self.fold.head + 1)
        for note in proposed.notes:
            self.fold.apply_record(note.kind, encode(note), self.fold.head + 1)
        return proposed

    def commit(self, height: int, finalized: int = -1) -> Proposed:
        at = 1000.0 + height
        self.see(Block(chain=CHAIN, at=at, position=position(height), timestamp=at))
        return self.see(Committed(chain=CHAIN, at=at, first=position(height), last=position(height), finalized=finalized))

    def state(self) -> State:
        return self.fold.breaker("bank").state


def test_a_detector_that_raises_changes_nothing_for_the_others_and_is_left_out() -> None:
    with_crasher, without = Shore(Crasher(), Alarmist()), Shore(Alarmist())
    for number in range(QUARANTINE_AFTER + 1):
        judged, proposed = with_crasher.pipeline.step(ran(f"0xevil{number}"))
        alone, expected = without.pipeline.step(ran(f"0xevil{number}"))
        assert judged.findings == alone.findings
        assert proposed == expected
        assert bool(judged.failed) == (number < QUARANTINE_AFTER)
    assert with_crasher.pipeline.quarantined == [(CHAIN, "crasher")]


def test_only_who_asked_is_shown_the_second_look() -> None:
    shore = Shore(Alarmist())
    judged, _ = shore.pipeline.step(ran("0xodd-evil"))
    assert [want.tx for want in judged.wants] == ["0xodd-evil"]
    judged, _ = shore.pipeline.step(ran("0xodd-evil", second=True))
    assert len(judged.findings) == 1
    judged, _ = shore.pipeline.step(ran("0xodd-evil", second=True))
    assert judged.findings == []


def test_a_pending_attack_that_is_dropped_lets_go_after_two_blocks() -> None:
    shore = Shore(Alarmist())
    shore.commit(10)
    shore.see(ran("0xevil"))
    assert shore.state() is State.OPEN
    shore.see(Dropped(chain=CHAIN, at=1011.0, id="0xevil", reason="replaced"))
    shore.commit(11)
    assert shore.state() is State.OPEN
    shore.commit(12)
    assert shore.state() is State.CLOSED


def test_a_pending_attack_that_is_mined_as_feared_stays_until_final() -> None:
    shore = Shore(Alarmist())
    shore.commit(10)
    shore.see(ran("0xevil"))
    shore.see(ran("0xevil", Stage.INCLUDED, 11))
    shore.commit(11)
    shore.commit(14)
    assert shore.state() is State.OPEN
    assert [hold.stage for hold in shore.fold.breaker("bank").automatic] == [Stage.INCLUDED]
    shore.see(Tick(chain=Tick.EVERYWHERE, at=1.8e9))
    assert shore.state() is State.OPEN
    shore.commit(15, finalized=11)
    shore.see(Tick(chain=Tick.EVERYWHERE, at=1.9e9))
    assert shore.state() is State.HALF_OPEN


class Pessimist(Alarmist):
    """Fears on the state before a block what does nothing in the block itself, since something there disarmed it first."""

    def observe(self, event: Event) -> Iterable[Finding | Want]:
        assert isinstance(event, Execution)
        if event.stage is Stage.PENDING:
            yield from super().observe(event)


def include(shore: Shore, tx: str, height: int) -> None:
    """A block with this transaction, judged and committed."""
    shore.see(Block(chain=CHAIN, at=1000.0 + height, position=position(height), timestamp=1000.0 + height))
    shore.see(ran(tx, Stage.INCLUDED, height))
    shore.commit(height)


def test_a_verdict_on_a_pending_transaction_that_comes_after_its_block_was_judged_changes_nothing() -> None:
    shore = Shore(Pessimist())
    shore.commit(10)
    include(shore, "0xevil", 11)
    judged, proposed = shore.pipeline.step(ran("0xevil"))
    assert (judged.findings, proposed.decisions) == ([], [])
    assert shore.state() is State.CLOSED
    assert shore.pipeline.fears(CHAIN) == frozenset()


def test_a_hold_that_reaches_the_journal_after_its_block_was_judged_harmless_ends_all_the_same() -> None:
    shore = Shore(Pessimist())
    shore.commit(10)
    _, proposed = shore.pipeline.step(ran("0xevil"))
    include(shore, "0xevil", 11)
    for decision in proposed.decisions:  # the disk was slow
        shore.fold.apply_record("decision", encode(decision), shore.fold.head + 1)
    assert shore.state() is State.OPEN
    assert shore.pipeline.fears(CHAIN) == frozenset(), "its fate is known, whatever a node says of it"
    shore.commit(12)
    assert shore.state() is State.CLOSED


def test_a_block_that_was_taken_back_clears_nobody() -> None:
    shore = Shore(Pessimist())
    shore.commit(10)
    shore.see(ran("0xevil"))
    include(shore, "0xevil", 11)
    shore.see(Reverted(chain=CHAIN, at=1012.0, first=position(11), last=position(11)))
    for height in range(11, 20):
        shore.commit(height)
    assert shore.state() is State.OPEN
    assert shore.pipeline.fears(CHAIN) == {"0xevil"}, "somebody must look after it again"
    include(shore, "0xevil", 20)
    assert shore.state() is State.CLOSED


def test_a_mined_transaction_that_nobody_could_judge_clears_no_hold() -> None:
    blind = Shore(Pessimist())
    blind.commit(10)
    blind.see(ran("0xevil"))
    at = position(11)
    blind.see(Unjudged(chain=CHAIN, at=1011.0, id="0xevil", stage=Stage.INCLUDED, reason="too large", position=at))
    crashed = Shore(Pessimist(), Crasher())
    crashed.commit(10)
    crashed.see(ran("0xevil"))
    crashed.see(ran("0xevil", Stage.INCLUDED, 11))
    for shore in (blind, crashed):
        for height in range(11, 20):
            shore.commit(height)
        assert shore.state() is State.OPEN
        assert shore.pipeline.fears(CHAIN) == {"0xevil"}


def test_after_a_reorg_the_hold_stays_and_counts_down() -> None:
    shore = Shore(Alarmist())
    shore.see(ran("0xevil", Stage.INCLUDED, 11))
    shore.see(Reverted(chain=CHAIN, at=1012.0, first=position(11), last=position(11)))
    assert shore.state() is State.OPEN
    assert [(hold.reverted, hold.until) for hold in shore.fold.breaker("bank").automatic] == [(True, 1612.0)]
    assert shore.pipeline.pending_holds() == {}


def test_a_release_waits_for_as_much_certainty_as_its_chain_is_configured_for() -> None:
    for finality, releases in (
        ("finalized", [False, False, True]),
        ("safe", [False, True, True]),
        ("latest", [True, True, True]),
    ):
        seen = []
        for safe, final in ((-1, -1), (12, 5), (12, 11)):
            shore = Shore(Alarmist(), finality=finality)
            shore.see(ran("0xevil", Stage.INCLUDED, 11))
            shore.commit(12)
            at = position(13)
            shore.see(Block(chain=CHAIN, at=1013.0, position=at, timestamp=1013.0))
            shore.see(Committed(chain=CHAIN, at=1013.0, first=at, last=at, finalized=final, safe=safe))
            shore.see(Tick(chain=Tick.EVERYWHERE, at=1.9e9))
            seen.append(shore.state() is State.HALF_OPEN)
        assert seen == releases, finality


def test_what_too_few_nodes_vouch_for_releases_nothing_even_where_the_newest_block_would_do() -> None:
    released = []
    for agreed in (-1, 10, 13):
        shore = Shore(Alarmist(), finality="latest")
        shore.see(ran("0xevil", Stage.INCLUDED, 11))
        at = position(12)
        shore.see(Block(chain=CHAIN, at=1012.0, position=at, timestamp=1012.0))
        shore.see(Committed(chain=CHAIN, at=1012.0, first=at, last=at, agreed=agreed))
        shore.see(Tick(chain=Tick.EVERYWHERE, at=1.9e9))
        released.append(shore.state() is State.HALF_OPEN)
    assert released == [False, False, True]
