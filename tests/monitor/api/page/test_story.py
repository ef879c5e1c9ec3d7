"""Incidents as the page tells them: which decisions belong together, and what happened when."""

from monitor.api.page.story import Known, Story, acknowledged, evidence, stories, timeline
from monitor.breaker.desk import Made
from monitor.breaker.holds import Decision, Hold, State
from monitor.breaker.machine import Breaker, Retraction
from monitor.breaker.timing import Acknowledged, Timing
from tests.support.findings import finding

FOUND = finding(at=100.0)
TIMING = Timing(seen_at=100.0, decided_at=100.004, readable_at=100.005, recorded_at=100.009)


def made(number: int, before: State, after: State, at: float, **more: object) -> Made:
    facts: dict[str, object] = {"reason": f"reason {number}", "by": "policy:default"} | more
    decision = Decision(id=f"d{number}", integration="bank", before=before, after=after, at=at, **facts)  # type: ignore[arg-type]  # built from a table
    return Made(decision, Breaker(integration="bank", state=after), number)


def hold(key: str) -> Hold:
    return Hold(id=key, integration="bank", source="detector:drain", since=100.0, reason="it fell")


OPENED = made(1, State.CLOSED, State.OPEN, 100.0, findings=(FOUND,), place=(hold("a"),))
GREW = [made(n, State.OPEN, State.OPEN, 100.0 + n, place=(hold(f"h{n}"),)) for n in (2, 3, 4)]
PROBED = made(5, State.OPEN, State.HALF_OPEN, 200.0, share=0.25)
CLOSED = made(6, State.HALF_OPEN, State.CLOSED, 300.0, by="human:ana", release=("a",))


def known(breaker: Breaker | None = None, taken_up: Acknowledged | None = None) -> Known:
    return Known(
        timing=lambda key: TIMING if key == "d1" else None,
        taken_up=lambda key: taken_up if taken_up is not None and key == taken_up.incident else None,
        breaker=lambda name: breaker or Breaker(integration=name),
    )


def sorts(story: Story, what: Known | None = None) -> list[str]:
    return [step.sort for step in timeline(story, what or known())]


def test_an_incident_is_told_from_the_cause_seen_to_its_end_in_order() -> None:
    (story,) = stories([OPENED, *GREW, PROBED, CLOSED])
    assert sorts(story) == ["seen", "decided", "readable", "recorded", "held", "moved", "ordered"]
    assert (story.live, story.began, story.ended) == (False, 100.0, 300.0)
    assert [(step.words, step.by) for step in timeline(story, known())[-2:]] == [
        ("paused → probing, 25% of traffic let through: reason 5", "policy:default"),
        ("probing → in use: reason 6", "human:ana"),
    ]


def test_alike_holds_on_end_are_one_line_that_says_how_many() -> None:
    (story,) = stories([OPENED, *GREW])
    assert [(step.times, step.at, step.last) for step in timeline(story, known()) if step.sort == "held"] == [(3, 102.0, 104.0)]
    assert story.live


def test_what_comes_after_the_end_is_another_incident_and_the_newest_comes_first() -> None:
    again = made(7, State.CLOSED, State.FORCED_OPEN, 400.0, by="human:ana", place=(hold("b"),))
    newer, older = stories([OPENED, CLOSED, again])
    assert (newer.id, newer.live, older.id, older.live) == ("d7", True, "d1", False)
    assert sorts(newer) == ["ordered"]


def test_a_retraction_and_whoever_took_it_up_stand_where_they_happened() -> None:
    back = Retraction(integration="bank", at=150.0, finding=FOUND, reason="its block was replaced")
    news = Acknowledged(incident="d1", integration="bank", at=110.0, by="human:ana", note="looking")
    (story,) = stories([OPENED, PROBED])
    what = known(Breaker(integration="bank", retracted=(back,)), news)
    assert sorts(story, what)[-3:] == ["acknowledged", "retracted", "moved"]
    assert acknowledged(story, what) is news


def test_evidence_is_told_by_its_newest_word() -> None:
    surer = finding(at=100.0, height=12)
    (story,) = stories([OPENED])
    assert evidence(story, known(Breaker(integration="bank", findings=(surer,)))) == (surer,)


def test_what_shadow_decided_says_that_nothing_was_turned() -> None:
    (story,) = stories([made(1, State.CLOSED, State.OPEN, 1.0, shadow=True)])
    assert story.shadow
    assert any("would be paused" in step.words for step in timeline(story, known()))


def test_an_override_while_nothing_holds_is_an_incident_of_its_own() -> None:
    (story,) = stories([made(1, State.CLOSED, State.FORCED_CLOSED, 1.0, by="human:ana")])
    assert not story.live
