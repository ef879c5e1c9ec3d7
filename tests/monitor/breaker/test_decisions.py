"""What is written down, word for word: a decision is read by people at night and by machines for years."""

from collections.abc import Iterable

import msgspec
import pytest

from detectors.base import Basis, Finding
from detectors.events import Committed, Reverted, Stage
from monitor.breaker.holds import Decision, Hold, Level, Mode, State, decision_id
from monitor.breaker.machine import Breaker, Spent
from monitor.breaker.policy import Around, Rules, Settled, judge, settle, tick, tripping, unroll
from tests.support.findings import CHAIN, finding, position

RULES = Rules(throttle_at=0.5, exits_only_at=0.7, throttle_share=0.2, min_open=600.0, half_open_step=60.0, max_trips=3)
NOW = 5000.0
ID = finding().id


def enforced(*holds: Hold, **more: object) -> Breaker:
    """An integration with these holds."""
    state = State.OPEN if holds else State.CLOSED
    made = Breaker(integration="bank", mode=Mode.ENFORCE, state=state, holds={hold.id: hold for hold in holds}, reason="why")
    return msgspec.structs.replace(made, **more)


def hold(**more: object) -> Hold:
    """What a mined finding placed at 1000."""
    made = Hold(
        id=ID, integration="bank", source="detector:reentrancy", since=1000.0, reason="the bank was drained", confidence=0.9,
        stage=Stage.INCLUDED, chain=CHAIN, tx="0xattack", position=position(10), height=10,
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def fear(**more: object) -> Hold:
    """What a pending one placed."""
    return hold(**{"stage": Stage.PENDING, "position": None, "sender": "0xmallory"} | more)


def judged(
    breaker: Breaker, found: Iterable[Finding], rules: Rules = RULES, height: int = 12, around: Around | None = None
) -> Decision:
    decision, notes = judge(breaker, found, rules, NOW, height, "night", around or Around())
    assert decision is not None
    assert notes == []
    return decision


def ticked(breaker: Breaker, now: float = NOW, final: int = 10, rules: Rules = RULES) -> Decision:
    decision = tick(breaker, rules, now, {CHAIN: final}, "night")
    assert decision is not None
    return decision


def test_a_trip_says_who_what_when_why_and_on_which_evidence() -> None:
    mild, cause = finding(0.85, tx="0xother", detector="drain", kind="outflow"), finding(0.95)
    decision = judged(enforced(), [mild, cause], around=Around(sender="0xmallory"))
    assert decision == Decision(
        id=decision_id("bank", NOW, State.OPEN, f"{mild.id}@included", f"{cause.id}@included"), integration="bank",
        before=State.CLOSED, after=State.OPEN, at=NOW, reason="reentrancy same_contract: the bank was drained", by="policy:night",
        findings=(mild, cause), shadow=False, page="",
        place=(
            hold(id=mild.id, source="detector:drain", since=NOW, confidence=0.85, tx="0xother", height=12, sender="0xmallory"),
            hold(since=NOW, confidence=0.95, height=12, sender="0xmallory"),
        ),
    )  # fmt: skip


def test_what_does_not_even_warn_is_no_evidence_and_neither_is_advice() -> None:
    cause = finding(0.9)
    others = [finding(0.49, tx="0xfaint"), finding(0.99, tx="0xadvice", basis=Basis.ADVICE)]
    decision = judged(enforced(), [*others, cause])
    assert (decision.findings, decision.place[0].sender) == ((cause,), "")


@pytest.mark.parametrize(
    ("confidence", "level", "share"), [(0.5, Level.THROTTLE, 0.2), (0.7, Level.EXITS_ONLY, 0.0), (0.8, Level.PAUSE, 0.0)]
)
def test_each_step_begins_at_its_own_confidence(confidence: float, level: Level, share: float) -> None:
    (placed,) = judged(enforced(), [finding(confidence)]).place
    assert (placed.level, placed.share) == (level, share)
    below, _ = judge(enforced(), [finding(confidence - 0.01)], RULES, NOW, 12, "night")
    assert below is None or below.place[0].level != level


def test_a_hold_stands_at_the_height_of_its_block_or_of_the_chain_whichever_is_higher() -> None:
    heights = {
        told: judged(enforced(), [found], height=told).place[0].height
        for told, found in ((9, finding(height=10)), (12, finding(height=10)), (7, finding(stage=Stage.PENDING)))
    }
    assert heights == {9: 10, 12: 12, 7: 7}
    assert judged(enforced(), [finding(stage=Stage.PENDING)], height=-1).place[0].height == -1


def test_the_same_finding_upgrades_its_hold_and_keeps_its_beginning_its_sender_and_its_reason() -> None:
    decision = judged(enforced(fear()), [finding()])
    assert decision == Decision(
        id=decision_id("bank", NOW, State.OPEN, f"{ID}@included"), integration="bank", before=State.OPEN, after=State.OPEN,
        at=NOW, reason="why", by="policy:night", findings=(finding(),), place=(hold(height=12, sender="0xmallory"),),
    )  # fmt: skip
    with_new = judged(enforced(fear()), [finding(), finding(0.99, tx="0xnew")])
    assert with_new.reason == "reentrancy same_contract: the bank was drained"


def test_a_stricter_level_replaces_a_milder_one_at_the_same_stage_and_no_other_way_round() -> None:
    milder = hold(level=Level.THROTTLE, share=0.2)
    assert judged(enforced(milder), [finding(0.9)]).place[0].level is Level.PAUSE
    assert judge(enforced(hold()), [finding(0.6)], RULES, NOW, 12, "night")[0] is None


def test_in_shadow_it_is_said_and_limits_do_not_matter() -> None:
    shadow = enforced(mode=Mode.SHADOW)
    decision = judged(shadow, [finding(stage=Stage.PENDING)], around=Around(room=False))
    assert (decision.shadow, decision.page, decision.place[0].level) == (True, "", Level.PAUSE)
    forced = enforced(hold(source="human:alice", id="order"), mode=Mode.SHADOW, state=State.FORCED_OPEN)
    assert judged(forced, [finding()]).shadow is False


def spent(seconds: float, who: str = "0xmallory") -> tuple[Spent, ...]:
    return (Spent((who,), NOW - 1000.0, NOW - 1000.0 + seconds),)


@pytest.mark.parametrize(
    ("breaker", "around", "page"),
    [
        (
            enforced(), Around(room=False),
            "not paused: max_paused_share of the integrations is paused already; a person must decide",
        ),
        (
            enforced(spent=spent(600.0)), Around(),
            "not paused: pending evidence alone has stopped it for 600 s of the last hour",
        ),
        (
            enforced(spent=spent(300.0)), Around(sender="0xmallory"),
            "not paused: fears of 0xmallory have stopped it for 300 s of the last hour",
        ),
    ],
    ids=["no room", "budget of all", "budget of one"],
)  # fmt: skip
def test_at_a_limit_it_throttles_says_which_and_names_the_cause(breaker: Breaker, around: Around, page: str) -> None:
    decision = judged(breaker, [finding(stage=Stage.PENDING)], around=around)
    assert (decision.page, decision.place[0].level, decision.place[0].share) == (page, Level.THROTTLE, 0.2)
    assert decision.reason == "reentrancy same_contract: the bank was drained"


@pytest.mark.parametrize(
    ("breaker", "around"),
    [
        (enforced(spent=spent(599.9)), Around()),
        (enforced(spent=spent(299.9)), Around(sender="0xmallory")),
        (enforced(spent=spent(300.0)), Around(sender="0xbob")),
        (enforced(spent=spent(300.0, "")), Around()),
    ],
    ids=["almost all of it", "almost all of one's", "another's", "nobody's"],
)
def test_below_every_limit_it_pauses(breaker: Breaker, around: Around) -> None:
    decision = judged(breaker, [finding(stage=Stage.PENDING)], around=around)
    assert (decision.page, decision.place[0].level) == ("", Level.PAUSE)


def test_one_mined_finding_among_pending_ones_is_enough_to_pass_a_budget() -> None:
    decision = judged(enforced(spent=spent(600.0)), [finding(tx="0x1"), finding(stage=Stage.PENDING)])
    assert [one.level for one in decision.place] == [Level.PAUSE, Level.PAUSE]


def test_what_is_paused_already_is_not_throttled_for_want_of_room() -> None:
    decision = judged(enforced(hold(id="other")), [finding()], around=Around(room=False))
    assert (decision.page, decision.place[0].level) == ("", Level.PAUSE)


def test_two_more_things_a_person_must_know_at_once() -> None:
    bypassed = enforced(state=State.FORCED_CLOSED, bypass_until=NOW + 9)
    assert judged(bypassed, [finding()]).page == "found while the protection is bypassed: the flag was left alone"
    often = enforced(tripped=(NOW - 20, NOW - 10))
    assert judged(often, [finding()]).page == "tripped 3 times within an hour: it stays paused until a person resumes it"
    assert judged(often, [finding(stage=Stage.PENDING)]).page == ""
    assert judged(enforced(tripped=(NOW - 20,)), [finding()]).page == ""


def test_statistics_count_while_they_are_recent_loud_of_several_detectors_and_several() -> None:
    def loud(detector: str, at: float, confidence: float = 0.9) -> Finding:
        return finding(confidence, detector=detector, basis=Basis.STATISTICS, at=at, tx=detector + str(at))

    new, old = loud("cusum", NOW), loud("spot", NOW - 600.0)
    assert list(tripping([loud("spot", NOW - 599.9)], [new], RULES, NOW)) == [(new, Level.PAUSE)]
    assert list(tripping([old], [new], RULES, NOW)) == []
    assert list(tripping([loud("spot", NOW, 0.79)], [new], RULES, NOW)) == []
    assert list(tripping([loud("spot", NOW, 0.8)], [new], RULES, NOW)) == [(new, Level.PAUSE)]
    assert list(tripping([loud("cusum", NOW - 1)], [new], RULES, NOW)) == [], "one detector twice"
    three = msgspec.structs.replace(RULES, min_evidence=3)
    assert list(tripping([loud("spot", NOW)], [new], three, NOW)) == []
    assert list(tripping([loud("spot", NOW), loud("spot", NOW - 1)], [new], three, NOW)) == [(new, Level.PAUSE)]
    assert list(tripping([loud("spot", NOW)], [new, loud("tail", NOW, 0.1)], RULES, NOW)) == [(new, Level.PAUSE)]


def test_orphans_corroborate_nothing() -> None:
    rules = Rules()
    other = finding(0.9, detector="spot", basis=Basis.STATISTICS, at=NOW)
    new = finding(0.9, detector="cusum", basis=Basis.STATISTICS, at=NOW)
    assert judge(enforced(findings=(other,)), [new], rules, NOW, 12, "night")[0] is not None
    assert judge(enforced(findings=(other,), orphans={other.id: 20}), [new], rules, NOW, 12, "night")[0] is None


def test_a_note_is_made_of_a_new_warning_a_surer_one_and_one_that_changed_its_mind() -> None:
    def noted(known: Finding | None, new: Finding) -> bool:
        breaker = enforced(findings=() if known is None else (finding(0.6, tx="0xother"), known))
        _, notes = judge(breaker, [new], Rules(), NOW, 12, "night")
        return notes == [new]

    assert noted(None, finding(0.5))
    assert not noted(None, finding(0.49))
    assert noted(finding(0.6, stage=Stage.PENDING), finding(0.6))
    assert not noted(finding(0.6), finding(0.6, stage=Stage.PENDING))
    assert noted(finding(0.6), finding(0.2))
    assert not noted(finding(0.2), finding(0.2))
    assert not noted(finding(0.6, basis=Basis.ADVICE), finding(0.7, basis=Basis.ADVICE))


def test_a_settled_fear_is_released_by_name_at_its_height_and_no_block_sooner() -> None:
    breaker = enforced(
        fear(id="a", tx="0x1"), fear(id="b", tx="0x2"), fear(id="c", tx="0x3"), fear(id="d", tx="0x1", height=11), hold(tx="0x2")
    )
    over = [Settled("0x1", "dropped"), Settled("0x2", "replaced")]
    decision = settle(breaker, over, RULES, NOW, 12, "night")
    assert decision == Decision(
        id=decision_id("bank", NOW, "release", "a", "b"), integration="bank", before=State.OPEN, after=State.OPEN, at=NOW,
        reason="pending evidence ended: 0x1 dropped; 0x2 replaced", by="policy:night", release=("a", "b"),
    )  # fmt: skip
    assert settle(breaker, over, RULES, NOW, 11, "night") is None
    last = settle(enforced(fear()), [Settled("0xattack", "mined and judged harmless")], RULES, NOW, 12, "night")
    assert last is not None
    assert last.after is State.CLOSED


def test_a_replaced_block_turns_its_holds_into_a_countdown_and_moves_nothing() -> None:
    breaker = enforced(hold(), hold(id="below", position=position(8)), hold(id="elsewhere", chain="eip155:1"))
    event = Reverted(chain=CHAIN, at=NOW, first=position(9), last=position(10))
    decision = unroll(breaker, event, RULES, "night")
    assert decision == Decision(
        id=decision_id("bank", NOW, "unroll", ID), integration="bank", before=State.OPEN, after=State.OPEN, at=NOW, reason="why",
        by="policy:night", place=(hold(stage=Stage.PENDING, position=None, height=10, until=NOW + RULES.reverted_hold),),
    )  # fmt: skip
    other = Committed(chain=CHAIN, at=NOW, first=position(10), last=position(10, "b"), safe=-1, finalized=-1)
    assert unroll(breaker, other, RULES, "night") is not None
    assert unroll(enforced(), event, RULES, "night") is None


def test_a_review_that_is_due_pages_once_and_keeps_the_order() -> None:
    first = hold(id="one", source="human:alice", reason="a drill", until=NOW)
    other = hold(id="two", source="human:bob", reason="a hunch", until=NOW - 1)
    later = hold(id="three", source="service:bot", until=NOW + 1)
    breaker = enforced(first, other, later, hold(id="none", source="human:eve"), state=State.FORCED_OPEN)
    decision = ticked(breaker)
    assert decision == Decision(
        id=decision_id("bank", NOW, "replace", "one", "two"), integration="bank", before=State.FORCED_OPEN,
        after=State.FORCED_OPEN, at=NOW, reason="why", by="policy:night",
        place=(msgspec.structs.replace(first, until=None), msgspec.structs.replace(other, until=None)),
        page="review due, it stays paused: human:alice ordered: a drill; human:bob ordered: a hunch",
    )  # fmt: skip


def test_a_budget_that_runs_out_turns_its_holds_into_throttles_and_says_so() -> None:
    breaker = enforced(fear(), fear(id="mild", level=Level.THROTTLE, share=0.5), feared_since=NOW - 600.0)
    decision = ticked(breaker)
    assert decision == Decision(
        id=decision_id("bank", NOW, "replace", ID), integration="bank", before=State.OPEN, after=State.OPEN, at=NOW, reason="why",
        by="policy:night", place=(fear(level=Level.THROTTLE, share=0.2),),
        page="throttled only: pending evidence alone has stopped it for as long as it may in an hour",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("breaker", "ends"),
    [
        (enforced(fear(), feared_since=NOW - 300.0), True),
        (enforced(fear(), feared_since=NOW - 299.9), False),
        (enforced(fear(sender=""), feared_since=NOW - 599.9), False),
        (enforced(fear(sender=""), feared_since=NOW - 600.0), True),
        (enforced(fear(), fear(id="b", sender="0xbob"), feared_since=NOW - 299.0, spent=spent(1.0)), False),
        (enforced(fear(), fear(id="b", sender="0xbob"), feared_since=NOW - 300.0), True),
        (enforced(fear(), feared_since=NOW - 900.0, mode=Mode.SHADOW), False),
        (enforced(fear(), feared_since=None, spent=spent(900.0)), False),
    ],
    ids=["one's", "almost", "nobody's", "all", "one of two", "both", "shadow", "mined"],
)
def test_when_a_budget_has_run_out(breaker: Breaker, *, ends: bool) -> None:
    assert (tick(breaker, RULES, NOW, {}, "night") is not None) is ends


@pytest.mark.parametrize(("holds", "after"), [((), State.CLOSED), ((hold(),), State.OPEN)])
def test_a_bypass_ends_where_the_holds_say(holds: tuple[Hold, ...], after: State) -> None:
    breaker = enforced(*holds, state=State.FORCED_CLOSED, bypass_until=NOW)
    assert ticked(breaker) == Decision(
        id=decision_id("bank", NOW, after, "None"), integration="bank", before=State.FORCED_CLOSED, after=after, at=NOW,
        reason="the bypass ran out", by="policy:night",
    )  # fmt: skip
    assert tick(breaker, RULES, NOW - 0.1, {CHAIN: 99}, "night") is None


def test_a_probe_begins_with_the_first_share_goes_on_step_by_step_and_ends_in_a_release() -> None:
    probe = ticked(enforced(hold(), tripped=(1000.0,), since=NOW - 600.0))
    assert probe == Decision(
        id=decision_id("bank", NOW, State.HALF_OPEN, "0.01"), integration="bank", before=State.OPEN, after=State.HALF_OPEN,
        at=NOW, reason="quiet and final: probing", by="policy:night", share=0.01,
    )  # fmt: skip
    half = enforced(hold(), state=State.HALF_OPEN, share=0.1, stepped_at=NOW - 60.0)
    assert ticked(half) == Decision(
        id=decision_id("bank", NOW, State.HALF_OPEN, "1.0"), integration="bank", before=State.HALF_OPEN, after=State.HALF_OPEN,
        at=NOW, reason="why", by="policy:night", share=1.0,
    )  # fmt: skip
    assert tick(msgspec.structs.replace(half, stepped_at=NOW - 59.9), RULES, NOW, {CHAIN: 10}, "night") is None
    assert ticked(msgspec.structs.replace(half, share=1.0)) == Decision(
        id=decision_id("bank", NOW, "release", ID), integration="bank", before=State.HALF_OPEN, after=State.CLOSED, at=NOW,
        reason="probing found nothing", by="policy:night", release=(ID,),
    )  # fmt: skip


OLD = {"since": NOW - 600.0, "tripped": (NOW - 600.0,)}
GONE = hold(stage=Stage.PENDING, position=None, height=10, until=NOW)


@pytest.mark.parametrize(
    ("breaker", "final", "probes"),
    [
        (enforced(hold(), **OLD), 10, True),
        (enforced(hold(), **OLD), 9, False),
        (enforced(hold(), **OLD | {"since": NOW - 599.9}), 10, False),
        (enforced(hold(), **OLD | {"tripped": (NOW - 9000.0, NOW - 600.0)}), 10, False),
        (enforced(hold(), **OLD | {"tripped": (NOW - 600.0 - RULES.max_open, NOW - 600.0)}), 10, True),
        (enforced(hold(), **OLD | {"tripped": (NOW - 602.0, NOW - 601.0, NOW - 600.0)}), 10, False),
        (enforced(hold(), findings=(finding(0.4, at=NOW - 1),), **OLD), 10, False),
        (enforced(hold(), findings=(finding(0.39, at=NOW - 1),), **OLD), 10, True),
        (enforced(fear(), **OLD), 10, False),
        (enforced(hold(), fear(id="b"), **OLD), 10, False),
        (enforced(GONE, **OLD), 10, True),
        (enforced(GONE, **OLD), 9, False),
        (enforced(msgspec.structs.replace(GONE, until=NOW + 0.1), **OLD), 10, False),
        (enforced(hold(chain=None), **OLD), -1, True),
        (enforced(hold(position=None), **OLD), -1, True),
        (enforced(hold(until=NOW + 900.0), **OLD), 10, False),
    ],
    ids=[
        "due", "not final", "too young", "twice as long", "long ago", "latched", "noise since", "quiet", "pending", "one pending",
        "counted down", "replacement not final", "counting", "no chain", "no block", "a countdown of its own",
    ],
)  # fmt: skip
def test_when_it_probes(breaker: Breaker, final: int, *, probes: bool) -> None:
    assert (tick(breaker, RULES, NOW, {CHAIN: final}, "night") is not None) is probes


def test_the_height_that_is_final_is_looked_up_by_the_holds_own_chain() -> None:
    breaker = enforced(hold(chain="eip155:10"), **OLD)
    assert tick(breaker, RULES, NOW, {CHAIN: 99}, "night") is None
    assert tick(breaker, RULES, NOW, {"eip155:10": 10}, "night") is not None
    assert tick(enforced(hold(position=position(0)), **OLD), RULES, NOW, {}, "night") is None, "unknown is not final"
    nowhere = msgspec.structs.replace(GONE, height=-1)
    assert tick(enforced(nowhere, **OLD), RULES, NOW, {}, "night") is not None, "no height waits for none"


@pytest.mark.parametrize(("trips", "seconds"), [(-1, 1.0), (0, 1.0), (1, 1.0), (2, 2.0), (5, 16.0), (33, 2.0**32), (99, 2.0**32)])
def test_every_trip_doubles_the_time_up_to_a_most(trips: int, seconds: float) -> None:
    assert Rules(min_open=1.0, max_open=1e12).open_for(trips) == seconds
    assert Rules(min_open=1.0, max_open=3.0).open_for(trips) == min(3.0, seconds)
