"""Mechanisms behind known incidents, by the smallest executions that have them: what tells each from honest business."""

import pytest
from msgspec.structs import replace

from detectors.base import Finding, Severity, Want, Watch
from detectors.drain import suspects
from detectors.execution import Execution
from detectors.flows import Flows
from detectors.manipulation import Manipulation
from detectors.privileges import Privileges
from tests.support.cast import FRIEND, OTHER, POOL, THIEF, TOKEN, ZERO
from tests.support.executions import (
    SENDER,
    Node,
    address,
    call,
    degraded,
    delegate,
    execution,
    log,
    move,
    pending,
    sload,
    sstore,
    word,
)
from tests.support.pools import block

VAULT, ROUTER, OWNER, WALLET, OLD, NEW = (address(n) for n in ("vault", "router", "owner", "wallet", "old code", "new code"))
HERE = {"eip155:1": Watch(watched=frozenset({VAULT, ROUTER, WALLET}))}
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def topic(who: str) -> str:
    return "0x" + word(who)


def moves(source: str, target: str, amount: int) -> Node:
    return log(TRANSFER, topic(source), topic(target), data=(amount,))


def visit(paid: int, back: int, *, shares: tuple[int, int] = (100, 100), rounds: int = 1, income: int = 0) -> Execution:
    """Into a vault and out of it again."""
    nodes: list[Node] = []
    for _ in range(rounds):
        into = call(TOKEN, "0x23b872dd", moves(THIEF, VAULT, paid), args=(THIEF, VAULT, paid))
        nodes.append(call(VAULT, "deposit(uint256)", into, moves(ZERO, THIEF, shares[0])))
        nodes.append(call(VAULT, "withdraw(uint256)", moves(THIEF, ZERO, shares[1]), move(TOKEN, VAULT, THIEF, back)))
    if income:
        nodes.append(move(OTHER, FRIEND, VAULT, income))
    return execution(call(THIEF, "go()", *nodes, *(call(FRIEND, "f()") for _ in range(4))))


def rounds(event: Execution) -> list[tuple[str, str]]:
    found = Manipulation(HERE).observe(event)
    return [(f.kind, f.severity.value) for f in found if isinstance(f, Finding)]


def test_a_vault_that_pays_for_a_visit_warns_and_for_two_pauses() -> None:
    """Harvest, 2020. The price it was made by is nowhere in it."""
    assert rounds(visit(10_000, 10_100)) == [("round_trip", "warning")]
    assert rounds(visit(10_000, 10_100, rounds=2)) == [("round_trip", "critical")]


def test_a_visit_that_costs_or_only_rounds_is_nothing() -> None:
    assert rounds(visit(10_000, 9_990, rounds=3)) == []
    assert rounds(visit(10**9, 10**9 + 1, rounds=3)) == []


def test_shares_of_before_may_be_worth_anything() -> None:
    assert rounds(visit(10_000, 20_000, shares=(100, 200), rounds=2)) == []


def test_a_vault_that_was_paid_otherwise_gave_nothing_away() -> None:
    assert rounds(visit(10_000, 10_100, rounds=2, income=300)) == []


def charged(caller: str, owner: str, *, asked: bool = True) -> Execution:
    """A router asks a pool, and is called back to be told whom to charge."""
    pull = call(TOKEN, "0x23b872dd", moves(owner, caller, 50), args=(owner, caller, 50))
    back = call(ROUTER, "pay(uint256,address)", pull, args=(50, owner))
    root = call(ROUTER, "swap(address)", call(caller, "swap()", back), args=(caller,)) if asked else back
    return execution(call(THIEF, "go()", root if asked else call(caller, "x()", root)))


def told(event: Execution) -> list[tuple[str, str]]:
    return [(f.kind, f.severity.value) for f in Flows(HERE).observe(event)]


def test_a_router_called_back_to_charge_a_stranger_pauses() -> None:
    """SushiSwap, 2023."""
    assert told(charged(POOL, OWNER)) == [("arbitrary_call", "critical")]


