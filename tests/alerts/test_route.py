"""Who hears of it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.base import Notification
from alerts.route import Route, Routing, problems, receivers
from detectors.base import Severity
from tests.support.notices import told

EVERYONE = ("console", "pager", "chat")
NAMES = st.sampled_from((*EVERYONE, "gone"))
ROUTES = st.builds(
    Route,
    to=st.lists(NAMES, max_size=3).map(tuple),
    match=st.dictionaries(
        st.sampled_from(("integration", "severity", "chain")), st.sampled_from(("aave-v3", "critical", "x")), max_size=2
    ),
    go_on=st.booleans(),
)


def at(severity: Severity) -> Notification:
    made = told()
    return msgspec.structs.replace(made, severity=severity, labels=made.labels | {"severity": severity.value})


def test_without_any_route_everyone_hears_everything() -> None:
    assert receivers(Routing(), at(Severity.INFO), EVERYONE) == EVERYONE


def test_the_first_match_ends_the_search_unless_it_says_continue() -> None:
    first, second = Route(to=("chat",), match={"integration": "aave-v3"}), Route(to=("pager",), match={"severity": "critical"})
    assert receivers(Routing(routes=(first, second)), told(), EVERYONE) == ("chat",)
    both = (msgspec.structs.replace(first, go_on=True), second)
    assert receivers(Routing(routes=both), told(), EVERYONE) == ("chat", "pager")


def test_the_configuration_spells_it_continue() -> None:
    assert msgspec.yaml.decode("to: [chat]\ncontinue: true", type=Route).go_on


def test_a_warning_nobody_claims_goes_where_otherwise_says() -> None:
    routes = (Route(to=("pager",), match={"severity": "critical"}),)
    assert receivers(Routing(routes=routes), at(Severity.WARNING), EVERYONE) == ()
    assert receivers(Routing(routes=routes, otherwise=("console",)), at(Severity.WARNING), EVERYONE) == ("console",)


@given(st.lists(ROUTES, max_size=4).map(tuple))
def test_no_routing_loses_a_critical(routes: tuple[Route, ...]) -> None:
    found = receivers(Routing(routes=routes), told(), EVERYONE)
    assert found
    assert set(found) <= set(EVERYONE)
    assert len(set(found)) == len(found)


@given(st.lists(ROUTES, max_size=4).map(tuple))
def test_the_end_reaches_everyone_who_heard_the_beginning(routes: tuple[Route, ...]) -> None:
    begun, worse = at(Severity.WARNING), at(Severity.CRITICAL)
    end = msgspec.structs.replace(worse, resolved=True, earlier=(begun.labels,))
    heard = [set(receivers(Routing(routes=routes), each, EVERYONE)) for each in (begun, worse)]
    assert heard[0] | heard[1] == set(receivers(Routing(routes=routes), end, EVERYONE))


def test_a_route_to_nobody_known_is_a_configuration_error_with_its_path() -> None:
    wrong = Routing(routes=(Route(to=("chat",)), Route(to=("pagr",))), otherwise=("consol",))
    assert [problem.partition(":")[0] for problem in problems(wrong, EVERYONE)] == ["routes[1].to", "otherwise"]
    assert problems(Routing(routes=(Route(to=EVERYONE),)), EVERYONE) == []
