"""Danger windows from decisions and a ledger: where they begin, what is exposed, what is admitted to be missing."""

import msgspec

from alerts.window import TOLD, Phase, Window
from detectors.base import Finding
from detectors.events import Stage
from monitor.breaker.desk import Made
from monitor.breaker.holds import Decision, State
from monitor.breaker.machine import Breaker
from monitor.windows import MOST_BLOCKS, Windows
from tests.monitor.test_ledger import entry
from tests.support.findings import BANK, CHAIN, finding


def made(before: State, after: State, at: float, *findings: Finding) -> Made:
    """A decision in force."""
    decision = Decision(
        id=f"{after}@{at:g}", integration="bank", before=before, after=after, at=at, reason="test", by="policy:default",
        findings=findings,
    )  # fmt: skip
    return Made(decision, Breaker(integration="bank", state=after), int(at))


def windows(decisions: list[Made]) -> Windows:
    """Of one integration."""
    return Windows({"bank": [BANK]}, {"bank": CHAIN}, lambda: decisions)


def test_evidence_found_late_moves_the_beginning_back_and_what_comes_after_the_decision_is_paused() -> None:
    late = made(State.CLOSED, State.OPEN, 6.2, finding(height=4))
    told = windows([late])
    for height in range(1, 9):
        told.ledger(CHAIN).record(entry(height, f"0x{height}"))
    window = told.of(late.decision.id)
    assert window is not None
    assert window.open
    assert window.complete
    assert [edge.number for edge in window.blocks] == [4, 5, 6, 7, 8]
    assert [one.hash for one in window.transactions if one.phase is Phase.EXPOSED] == ["0x4", "0x5", "0x6"]


def test_a_pending_attack_begins_at_the_head_of_that_moment_and_ends_where_it_was_resumed() -> None:
    decisions = [made(State.CLOSED, State.OPEN, 5.1, finding(stage=Stage.PENDING, at=5.1))]
    told = windows(decisions)
    for height in range(1, 12):
        told.ledger(CHAIN).record(entry(height))
    decisions.append(made(State.OPEN, State.HALF_OPEN, 7.0))
    decisions.append(made(State.HALF_OPEN, State.CLOSED, 9.5))
    decisions.append(made(State.CLOSED, State.OPEN, 11.0))
    for one in decisions[:3]:
        window = told.of(one.decision.id)
        assert window is not None
        assert (window.incident, window.open, window.ended_at) == (decisions[0].decision.id, False, 9.5)
        assert [edge.number for edge in window.blocks] == [5, 6, 7, 8, 9]
    other = told.of(decisions[3].decision.id)
    assert other is not None
    assert (other.incident, other.open) == (decisions[3].decision.id, True)


def test_memory_that_does_not_reach_back_says_so_and_how_far_it_does() -> None:
    early = made(State.CLOSED, State.OPEN, 6.0, finding(height=4))
    told = windows([early])
    window = told.of(early.decision.id)
    assert window is not None
    assert not window.complete
    for height in (6, 7, 9):
        told.ledger(CHAIN).record(entry(height))
    window = told.of(early.decision.id)
    assert window is not None
    assert (window.complete, "from 6 on" in window.why) == (False, True)


def test_what_the_journal_kept_of_the_beginning_is_joined_with_what_was_seen_since() -> None:
    decisions = [made(State.CLOSED, State.OPEN, 4.5, finding(height=4))]
    told = windows(decisions)
    for height in range(1, 6):
        told.ledger(CHAIN).record(entry(height, f"0x{height}"))
    begun = told.due(decisions[0])
    assert begun is not None
    told.remember(begun)
    assert told.due(decisions[0]) is None, "once is enough"
    again = windows(decisions)
    again.remember(msgspec.json.decode(msgspec.json.encode(begun), type=Window))
    for height in (6, 7):
        again.ledger(CHAIN).record(entry(height, f"0x{height}"))
    decisions.append(made(State.OPEN, State.CLOSED, 7.5))
    ended = again.due(decisions[1])
    assert ended is not None
    assert (ended.complete, ended.open) == (True, False)
    assert [one.hash for one in ended.transactions] == ["0x4", "0x5", "0x6", "0x7"]
    gap = windows(decisions)
    gap.remember(begun)
    gap.ledger(CHAIN).record(entry(7))
    window = gap.of(decisions[0].decision.id)
    assert window is not None
    assert (window.complete, "blocks after 5" in window.why) == (False, True)


def test_a_very_long_window_leaves_out_quiet_blocks_alone_and_counts_them() -> None:
    long = made(State.CLOSED, State.OPEN, 2.0, finding(height=2))
    told = windows([long])
    for height in range(1, MOST_BLOCKS + 100):
        told.ledger(CHAIN).record(entry(height, *([f"0x{height}"] if height % 100 == 0 else [])))
    window = told.of(long.decision.id)
    assert window is not None
    assert window.complete
    assert len(window.blocks) + window.quiet == MOST_BLOCKS + 98
    assert {one.block for one in window.transactions} <= {edge.number for edge in window.blocks}


def test_what_a_message_carries_is_bounded_and_says_where_the_rest_is() -> None:
    busy = made(State.CLOSED, State.OPEN, 2.0, finding(height=2))
    told = windows([busy])
    told.ledger(CHAIN).record(entry(2, *(f"0x{number}" for number in range(3 * TOLD))))
    window = told.of(busy.decision.id)
    assert window is not None
    short = window.told("http://here/v1/incidents/x/window")
    assert (len(short.transactions), short.transactions_total, short.blocks) == (TOLD, 3 * TOLD, ())
    assert short.url.endswith("/window")


def test_a_bypass_of_what_holds_nothing_is_no_incident() -> None:
    bypass = made(State.CLOSED, State.FORCED_CLOSED, 2.0)
    told = windows([bypass])
    assert told.of(bypass.decision.id) is None
    assert told.due(bypass) is None
