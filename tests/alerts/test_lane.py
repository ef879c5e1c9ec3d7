"""One receiver's queue."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.lane import Lane, Limits
from alerts.outbox import Entry
from detectors.base import Severity
from tests.support.notices import told


def entry(name: str, severity: Severity = Severity.CRITICAL, key: str | None = None, made: float = 0.0) -> Entry:
    notification = msgspec.structs.replace(told(), id=name, key=key or name, severity=severity)
    return Entry(notification=notification, receiver="pager", made=made)


def names(lane: Lane) -> list[str]:
    """The order in which a receiver that works is served."""
    out = []
    while isinstance(turn := lane.turn(0.0), Entry):
        out.append(lane.remove(turn).notification.id)
    return out


def test_criticals_go_first_and_an_end_never_overtakes_its_beginning() -> None:
    lane = Lane(Limits())
    for each in (
        entry("info", Severity.INFO),
        entry("warned", Severity.WARNING, key="a"),
        entry("worse", Severity.CRITICAL, key="a"),
        entry("critical", Severity.CRITICAL),
        entry("info 2", Severity.INFO),
    ):
        lane.add(each)
    served = names(lane)
    assert served == ["critical", "warned", "worse", "info", "info 2"]


@given(st.lists(st.sampled_from(list(Severity)), max_size=60), st.integers(1, 10))
def test_a_storm_drops_the_oldest_of_the_least_severe_and_never_a_critical(severities: list[Severity], cap: int) -> None:
    lane, dropped = Lane(Limits(waiting=cap)), []
    for n, severity in enumerate(severities):
        dropped += lane.add(entry(str(n), severity))
    criticals = severities.count(Severity.CRITICAL)
    assert all(each.notification.severity is not Severity.CRITICAL for each in dropped)
    assert len(lane) == min(len(severities), max(cap, criticals))
    assert len(lane) + len(dropped) == len(severities)
    for severity in (Severity.INFO, Severity.WARNING):
        gone = [int(each.notification.id) for each in dropped if each.notification.severity is severity]
        assert gone == sorted(gone)


def test_the_wait_doubles_up_to_a_bound_and_jitter_halves_it_at_most() -> None:
    limits = Limits(first_wait=1.0, longest_wait=8.0)
    for jitter in (0.0, 1.0):
        lane, waits = Lane(limits), []
        each = entry("x")
        lane.add(each)
        for _ in range(6):
            each = lane.failed(each, 100.0, jitter)
            turn = lane.turn(100.0)
            assert isinstance(turn, float)
            waits.append(turn)
        assert waits == [wait * (0.5 + jitter / 2) for wait in (1, 2, 4, 8, 8, 8)]


def test_a_receiver_that_asks_for_time_gets_it() -> None:
    lane = Lane(Limits())
    lane.add(entry("x"))
    lane.failed(entry("x"), 0.0, 0.0, asked=30.0)
    lane.add(entry("y"))
    assert lane.turn(29.0) == 1.0
    assert isinstance(lane.turn(30.0), Entry)


def test_one_that_always_fails_does_not_hold_up_the_others() -> None:
    lane = Lane(Limits(first_wait=1.0))
    lane.add(entry("poison"))
    for _ in range(4):
        lane.failed(entry("poison"), 0.0, 1.0)
    lane.add(entry("fine"))
    lane.succeeded()
    assert lane.turn(0.0) == entry("fine")


def test_only_what_is_not_critical_is_ever_hopeless() -> None:
    lane = Lane(Limits(give_up=100.0))
    assert lane.hopeless(entry("w", Severity.WARNING), 101.0)
    assert not lane.hopeless(entry("w", Severity.WARNING), 99.0)
    assert not lane.hopeless(entry("c", Severity.CRITICAL), 1e9)


def test_what_a_storm_dropped_while_it_was_being_sent_does_not_come_back() -> None:
    lane = Lane(Limits(waiting=1))
    lane.add(entry("old", Severity.INFO))
    sending = lane.turn(0.0)
    assert isinstance(sending, Entry)
    assert lane.add(entry("new")) == [sending]
    lane.failed(sending, 0.0, 0.0)
    assert len(lane) == 1
