"""One alert per incident."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.base import RANK, Kind, Notification, Withdrawal
from alerts.group import Groups, fold
from alerts.render import withdrawn
from detectors.base import Severity
from tests.support.notices import finding, told


def tell(*notifications: Notification) -> list[Notification]:
    """What is told of these, in order."""
    groups, out = Groups(), []
    for notification in notifications:
        groups, said = fold(groups, notification, notification.at)
        if said is not None:
            out.append(said)
    return out


def test_ten_findings_of_one_attack_are_one_alert() -> None:
    first = told()
    more = [told("open", "open", revision=18 + n, findings=(finding(id=f"f{n}"),)) for n in range(9)]
    assert tell(first, *more) == [first]


def test_an_incident_is_told_from_its_beginning_to_its_end_under_one_key_and_one_id() -> None:
    begun, half, closed = told(at=10.0), told("half_open", "open", at=20.0), told("closed", "half_open", at=30.0)
    said = tell(begun, half, closed)
    assert [each.kind for each in said] == [Kind.OPENED, Kind.HALF_OPENED, Kind.CLOSED]
    assert {each.key for each in said} == {"breaker/aave-v3"}
    assert {each.incident for each in said} == {begun.id}
    assert {each.since for each in said} == {10.0}
    assert [each.labels for each in said] == [begun.labels] * 3
    assert len({each.id for each in said}) == 3


def test_worse_is_told_again_and_names_what_it_was_called_before() -> None:
    shadow, real = told(shadow=True), told(revision=18)
    said = tell(shadow, real, told("closed", "open", revision=19))
    assert [each.severity for each in said] == [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]
    assert said[1].earlier == (shadow.labels,)
    assert said[2].labels == said[1].labels
    assert said[2].earlier == (shadow.labels,)


def test_another_integration_is_another_alert() -> None:
    assert len(tell(told(), told(integration="compound"))) == 2


def test_after_the_end_a_new_attack_is_a_new_incident() -> None:
    said = tell(told(at=1.0), told("closed", "open", at=2.0), told(at=3.0, revision=30))
    assert said[2].incident == said[2].id != said[0].incident
    assert said[2].since == 3.0


def test_a_decision_that_moved_nothing_is_not_told_but_a_lost_beginning_is_still_ended() -> None:
    assert tell(told("closed", "closed")) == []
    assert len(tell(told("closed", "open"))) == 1


@given(st.lists(st.tuples(st.sampled_from(("open", "half_open", "forced_open", "closed")), st.booleans()), max_size=12))
def test_an_open_incident_is_never_told_as_less_than_its_worst_and_a_repeat_is_never_told(steps: list[tuple[str, bool]]) -> None:
    notifications = [told(after, "open", revision=n, shadow=shadow) for n, (after, shadow) in enumerate(steps)]
    said = tell(*notifications)
    last: Notification | None = None
    for each in said:
        if last is not None and not last.resolved:
            assert RANK[each.severity] >= RANK[last.severity]
            assert each.resolved or (each.kind, each.severity) != (last.kind, last.severity)
        last = each
    groups = Groups()
    for notification in notifications:
        groups, _ = fold(groups, notification, notification.at)
    assert len(groups.active) == (bool(notifications) and not notifications[-1].resolved)


def test_the_state_is_a_plain_value_that_survives_a_disk() -> None:
    groups, _ = fold(Groups(), told(), 1.0)
    assert msgspec.json.decode(msgspec.json.encode(groups), type=Groups) == groups


def test_a_retraction_is_told_each_time_under_its_incident_which_goes_on() -> None:
    begun, closed = told(at=10.0), told("closed", "half_open", at=50.0)
    back = [
        withdrawn(Withdrawal(integration="aave-v3", chain="eip155:1", finding=finding(id=f"f{n}"), at=20.0 + n, reason="gone"))
        for n in range(2)
    ]
    said = tell(begun, *back, told("open", "open", at=30.0, revision=99), closed)
    assert [each.kind for each in said] == [Kind.OPENED, Kind.RETRACTED, Kind.RETRACTED, Kind.CLOSED]
    assert {each.incident for each in said} == {begun.id}
    assert [each.resolved for each in said] == [False, False, False, True]
    assert [each.labels for each in said[:3]] == [begun.labels] * 3, "an update of the alert, not another one"


def test_a_retraction_after_the_end_stands_by_itself_and_leaves_nothing_open() -> None:
    late = withdrawn(Withdrawal(integration="aave-v3", chain="eip155:1", finding=finding(), at=60.0, reason="gone"))
    groups, said = fold(Groups(), late, 60.0)
    assert said == late
    assert late.resolved
    assert groups.active == ()


def test_a_retraction_says_why_and_how_long_its_hold_stays() -> None:
    told_of = Withdrawal(
        integration="aave-v3", chain="eip155:1", finding=finding(), at=60.0, reason="its block was replaced", until=660.0
    )
    made = withdrawn(told_of)
    assert "its block was replaced" in made.body
    assert "1970-01-01T00:11:00.000Z" in made.body
    assert made.id == withdrawn(told_of).id
