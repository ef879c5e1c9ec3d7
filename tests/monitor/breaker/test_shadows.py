"""A detector in shadow: it pauses nothing, helps nobody to pause, and what it would have done is written down once a stage."""

import msgspec

from detectors.base import Basis, Detector, Finding
from detectors.events import Event, Stage
from monitor.breaker.fold import Noted
from monitor.breaker.holds import State
from monitor.breaker.machine import KEPT_FINDINGS
from monitor.breaker.policy import Rules
from monitor.breaker.shadows import KEPT, WouldPause, would_pause
from monitor.pipeline import Watched
from tests.monitor.test_pipeline import Alarmist, Shore, ran
from tests.support.findings import BANK, CHAIN, finding


class Twin(Alarmist):
    """Another detector with the same eyes."""

    name = "twin"

    def observe(self, event: Event) -> list[Finding]:
        made = [one for one in super().observe(event) if isinstance(one, Finding)]
        return [msgspec.structs.replace(one, id="twin-" + one.id, detector="twin") for one in made]


def shore(*detectors: Detector, shadowed: str = "reentrancy") -> Shore:
    made = Shore(*detectors)
    watched = Watched(
        integration="bank", chain=CHAIN, contracts=(BANK,), rules=Rules(), shadowed=frozenset(filter(None, [shadowed]))
    )
    made.pipeline = type(made.pipeline)({CHAIN: detectors}, [watched], made.fold)
    return made


def test_it_notes_what_it_would_have_paused_and_the_flag_stays() -> None:
    bank = shore(Alarmist())
    seen = [bank.see(ran("0xevil")), bank.see(ran("0xevil")), bank.see(ran("0xevil", Stage.INCLUDED, 5))]
    stages = [[note.finding.stage for note in one.notes if isinstance(note, WouldPause)] for one in seen]
    assert stages == [[Stage.PENDING], [], [Stage.INCLUDED]]
    assert all(one.decisions == [] for one in seen)
    assert bank.state() is State.CLOSED
    assert bank.fold.breaker("bank").findings == (), "no risk is shown of it either"


def test_an_enforced_detector_beside_it_pauses_as_ever() -> None:
    bank = shore(Alarmist(), Twin())
    proposed = bank.see(ran("0xevil", Stage.INCLUDED, 5))
    assert bank.state() is State.OPEN
    assert [hold.source for hold in bank.fold.breaker("bank").automatic] == ["detector:twin"]
    assert [note.finding.detector for note in proposed.notes if isinstance(note, WouldPause)] == ["reentrancy"]


def test_a_shadowed_alarm_does_not_spare_the_others_their_second_look() -> None:
    judged, _ = shore(Alarmist()).pipeline.step(ran("0xodd-evil"))
    enforced, _ = shore(Alarmist(), shadowed="").pipeline.step(ran("0xodd-evil"))
    assert (judged.trips, enforced.trips) == (False, True)


def test_shadowed_statistics_would_need_their_quorum_too_and_help_none() -> None:
    loud = finding(0.9, detector="statistics", kind="cusum", basis=Basis.STATISTICS)
    other = finding(0.9, detector="silence", kind="quiet", basis=Basis.STATISTICS)
    assert list(would_pause("bank", {}, [], [loud], Rules())) == []
    assert [note.finding for note in would_pause("bank", {}, [other], [loud], Rules())] == [loud]


def test_a_warning_in_shadow_would_have_paused_nothing_and_says_nothing() -> None:
    assert list(would_pause("bank", {}, [], [finding(0.7)], Rules())) == []


def test_what_is_remembered_is_bounded() -> None:
    bank = shore(Alarmist())
    for number in range(3 * KEPT):
        bank.see(ran(f"0xevil{number}"))
    assert len(bank.fold.breaker("bank").shadowed) == KEPT
    assert not any(isinstance(note, Noted) for note in bank.see(ran("0xevil-last")).notes)
    assert KEPT >= KEPT_FINDINGS
