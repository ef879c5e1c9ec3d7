"""By the call tree alone, without balances or storage order: when nested payments are a loss, and when that cannot be told."""

from msgspec.structs import replace

from detectors.base import Finding, Watch
from detectors.execution import Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import BANK, TEN, THIEF
from tests.support.executions import Call, Node, call, execution


def nested(turns: int, what: str, *, asked: tuple[int, ...] = (), sums: tuple[int, ...] = ()) -> Call:
    """So many withdrawals, each made while the one before is being paid; `asked` is in the call data."""
    inner: Node | None = None
    for turn in range(turns):
        value = sums[turn] if sums else TEN
        paid = call(THIEF, None, *(() if inner is None else (inner,)), value=value)
        inner = call(BANK, what, paid, args=asked)
    assert isinstance(inner, Call)
    return inner


def bare(*nodes: Node) -> Execution:
    """The tree alone: no steps, no logs, no balance."""
    return replace(execution(call(THIEF, "go()", *nodes)), storage="none", steps=[], logged=False)


def worst(event: Execution) -> Finding:
    said = Reentrancy({"eip155:1": Watch()}).observe(event)
    return max((f for f in said if isinstance(f, Finding)), key=lambda f: f.confidence)


def test_savings_taken_out_in_nested_bits_by_name_of_the_sum_warn_and_say_what_is_missing() -> None:
    found = worst(bare(nested(5, "withdraw(uint256)", asked=(TEN,))))
    assert found.confidence == 0.6
    assert found.title.endswith("; not judged fully: storage order is missing")


def test_savings_taken_out_in_nested_bits_of_different_sizes_warn_too() -> None:
    assert worst(bare(nested(5, "withdraw()", sums=(5, 4, 3, 2, 1)))).confidence == 0.6


def test_a_bank_whose_books_stood_still_while_it_paid_pauses() -> None:
    """Nobody named the sum, so the books did; asked three times in the middle of paying, they said the same."""
    found = worst(bare(nested(3, "withdraw()")))
    assert found.confidence >= 0.8
    assert "not judged" not in found.title
    assert worst(bare(nested(2, "withdraw()"))).confidence < 0.8


def test_more_taken_than_was_put_in_pauses_whoever_named_the_sum() -> None:
    rob = nested(3, "withdraw(uint256)", asked=(TEN,))
    assert worst(bare(call(BANK, "deposit()", value=TEN), rob)).confidence >= 0.8
    assert worst(bare(call(BANK, "deposit()", value=3 * TEN), rob)).confidence < 0.8
