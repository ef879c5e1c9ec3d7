"""The ledger of touches: bounded, without what was taken back, and what it says of a block."""

from detectors.events import Position, Stage, Unjudged
from detectors.execution import Execution, Frame
from monitor.chains.base import LogEntry
from monitor.ledger import Entry, Ledger, Touch, touches
from tests.support.findings import BANK, CHAIN, position

OTHER = "0x" + "0d" * 20
PERSON = "0x" + "0e" * 20
WATCHED = frozenset({BANK, OTHER})


def frame(to: str, *, parent: int = -1, ctx: str | None = None) -> Frame:
    """A call that succeeded."""
    return Frame(
        type="CALL", sender=PERSON, to=to, ctx=ctx or to, value=0, selector=None, input=None, ok=True, alive=True,
        parent=parent, depth=parent + 1,
    )  # fmt: skip


def ran(tx: str, *frames: Frame) -> Execution:
    """A mined transaction."""
    return Execution(chain=CHAIN, at=1.0, tx=tx, stage=Stage.INCLUDED, frames=list(frames), position=position(10))


def entry(height: int, *told: str, at: float | None = None) -> Entry:
    """A block with touches of the bank by these transactions."""
    mine = tuple(Touch(tx, index, (BANK,), PERSON, ok=True, judged=True) for index, tx in enumerate(told))
    return Entry(position(height), float(height), float(height) if at is None else at, mine)


def test_who_calls_deep_inside_or_logs_or_is_named_by_a_log_touched_it_and_nobody_else_did() -> None:
    executions = [
        ran("0xdeep", frame(PERSON), frame(BANK, parent=0)),
        ran("0xborrowed", frame(PERSON), frame(OTHER, parent=0, ctx=PERSON)),
        ran("0xpaid", frame(PERSON)),
        ran("0xfar", frame(PERSON)),
    ]
    transfer = LogEntry("0x" + "70" * 20, ("0xddf2", "0x" + "00" * 32, "0x" + "00" * 12 + BANK[2:]), "0x", 0, "0xpaid", 2)
    found = touches(executions, [transfer], ("0xdeep", "0xborrowed", "0xpaid", "0xfar"), WATCHED)
    assert [(one.tx, one.index, one.contracts) for one in found] == [
        ("0xdeep", 0, (BANK,)), ("0xborrowed", 1, (OTHER,)), ("0xpaid", 2, (BANK,)),
    ]  # fmt: skip


def test_what_nobody_could_follow_counts_for_all_it_may_have_touched() -> None:
    dark = Unjudged(chain=CHAIN, at=1.0, id="0xdark", stage=Stage.INCLUDED, reason="oversize")
    named = Unjudged(chain=CHAIN, at=1.0, id="0xnamed", stage=Stage.INCLUDED, reason="oversize", touches=(BANK,))
    found = touches([dark, named], [], ("0xdark", "0xnamed"), WATCHED)
    assert [(one.contracts, one.judged) for one in found] == [(tuple(sorted(WATCHED)), False), ((BANK,), False)]


def test_a_block_taken_back_leaves_nothing_and_memory_is_bounded_by_blocks_and_by_touches() -> None:
    ledger = Ledger(most_blocks=3, most_touches=4)
    for height in range(1, 6):
        ledger.record(entry(height, f"0x{height}"))
    assert [one.position.height for one in ledger] == [3, 4, 5]
    ledger.revert(4)
    ledger.record(Entry(Position(4, "0xother4", "0x3"), 4.0, 4.5))
    assert [(one.position.id, len(one.touches)) for one in ledger] == [("0x3", 1), ("0xother4", 0)]
    ledger.record(entry(5, "0xa", "0xb", "0xc", "0xd"))
    assert [one.position.height for one in ledger] == [4, 5], "the oldest touches went first"


def test_the_next_life_knows_what_this_one_knew() -> None:
    ledger, again = Ledger(), Ledger()
    for height in range(1, 4):
        ledger.record(entry(height, f"0x{height}"))
    again.load(ledger.save())
    assert list(again) == list(ledger)
    assert again.head_at(2.5) == entry(2, "0x2")
    assert again.head_at(0.5) is None