def test_a_router_called_back_to_charge_whoever_asked_is_at_work() -> None:
    assert told(charged(POOL, THIEF)) == []
    assert told(charged(POOL, SENDER)) == []


def test_a_collector_that_nobody_was_asked_by_is_no_callback() -> None:
    assert told(charged(POOL, OWNER, asked=False)) == []


SWAP = delegate(NEW, "swap(address)", sstore(0, int(NEW, 16)), args=(NEW,))


def wallet(*inside: Node) -> Execution:
    """A wallet behind a proxy that reads in slot 0 whose code it runs."""
    return execution(
        call(WALLET, "execute(address)", sload(0, int(OLD, 16)), delegate(OLD, "execute(address)", *inside), args=(NEW,))
    )


def power(event: Execution) -> list[str]:
    return [f.kind for f in Privileges(HERE).observe(event) if isinstance(f, Finding)]


def test_code_exchanged_in_a_slot_of_no_standard_is_a_change_of_power() -> None:
    """Bybit, 2025: what a contract looks its code up in is where its code is kept."""
    assert power(wallet(SWAP)) == ["changed"]


@pytest.mark.parametrize("write", [sstore(0, int(OLD, 16)), sstore(1, int(NEW, 16))], ids=["the same code", "another slot"])
def test_any_other_write_is_none(write: Node) -> None:
    assert power(wallet(write)) == []


def test_storage_is_asked_for_where_a_watched_wallet_ran_code_it_was_told_to() -> None:
    named = delegate(NEW, "swap(address)", args=(NEW,))
    blind = degraded(execution(call(WALLET, "execute(address)", named, args=(NEW,))))
    assert any(isinstance(said, Want) for said in Privileges(HERE).observe(blind))
    assert not any(isinstance(said, Want) for said in Privileges(HERE).observe(replace(blind, supersedes=True)))
    assert not any(isinstance(said, Want) for said in Privileges({"eip155:1": Watch()}).observe(blind))


def test_code_that_a_wallet_has_run_before_is_not_asked_about_again() -> None:
    named = delegate(NEW, "swap(address)", args=(NEW,))
    blind = degraded(execution(call(WALLET, "execute(address)", named, args=(NEW,))))
    keeper = Privileges(HERE)
    keeper.observe(block(blind.position.height if blind.position is not None else 0))
    asked = [
        any(isinstance(said, Want) for said in keeper.observe(one)) for one in (pending(blind), pending(blind), blind, blind)
    ]
    assert asked == [True, True, True, False]


def position(what: str, amount: int, owner: str = THIEF) -> Node:
    data = (0, amount, 1, 1) if what == suspects.MINT else (amount, 1, 1)
    return log(what, topic(owner), "0x" + "00" * 32, "0x" + "11" * 32, data=data)


def ranged(*logs: Node) -> Execution:
    return execution(call(THIEF, "go()", call(POOL, "0xa34123a7", *logs)))


def test_a_position_made_and_taken_back_at_once_explains_no_loss() -> None:
    """Popsicle, 2021; KyberSwap, 2023."""
    assert not suspects.pays_positions(ranged(position(suspects.MINT, 9), position(suspects.BURN, 9)), POOL)
    assert suspects.pays_positions(ranged(position(suspects.MINT, 9), position(suspects.BURN, 10)), POOL)
    assert suspects.pays_positions(ranged(position(suspects.BURN, 9)), POOL)
    assert suspects.pays_positions(ranged(position(suspects.COLLECT, 9)), POOL)
    assert suspects.pays_positions(ranged(position(suspects.MINT, 9), position(suspects.BURN, 9, FRIEND)), POOL)


def test_severity_follows_the_watch_list() -> None:
    elsewhere = Manipulation({"eip155:1": Watch(watched=frozenset({OTHER}))})
    found = [f for f in elsewhere.observe(visit(10_000, 10_100, rounds=2)) if isinstance(f, Finding)]
    assert all(f.severity is not Severity.CRITICAL for f in found)
