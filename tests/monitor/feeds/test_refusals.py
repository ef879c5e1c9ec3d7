"""A block of which nothing could be traced is nobody's clean bill."""

from detectors.events import Position, Stage, Unjudged
from detectors.execution import Execution
from monitor.feeds.accord import Verdict
from monitor.feeds.refusals import AGAIN, EVERY, Refusals
from monitor.feeds.tracing import LATE, NO_TRACER, REFUSED
from tests.support.findings import CHAIN, position


class Told:
    """One chain's refusals, asked about block after block."""

    def __init__(self) -> None:
        self.now = 0.0
        self.refusals = Refusals(CHAIN, lambda: self.now)

    def block(self, height: int, *reasons: str) -> list[Verdict]:
        """What is to be done with it, each time it is offered, until it is taken; an empty reason is a judged transaction."""
        verdicts: list[Verdict] = []
        while Verdict.TAKE not in verdicts:
            verdicts.append(self.refusals.asked(position(height), [one(position(height), why) for why in reasons]))
        return verdicts


def one(at: Position, why: str) -> Execution | Unjudged:
    if why:
        return Unjudged(chain=CHAIN, at=0.0, id="0x1", stage=Stage.INCLUDED, reason=why, position=at)
    return Execution(chain=CHAIN, at=0.0, tx="0x1", stage=Stage.INCLUDED, frames=[], steps=[], storage="none", position=at)


READ_AGAIN = [Verdict.DOUBT, *[Verdict.AGAIN] * (AGAIN - 1), Verdict.TAKE]


def test_a_lost_tracer_is_asked_after_then_nothing_is_vouched_for_until_something_is_judged() -> None:
    told = Told()
    assert told.block(1, NO_TRACER, NO_TRACER) == READ_AGAIN
    assert "nothing of block" in told.refusals.why
    assert (told.block(2, NO_TRACER), told.block(3)) == ([Verdict.TAKE], [Verdict.TAKE])
    assert told.refusals.why, "an empty block proves nothing"
    assert told.block(4, "", NO_TRACER) == [Verdict.TAKE]
    assert told.refusals.why == ""


def test_one_transaction_that_no_node_traces_blinds_nobody_alone_in_its_block() -> None:
    told = Told()
    assert told.block(1, REFUSED) == READ_AGAIN
    assert told.refusals.why == ""
    assert told.block(2, "") == [Verdict.TAKE]
    assert (told.block(3, REFUSED), told.refusals.why) == ([Verdict.TAKE], ""), "nor does it slow us down again so soon"
    told.now += EVERY
    told.block(4, REFUSED)
    assert told.refusals.why


def test_what_is_too_large_or_late_is_no_refusal() -> None:
    told = Told()
    assert (told.block(1, LATE, REFUSED), told.refusals.why) == ([Verdict.TAKE], "")
