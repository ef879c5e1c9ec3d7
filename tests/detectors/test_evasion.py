"""Evasion: what differs between two runs is told with what it is, and what honest code differs in is not."""

import msgspec
import pytest

from detectors.base import Finding, Severity, Watch
from detectors.evasion import Evasion
from detectors.events import Stage
from detectors.execution.reruns import Outcome, Rerun, outcome
from tests.support.executions import ETHER, address, call, execution

CHAIN = "eip155:1"
BANK, THIEF = address("bank"), address("thief")
PLAIN = Outcome(ok=True, calls=2, shape="a", touched=(BANK,), flows={f"native of {BANK}": -100})


def found(plain: Outcome, other: Outcome) -> list[Finding]:
    eye = Evasion({CHAIN: Watch(watched=frozenset({BANK}))})
    return list(eye.observe(Rerun(chain=CHAIN, at=1.0, tx="0x1", stage=Stage.PENDING, under="next", plain=plain, other=other)))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"touched": ()}, "contracts reached"),
        ({"ok": False}, "success"),
        ({"flows": {f"native of {BANK}": -200}}, "money"),
        ({"flows": {}}, "money"),
        ({"shape": "b"}, "calls"),
    ],
)
def test_every_difference_is_a_warning_and_says_what_it_is(change: dict[str, object], differs: str) -> None:
    (one,) = found(PLAIN, msgspec.structs.replace(PLAIN, **change))
    assert (one.subject, one.severity, one.evidence["differs"]) == (BANK, Severity.WARNING, differs)


def test_interest_of_a_few_seconds_is_no_difference() -> None:
    assert found(PLAIN, msgspec.structs.replace(PLAIN, flows={f"native of {BANK}": -105})) == []


def test_what_touches_nothing_watched_may_do_as_it_likes() -> None:
    apart = Outcome(ok=True, calls=1, shape="x", touched=(), flows={})
    assert found(apart, msgspec.structs.replace(apart, shape="y", ok=False)) == []


def test_an_outcome_is_what_happened_to_the_watched_contracts() -> None:
    deed = execution(call(THIEF, "go()", call(BANK, "take()", call(THIEF, None, value=3 * ETHER))))
    made = outcome(deed, [BANK])
    assert (made.ok, made.calls, made.touched, made.flows) == (True, 3, (BANK,), {f"native of {BANK}": -3 * ETHER})
    failed = execution(call(THIEF, "go()", call(BANK, "take()", call(THIEF, None, value=3 * ETHER)), ok=False))
    assert (outcome(failed, [BANK]).touched, outcome(failed, [BANK]).flows) == ((), {})
