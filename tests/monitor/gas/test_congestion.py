"""Congestion is said once, again when it grows steep, and when it is over; and it never pauses or throttles anything."""

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from detectors.base import PAUSE_AT, Basis, Severity
from detectors.events import Block as BlockEvent
from detectors.events import Position
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.policy import Rules
from monitor.gas.answers import Fitted, Outlook
from monitor.gas.congestion import QUIET_FOR, Congestion, finding
from monitor.pipeline import Judged, Pipeline, Watched
from tests.support.fees import CHAIN, fed


def outlook(surprise: float, **more: object) -> Outlook:
    seen = fed().outlook
    assert seen is not None
    return msgspec.structs.replace(seen, surprise=surprise, **more)


def test_it_is_said_once_again_when_it_grows_steep_and_when_it_is_over() -> None:
    congestion = Congestion()
    said = [congestion.look(outlook(away)) for away in (1.0, 6.5, 7.0, 13.0, 14.0, 8.0)]
    assert [one and one.severity for one in said] == [None, Severity.INFO, None, Severity.WARNING, None, None]
    for _ in range(QUIET_FOR):
        assert not congestion.over()
        assert congestion.look(outlook(0.5)) is None
    assert congestion.over()
    assert congestion.look(outlook(6.5)) is not None


def test_what_was_never_fitted_surprises_nobody() -> None:
    assert Congestion().look(outlook(50.0, model=Fitted("cold"))) is None


@given(
    surprise=some.floats(6.0, 1e9), fee=some.integers(0, 2**62), quorum=some.integers(1, 3), at=some.floats(0, 1e9),
    mode=some.sampled_from(Mode), lowered=some.floats(0.0, 0.8),
)  # fmt: skip
def test_no_congestion_pauses_throttles_or_enters_a_breaker(
    surprise: float, fee: int, quorum: int, at: float, mode: Mode, lowered: float
) -> None:
    made = finding(outlook(surprise, next_fee_wei=fee, seen_at=at))
    assert (made.basis, made.victims) == (Basis.ADVICE, ())
    assert made.confidence < PAUSE_AT
    fold = Fold({"bank": mode})
    # Even an operator who watches the finding's own subject, and pauses on anything, is not paused by it.
    rules = Rules(warn_at=lowered / 2, pause_at=lowered, quorum=quorum)
    watched = Watched(integration="bank", chain=CHAIN, contracts=(CHAIN, "0x" + "b0" * 20), rules=rules)
    pipeline = Pipeline({CHAIN: ()}, [watched], fold)
    event = BlockEvent(chain=CHAIN, at=at, position=Position(1, "0x1"), timestamp=at)
    proposed = pipeline.propose(event, Judged(findings=[made]))
    assert proposed.decisions == []
    assert proposed.notes == []
