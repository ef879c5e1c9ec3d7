"""Approvals abused, and the honest contracts that spend them."""

from collections.abc import Sequence

from msgspec.structs import replace

from detectors.base import Watch
from detectors.execution import Code, Context, Execution
from detectors.flows import Flows
from tests.support.executions import Call, Node, address, call, execution, move, pending, transfer, word
from tests.support.pools import CHAIN, block, place, reverted

ROUTER, DRAINER, SINK, COIN, THIEF = map(address, ("router", "drainer", "sink", "coin", "thief"))
OWNERS = [address(f"owner {i}") for i in range(30)]
WATCH = {CHAIN: Watch(watched=frozenset({ROUTER}))}
YOUNG = Context(codes={DRAINER: Code(age=60.0, deployer=THIEF)})
SPEND = "transferFrom(address,address,uint256)"


def spends(owner: str, sink: str = SINK) -> Call:
    return call(COIN, SPEND, transfer(owner, sink, 5), args=(owner, sink, 5))


def told(owner: str, *paid: Node, selector: str = "execute(address,bytes)") -> Execution:
    """The router is handed the very call it makes."""
    theft = spends(owner)
    ask = call(ROUTER, selector, theft, *paid)
    ask = replace_input(ask, (ask.input or "") + (theft.input or "")[2:])
    return execution(ask, sender=THIEF)


def replace_input(what: Call, data: str) -> Call:
    return Call(what.type, what.to, what.selector, what.nodes, what.value, data, what.output, what.ok)


def test_a_router_told_whom_to_rob_pauses_and_one_that_decides_itself_does_not() -> None:
    (made,) = Flows(WATCH).observe(pending(told(OWNERS[0])))
    assert (made.kind, made.subject, made.confidence) == ("arbitrary_call", ROUTER, 0.9)
    own = execution(call(ROUTER, "settle()", spends(OWNERS[0])), sender=THIEF)
    assert list(Flows(WATCH).observe(own)) == []


def test_an_order_that_is_paid_is_a_sale() -> None:
    assert list(Flows(WATCH).observe(told(OWNERS[0], move(address("money"), THIEF, OWNERS[0], 100)))) == []


def test_a_wallet_that_does_what_it_was_told_only_warns() -> None:
    (made,) = Flows(WATCH).observe(told(OWNERS[0], selector="0x6a761202"))
    assert made.confidence == 0.6


def test_one_s_own_tokens_are_one_s_own_affair() -> None:
    assert list(Flows(WATCH).observe(told(THIEF))) == []


def pulls(owners: Sequence[str], n: int, *, context: Context = YOUNG, at: float = 0.0) -> Execution:
    whole = execution(call(DRAINER, "own()", *map(spends, owners)), sender=THIEF, context=context)
    return replace(whole, tx=f"0x{n}", at=at, position=place(1 + n))


def test_owners_collected_by_a_new_spender_are_told_once_at_five_and_at_every_doubling() -> None:
    guard, counted = Flows(WATCH), []
    for n in range(30):
        guard.observe(block(1 + n))
        counted += [made.evidence["owners"] for made in guard.observe(pulls([OWNERS[n]], n, at=60.0 * n))]
    assert counted == [5, 10, 20]


def test_an_old_spender_a_slow_one_and_the_same_owner_again_are_not() -> None:
    assert list(Flows(WATCH).observe(pulls(OWNERS, 0, context=Context()))) == []
    slow, same = Flows(WATCH), Flows(WATCH)
    for n in range(10):
        for guard in (slow, same):
            guard.observe(block(1 + n))
        assert list(slow.observe(pulls([OWNERS[n]], n, at=1_000.0 * n))) == []
        assert list(same.observe(pulls([OWNERS[0]], n, at=1.0 * n))) == []


def test_what_a_reorganisation_takes_back_was_never_collected() -> None:
    guard = Flows(WATCH)
    guard.observe(block(1))
    guard.observe(pulls(OWNERS[:4], 0))
    guard.observe(block(2))
    assert len(list(guard.observe(pulls(OWNERS[4:5], 1)))) == 1
    guard.observe(reverted(1, 2))
    guard.observe(block(1, "f"))
    assert list(guard.observe(pulls(OWNERS[4:5], 0))) == []


def test_call_data_cut_short_is_no_reason_to_fail() -> None:
    whole = told(OWNERS[0])
    frames = [replace(frame, input=(frame.input or "")[:n]) for n, frame in zip((40, 90), whole.frames, strict=True)]
    assert list(Flows(WATCH).observe(replace(whole, frames=frames))) == []
    assert word(5) in (spends(OWNERS[0]).input or "")
