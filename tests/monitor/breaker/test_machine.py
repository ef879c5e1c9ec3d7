"""What a decision makes of a breaker, field by field, and what it may never make of one."""

import msgspec
import pytest

from detectors.base import Finding
from detectors.events import Stage
from monitor.breaker.holds import (
    Decision,
    Hold,
    Level,
    Mode,
    State,
    decision_id,
    internal,
    milder,
    proof_of_life,
    strictest,
    stronger,
)
from monitor.breaker.machine import (
    BUDGET_WINDOW,
    KEPT_FINDINGS,
    KEPT_TRIPS,
    KEPT_UNSETTLED,
    Breaker,
    IllegalTransitionError,
    Spent,
    after_change,
    apply,
    rests_at,
    with_findings,
)
from tests.support.findings import CHAIN, finding

NOW = 9000.0


def hold(key: str = "h", **more: object) -> Hold:
    """A detector's hold on block evidence."""
    made = Hold(
        id=key, integration="bank", source="detector:drain", since=1.0, reason="drained", stage=Stage.INCLUDED, chain=CHAIN,
        sender="0xa",
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def fear(key: str = "f", **more: object) -> Hold:
    return hold(key, **{"stage": Stage.PENDING} | more)


ORDERED = hold("o", source="human:alice")


def breaker(*holds: Hold, state: State | None = None, **more: object) -> Breaker:
    resting = rests_at({one.id: one for one in holds}, None)
    made = Breaker(
        integration="bank", mode=Mode.ENFORCE, state=state or resting, since=5.0, revision=7, reason="before",
        holds={one.id: one for one in holds}, share=0.3, stepped_at=6.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def decided(of: Breaker, after: State, **more: object) -> Decision:
    made = Decision(
        id="d", integration="bank", before=of.state, after=after, at=NOW, reason="decided", by="policy:default"
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def test_a_trip_sets_every_field() -> None:
    of = breaker(tripped=(8000.0,), trips=4, bypass_until=None)
    found = finding()
    assert apply(of, decided(of, State.OPEN, place=(hold(),), findings=(found,)), 12) == Breaker(
        integration="bank", mode=Mode.ENFORCE, state=State.OPEN, since=NOW, revision=12, reason="decided", holds={"h": hold()},
        share=0.0, stepped_at=6.0, trips=5, tripped=(8000.0, NOW), findings=(found,),
    )  # fmt: skip


def test_a_decision_that_moves_nothing_keeps_the_beginning_and_the_reason() -> None:
    of = breaker(fear())
    after = apply(of, decided(of, State.OPEN, place=(hold("g"),)), 12)
    assert (after.since, after.reason, after.revision, set(after.holds)) == (5.0, "before", 12, {"f", "g"})


def test_a_release_takes_what_it_names_and_nothing_else_and_a_replacement_replaces() -> None:
    of = breaker(hold("a"), hold("b"), hold("c"))
    after = apply(of, decided(of, State.OPEN, release=("a",), place=(hold("b", level=Level.THROTTLE),)), 1)
    assert {key: one.level for key, one in after.holds.items()} == {"b": Level.THROTTLE, "c": Level.PAUSE}


@pytest.mark.parametrize(
    ("of", "decision", "why"),
    [
        (breaker(), decided(breaker(hold()), State.CLOSED), "bank: decided at open, but it is closed"),
        (breaker(), decided(breaker(), State.HALF_OPEN), "bank: closed does not go to half_open"),
        (breaker(hold()), decided(breaker(hold()), State.CLOSED), "bank: cannot close over 1 holds"),
        (breaker(hold()), decided(breaker(hold()), State.OPEN, release=("h",)), "bank: open without a hold"),
        (breaker(hold()), decided(breaker(hold()), State.HALF_OPEN, release=("h",)), "bank: half_open without a hold"),
        (breaker(), decided(breaker(), State.FORCED_OPEN), "bank: forced_open without a hold"),
        (
            breaker(ORDERED, state=State.OPEN), decided(breaker(ORDERED, state=State.OPEN), State.FORCED_CLOSED),
            "bank: a bypass cannot suppress what a person ordered",
        ),
    ],
    ids=["raced", "forbidden", "over a hold", "open", "half open", "forced", "bypass"],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_its_reason(of: Breaker, decision: Decision, why: str) -> None:
    with pytest.raises(IllegalTransitionError) as refused:
        apply(of, decision, 1)
    assert str(refused.value) == why


def test_a_bypass_keeps_its_end_and_everything_else_forgets_it() -> None:
    of = breaker(hold(), bypass_until=None)
    bypassed = apply(of, decided(of, State.FORCED_CLOSED, bypass_until=NOW + 60), 1)
    assert (bypassed.bypass_until, bypassed.share, bypassed.paused, bypassed.allowed) == (NOW + 60, 1.0, False, 1.0)
    more = apply(bypassed, decided(bypassed, State.FORCED_CLOSED, place=(hold("g"),)), 2)
    assert more.bypass_until == NOW + 60
    assert apply(more, decided(more, State.OPEN), 3).bypass_until is None


@pytest.mark.parametrize(
    ("before", "after", "told", "share"),
    [
        (State.OPEN, State.HALF_OPEN, 0.01, 0.01),
        (State.HALF_OPEN, State.HALF_OPEN, None, 0.3),
        (State.HALF_OPEN, State.OPEN, None, 0.0),
        (State.HALF_OPEN, State.FORCED_CLOSED, None, 1.0),
        (State.FORCED_OPEN, State.OPEN, 0.5, 0.0),
    ],
)
def test_the_share_is_the_states(before: State, after: State, told: float | None, share: float) -> None:
    of = breaker(hold(), state=before)
    made = apply(of, decided(of, after, share=told), 1)
    assert (made.share, made.stepped_at) == (share, 6.0 if told is None else NOW)
    closed = apply(breaker(hold()), decided(breaker(hold()), State.CLOSED, release=("h",)), 1)
    assert closed.share == 1.0


@pytest.mark.parametrize(
    ("of", "after", "place", "trips"),
    [
        (breaker(), State.OPEN, (hold(),), 1),
        (breaker(), State.OPEN, (fear(),), 0),
        (breaker(fear()), State.OPEN, (hold(),), 1),
        (breaker(fear()), State.OPEN, (fear("g"),), 0),
        (breaker(hold()), State.OPEN, (hold("g"),), 0),
        (breaker(hold(), state=State.HALF_OPEN), State.OPEN, (hold("g"),), 1),
        (breaker(hold(), state=State.HALF_OPEN), State.OPEN, (fear(),), 0),
        (breaker(hold(), state=State.HALF_OPEN), State.OPEN, (fear(), hold("g")), 1),
        (breaker(), State.FORCED_OPEN, (ORDERED,), 0),
        (breaker(ORDERED), State.FORCED_OPEN, (hold(),), 0),
        (breaker(ORDERED, fear()), State.OPEN, (), 0),
    ],
    ids=[
        "mined", "feared", "came true", "feared more", "again", "while probing", "feared while probing", "both while probing",
        "ordered", "under an order", "an order goes",
    ],
)  # fmt: skip
def test_what_counts_as_a_trip(of: Breaker, after: State, place: tuple[Hold, ...], trips: int) -> None:
    release = ("o",) if after is State.OPEN and "o" in of.holds else ()
    made = apply(of, decided(of, after, place=place, release=release), 1)
    assert (made.trips, made.tripped) == (trips, (NOW,) * trips)


def test_the_newest_trips_are_remembered_until_a_person_resumes() -> None:
    of = breaker(tripped=tuple(float(n) for n in range(KEPT_TRIPS)))
    made = apply(of, decided(of, State.OPEN, place=(hold(),)), 1)
    assert made.tripped == (*(float(n) for n in range(1, KEPT_TRIPS)), NOW)
    by_itself = apply(made, decided(made, State.CLOSED, release=("h",)), 2)
    assert len(by_itself.tripped) == KEPT_TRIPS
    by_hand = apply(made, decided(made, State.CLOSED, release=("h",), by="human:alice"), 2)
    assert (by_hand.tripped, by_hand.trips) == ((), 1)
    opened = apply(breaker(ORDERED, hold(), tripped=(1.0,)), decided(breaker(ORDERED, hold()), State.OPEN, release=("o",)), 2)
    assert opened.tripped == (1.0,)


def test_a_stretch_of_fear_begins_lasts_and_is_added_up() -> None:
    old, older = Spent(("0xz",), 1.0, NOW - BUDGET_WINDOW + 100), Spent(("0xz",), 1.0, NOW - BUDGET_WINDOW)
    of = breaker(spent=(older, old))
    begun = apply(of, decided(of, State.OPEN, place=(fear(),)), 1)
    assert (begun.feared_since, begun.spent) == (NOW, (old,))
    later = apply(begun, decided(begun, State.OPEN, place=(fear("g", sender="0xb"),), at=NOW + 5), 2)
    assert (later.feared_since, later.spent) == (NOW, (old,))
    over = apply(later, decided(later, State.CLOSED, release=("f", "g"), at=NOW + 9), 3)
    assert (over.feared_since, over.spent) == (None, (old, Spent(("0xa", "0xb"), NOW, NOW + 9)))
    true = apply(later, decided(later, State.OPEN, place=(hold("f"),), at=NOW + 9), 3)
    assert (true.feared_since, true.spent) == (None, (old,))


def test_what_does_not_stop_is_no_fear_and_an_order_ends_one() -> None:
    of = breaker()
    mild = apply(of, decided(of, State.OPEN, place=(fear(level=Level.THROTTLE),)), 1)
    assert mild.feared_since is None
    both = apply(of, decided(of, State.OPEN, place=(fear(), hold("g", level=Level.THROTTLE))), 1)
    assert both.feared_since == NOW
    mixed = apply(of, decided(of, State.OPEN, place=(fear(), hold("g"))), 1)
    assert mixed.feared_since is None
    begun = apply(of, decided(of, State.OPEN, place=(fear(),)), 1)
    forced = apply(begun, decided(begun, State.FORCED_OPEN, place=(ORDERED,), at=NOW + 3), 2)
    assert (forced.feared_since, forced.spent) == (None, (Spent(("0xa",), NOW, NOW + 3),))
    throttled = apply(begun, decided(begun, State.OPEN, place=(fear(level=Level.THROTTLE),), at=NOW + 4), 2)
    assert (throttled.feared_since, throttled.spent) == (None, (Spent(("0xa",), NOW, NOW + 4),))


def many(count: int, stage: Stage = Stage.FINAL, first: int = 0) -> tuple[Finding, ...]:
    return tuple(finding(tx=f"0x{n}", stage=stage) for n in range(first, first + count))


def test_findings_are_kept_by_their_newest_word_and_the_newest_of_them() -> None:
    first, second = finding(0.6), finding(0.9)
    assert with_findings(breaker(findings=(first,)), [second]).findings == (second,)
    exactly = many(KEPT_FINDINGS)
    assert with_findings(breaker(), exactly).findings == exactly
    more = many(KEPT_FINDINGS + 3)
    assert with_findings(breaker(), more).findings == more[3:]
    unsettled = many(KEPT_FINDINGS + 3, Stage.INCLUDED)
    assert with_findings(breaker(), unsettled).findings == unsettled, "a reorganisation may still take them back"
    crowd = many(KEPT_UNSETTLED + 2, Stage.INCLUDED)
    assert with_findings(breaker(), crowd).findings == crowd[2:]
    pending = many(KEPT_FINDINGS + 3, Stage.PENDING)
    assert with_findings(breaker(), pending).findings == pending[3:], "no block to be taken back"
    orphan = with_findings(breaker(orphans={pending[0].id: 9, "other": 8}), pending)
    assert (orphan.findings, orphan.orphans) == ((pending[0], *pending[3:]), {pending[0].id: 9, "other": 8})


def test_one_found_in_a_block_again_is_no_orphan() -> None:
    found, other = finding(), finding(tx="0xother", stage=Stage.PENDING)
    made = with_findings(breaker(orphans={found.id: 9, other.id: 9}), [found, other])
    assert made.orphans == {other.id: 9}


def test_where_it_rests() -> None:
    assert rests_at({}, NOW) is State.FORCED_CLOSED
    assert rests_at({"h": hold()}, NOW) is State.FORCED_CLOSED
    assert rests_at({"h": hold()}, None) is State.OPEN
    assert rests_at({"h": hold(), "o": ORDERED}, NOW) is State.FORCED_OPEN
    assert rests_at({}, None) is State.CLOSED


def test_where_a_change_leads() -> None:
    half = breaker(hold(), state=State.HALF_OPEN)
    assert after_change(half, (hold(),)) is State.HALF_OPEN
    assert after_change(half, (hold("g"),)) is State.OPEN
    assert after_change(half, release=("h",)) is State.CLOSED
    assert after_change(half, (ORDERED,)) is State.FORCED_OPEN
    assert after_change(half, (hold("g"),), ("h",)) is State.OPEN
    assert after_change(breaker(hold()), release=("nothing",)) is State.OPEN
    assert after_change(breaker(hold(), bypass_until=NOW), ()) is State.FORCED_CLOSED


def test_levels_and_stages_have_an_order() -> None:
    assert [a for a in Stage for b in Stage if stronger(a, b)].count(Stage.FINAL) == len(Stage) - 1
    assert not any(stronger(one, one) or (stronger(a, b) and stronger(b, a)) for one in Stage for a in Stage for b in Stage)
    assert [milder(a, b) for a in Level for b in Level].count(True) == 3
    assert milder(Level.THROTTLE, Level.EXITS_ONLY)
    assert strictest([hold(level=level) for level in (Level.EXITS_ONLY, Level.THROTTLE)]) is Level.EXITS_ONLY
    assert strictest([]) is None


def test_an_id_is_of_all_it_names() -> None:
    made = [
        decision_id("bank", 1.0, "a", "b"), decision_id("bank", 1.0, "ab"), decision_id("bank", 1.5, "a", "b"),
        decision_id("bank2", 1.0, "a", "b"), decision_id("bank", 1.0, "b", "a"),
    ]  # fmt: skip
    assert len(set(made)) == len(made)
    assert made[0] == "bce21bcfc2c7cfbc81e3402e"
    assert proof_of_life("eip155:1") == "canary:eip155:1"
    assert [internal(name) for name in ("canary:x", "bank", "my-canary:x")] == [True, False, False]


@pytest.mark.parametrize(
    ("of", "level", "paused", "allowed", "would"),
    [
        (breaker(), None, False, 1.0, False),
        (breaker(hold()), Level.PAUSE, True, 0.0, False),
        (breaker(hold(level=Level.THROTTLE, share=0.2)), Level.THROTTLE, False, 0.2, False),
        (breaker(hold(level=Level.THROTTLE, share=0.2), hold("g", level=Level.EXITS_ONLY)), Level.EXITS_ONLY, True, 0.0, False),
        (breaker(hold(), state=State.HALF_OPEN), Level.PAUSE, True, 0.3, False),
        (breaker(hold(), mode=Mode.SHADOW), None, False, 1.0, True),
        (breaker(hold(), mode=Mode.SHADOW, state=State.HALF_OPEN), None, False, 1.0, True),
        (breaker(ORDERED, mode=Mode.SHADOW), Level.PAUSE, True, 0.0, False),
        (breaker(hold(), state=State.FORCED_CLOSED), None, False, 1.0, False),
    ],
)
def test_what_readers_are_told(of: Breaker, level: Level | None, allowed: float, *, paused: bool, would: bool) -> None:
    assert (of.level, of.paused, of.allowed, of.would_pause) == (level, paused, allowed, would)
