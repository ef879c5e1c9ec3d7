"""Invariants: no honest course of a pool breaks one, and a theft from it does, at the block and while it is pending."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Finding, Severity, Watch
from detectors.events import PoolState, Position
from detectors.execution import Context, Execution
from detectors.execution.ledger import TRANSFER, ZERO
from detectors.invariants import Invariants
from detectors.invariants.states import SYNC
from tests.support.executions import Call, address, call, degraded, execution, log, move, word
from tests.support.executions import pending as waiting
from tests.support.pools import CHAIN, Pair, Vault, block, reading, reverted

PAIR, VAULT, ALICE, THIEF, STRATEGY = map(address, ("pair", "vault", "alice", "thief", "strategy"))
ASSET, OTHER = sorted(map(address, ("asset", "other")))
WATCH = {CHAIN: Watch(watched=frozenset((PAIR, VAULT)))}

OPS = st.lists(
    st.tuples(st.sampled_from(("mint", "burn", "in0", "in1", "donate", "block")), st.integers(1, 10**6)), min_size=1, max_size=25
)


def act(pair: Pair, op: str, size: int) -> None:
    """One honest operation; `size` is in millionths of the pool."""

    def share(reserve: int) -> int:
        return max(1, reserve * size // 10**6)

    if op == "mint":
        pair.mint(share(pair.r0), share(pair.r1) + size % 3)
    elif op == "burn":
        pair.burn(share(pair.supply))
    elif op == "donate":
        pair.donate(share(pair.r0) // 10)
    else:
        pair.swap(share(pair.r0 if op == "in0" else pair.r1), zero_in=op == "in0")


def pair_at(height: int, pair: Pair, told: str) -> PoolState:
    k_last, fee_shares = pair.k_last if "k" in told else None, pair.fee_shares if "f" in told else None
    reserves = {ASSET: pair.r0, OTHER: pair.r1}
    return reading(PAIR, height, "uniswap_v2", reserves, pair.supply, k_last=k_last, fee_shares=fee_shares)


def course(pair: Pair, ops: list[tuple[str, int]], guard: Invariants, told: str) -> tuple[list[Finding], int]:
    """Everything found along a course of honest operations, and the height reached."""
    found, height = list(guard.observe(pair_at(0, pair, told))), 0
    for op, size in [*ops, ("block", 0)]:
        if op == "block":
            height += 1
            found += guard.observe(pair_at(height, pair, told))
        else:
            act(pair, op, size)
    return found, height


@given(
    ops=OPS,
    start=st.tuples(st.integers(10**4, 10**24), st.integers(10**4, 10**24)),
    fee_on=st.booleans(),
    told=st.sampled_from(("k", "f", "kf")),
)
def test_no_honest_course_of_a_pair_breaks_it_whether_the_protocol_takes_a_fee_or_not(
    *, ops: list[tuple[str, int]], start: tuple[int, int], fee_on: bool, told: str
) -> None:
    pair = Pair(fee_on=fee_on)
    pair.mint(*start)
    assert course(pair, ops, Invariants(WATCH), told)[0] == []


@given(ops=OPS, part=st.integers(10_000, 900_000), told=st.sampled_from(("k", "f", "kf")))
def test_liquidity_taken_without_shares_breaks_it(*, ops: list[tuple[str, int]], part: int, told: str) -> None:
    pair = Pair()
    pair.mint(10**15, 3 * 10**15)
    guard = Invariants(WATCH)
    _, height = course(pair, ops, guard, told)
    pair.r0 -= pair.r0 * part // 10**6
    pair.r1 -= pair.r1 * part // 10**6
    (found,) = guard.observe(pair_at(height + 1, pair, told))
    assert (found.kind, found.severity, found.subject) == ("pool_share", Severity.CRITICAL, PAIR)
    lost, units = -float(found.evidence["change"]), 4 / min(pair.r0, pair.r1, pair.supply)
    assert lost >= 5 / 6 * part / 10**6 - units, "what was owed to the protocol, a sixth of the growth, is lost by the protocol"
    assert lost <= part / 10**6 + units


def test_a_protocol_fee_that_nothing_explains_warns_and_does_not_pause() -> None:
    guard, pair = Invariants(WATCH), Pair()
    pair.mint(10**18, 10**18)
    for _ in range(40):
        pair.swap(pair.r0 // 20, zero_in=True)
        pair.swap(pair.r1 // 20, zero_in=False)
    guard.observe(pair_at(1, pair, ""))
    pair.burn(10**6)
    (found,) = guard.observe(pair_at(2, pair, ""))
    assert found.severity is Severity.WARNING


def test_an_emptied_pair_is_the_worst_fall() -> None:
    guard = Invariants(WATCH)
    guard.observe(reading(PAIR, 1, "uniswap_v2", {ASSET: 10**9, OTHER: 10**9}, 10**9, k_last=0))
    (found,) = guard.observe(reading(PAIR, 2, "uniswap_v2", {ASSET: 0, OTHER: 10**9}, 10**9, k_last=0))
    assert (found.severity, found.evidence["change"]) == (Severity.CRITICAL, -1.0)


def test_a_rebasing_token_is_left_out_by_configuration() -> None:
    guard = Invariants(WATCH, rebasing=[ASSET])
    guard.observe(reading(PAIR, 1, "uniswap_v2", {ASSET: 10**9, OTHER: 10**9}, 10**9))
    assert list(guard.observe(reading(PAIR, 2, "uniswap_v2", {ASSET: 10**8, OTHER: 10**9}, 10**9))) == []


def test_a_pending_theft_from_a_pair_is_seen_by_its_own_books_and_again_when_mined() -> None:
    guard = Invariants(WATCH)
    guard.observe(reading(PAIR, 17_999_999, "uniswap_v2", {ASSET: 10**9, OTHER: 10**9}, 10**9, k_last=0))
    theft = execution(
        call(PAIR, "swap(uint256,uint256,address,bytes)",
            move(ASSET, PAIR, THIEF, 5 * 10**8),
            log(SYNC, data=(5 * 10**8, 10**9)))
    )  # fmt: skip
    swap = execution(
        call(PAIR, "swap(uint256,uint256,address,bytes)",
            move(OTHER, ALICE, PAIR, 10**8), move(ASSET, PAIR, ALICE, 9 * 10**7),
            log(SYNC, data=(91 * 10**7, 11 * 10**8)))
    )  # fmt: skip
    assert list(guard.observe(pending(swap))) == []
    for look in (pending(theft), pending(theft), degraded(theft)):
        assert [f.severity for f in guard.observe(look)] == [Severity.CRITICAL]


def test_liquidity_in_and_out_is_honest_within_one_transaction_too() -> None:
    guard = Invariants(WATCH)
    guard.observe(reading(PAIR, 17_999_999, "uniswap_v2", {ASSET: 10**9, OTHER: 10**9}, 10**9, k_last=0))
    out = execution(
        call(PAIR, "burn(address)",
            log(TRANSFER, "0x" + word(PAIR), "0x" + word(ZERO), data=(10**8,)),
            move(ASSET, PAIR, ALICE, 10**8), move(OTHER, PAIR, ALICE, 10**8),
            log(SYNC, data=(9 * 10**8, 9 * 10**8)))
    )  # fmt: skip
    assert list(guard.observe(out)) == []


@given(grown=st.integers(1, 60), part=st.integers(1, 900))
def test_a_fee_minted_in_the_same_transaction_is_no_theft_with_or_without_what_the_feed_may_know(
    *, grown: int, part: int
) -> None:
    for told in ("k", "f", ""):
        pair, guard = Pair(), Invariants(WATCH)
        pair.mint(10**18, 10**18)
        for _ in range(grown):
            pair.swap(pair.r0 // 30, zero_in=True)
            pair.swap(pair.r1 // 30, zero_in=False)
        guard.observe(pair_at(17_999_999, pair, told))
        owned, shares = pair.fee_shares, pair.supply * part // 1000
        out0, out1 = pair.burn(shares)
        fee = pair.fee_shares - owned
        leave = execution(
            call(PAIR, "burn(address)",
                log(TRANSFER, "0x" + word(ZERO), "0x" + word(THIEF), data=(fee,)),
                log(TRANSFER, "0x" + word(PAIR), "0x" + word(ZERO), data=(shares,)),
                move(ASSET, PAIR, ALICE, out0), move(OTHER, PAIR, ALICE, out1),
                log(SYNC, data=(pair.r0, pair.r1)))
        )  # fmt: skip
        found = [f for f in guard.observe(leave) if isinstance(f, Finding)]
        assert [f for f in found if f.severity is Severity.CRITICAL] == []
        assert found == [] or told == ""


def test_where_the_protocol_sold_its_shares_meanwhile_a_small_fall_is_no_proof() -> None:
    guard = Invariants(WATCH)
    guard.observe(reading(PAIR, 1, "uniswap_v2", {ASSET: 10**9, OTHER: 10**9}, 10**9, fee_shares=10**6))
    (found,) = guard.observe(reading(PAIR, 2, "uniswap_v2", {ASSET: 999 * 10**6, OTHER: 10**9}, 10**9, fee_shares=0))
    assert found.severity is Severity.WARNING


VAULT_OPS = st.lists(
    st.tuples(st.sampled_from(("deposit", "redeem", "yield", "block")), st.integers(1, 10**6)), min_size=1, max_size=25
)


def vault_at(height: int, vault: Vault, *, idle: bool = True) -> PoolState:
    held = vault.assets if idle else vault.assets // 10
    return reading(VAULT, height, "erc4626", {ASSET: held}, vault.shares, total_assets=vault.assets)


@given(ops=VAULT_OPS, first=st.integers(1, 10**24), virtual=st.sampled_from((0, 1)))
def test_no_honest_course_of_a_vault_pauses_it(*, ops: list[tuple[str, int]], first: int, virtual: int) -> None:
    vault, guard = Vault(virtual=virtual), Invariants(WATCH)
    found = list(guard.observe(vault_at(0, vault)))
    vault.deposit(first)
    for height, (op, size) in enumerate(ops, start=1):
        if op == "deposit":
            vault.deposit(max(1, vault.assets * size // 10**6))
        elif op == "redeem":
            vault.redeem(max(1, vault.shares * size // 10**6))
        elif op == "yield":
            vault.assets += vault.assets * size // 10**9
        found += guard.observe(vault_at(height, vault))
    assert [f for f in found if f.severity is Severity.CRITICAL] == []


def test_a_harvest_warns_a_loss_pauses_and_an_empty_vault_says_nothing() -> None:
    guard = Invariants(WATCH)

    def look(height: int, assets: int, shares: int) -> list[tuple[str, Severity]]:
        return [(f.kind, f.severity) for f in guard.observe(vault_at(height, Vault(assets, shares)))]

    assert look(1, 0, 0) == []
    assert look(2, 10**9, 10**9) == [], "the first deposit"
    assert look(3, 1_009 * 10**6, 10**9) == [], "a yield below one per cent"
    assert look(4, 1_040 * 10**6, 10**9) == [("vault_jump", Severity.WARNING)]
    assert look(5, 1_039 * 10**6, 10**9) == [("vault_share", Severity.CRITICAL)]
    assert look(6, 0, 0) == [], "everyone left"
    assert look(7, 10**6, 10**6) == [], "and someone came"


def test_rounding_of_a_few_units_is_no_loss() -> None:
    guard = Invariants(WATCH)
    guard.observe(vault_at(1, Vault(10**9, 10**9)))
    assert list(guard.observe(vault_at(2, Vault(10**9 - 2, 10**9)))) == []


def pending(whole: Execution) -> Execution:
    """The same, simulated on the block that was read last."""
    return msgspec.structs.replace(waiting(whole), on=Position(17_999_999, "0x17999999"))


def test_what_ran_on_another_state_than_the_last_one_read_proves_nothing() -> None:
    guard = Invariants(WATCH)
    guard.observe(vault_at(17_999_999, Vault(10**9, 10**9)))
    stolen = execution(call(THIEF, "sweep()", sweep(THIEF)))
    assert list(guard.observe(waiting(stolen))) == []
    assert list(guard.observe(msgspec.structs.replace(waiting(stolen), on=Position(17_999_998, "0xolder")))) == []


def sweep(target: str) -> Call:
    return call(VAULT, "rebalance(address,uint256)", move(ASSET, VAULT, target, 4 * 10**8))


def test_assets_swept_out_of_an_idle_vault_are_seen_before_they_are_mined() -> None:
    guard = Invariants(WATCH)
    guard.observe(vault_at(17_999_999, Vault(10**9, 10**9)))
    (found,) = guard.observe(pending(execution(call(THIEF, "sweep()", sweep(THIEF)))))
    assert (found.kind, found.severity, found.tx is not None) == ("vault_share", Severity.CRITICAL, True)


def test_assets_put_to_work_in_the_house_are_not_swept() -> None:
    guard = Invariants({CHAIN: Watch(watched=frozenset((VAULT,)), trusted=frozenset((STRATEGY,)))})
    guard.observe(vault_at(17_999_999, Vault(10**9, 10**9)))
    assert list(guard.observe(execution(sweep(STRATEGY)))) == []


def test_an_unwatched_pool_never_pauses() -> None:
    guard = Invariants({CHAIN: Watch(watched=frozenset())})
    guard.observe(vault_at(1, Vault(10**9, 10**9)))
    (found,) = guard.observe(vault_at(2, Vault(10**8, 10**9)))
    assert found.severity is Severity.WARNING


def test_a_reverted_reading_is_forgotten() -> None:
    guard = Invariants(WATCH)
    for height, assets in ((1, 10**9), (2, 2 * 10**9)):
        guard.observe(block(height))
        guard.observe(vault_at(height, Vault(assets, 10**9)))
    guard.observe(reverted(2, 2))
    guard.observe(block(2, fork="f"))
    assert list(guard.observe(vault_at(2, Vault(10**9, 10**9)))) == []


@given(
    st.sampled_from(("uniswap_v2", "erc4626", "odd")),
    st.lists(st.tuples(*[st.integers(-(2**300), 2**300)] * 7), min_size=2, max_size=4),
)
def test_whatever_a_node_says_of_a_pool_nothing_raises(kind: str, states: list[tuple[int, ...]]) -> None:
    guard = Invariants(WATCH)
    for height, (r0, r1, supply, total, k_last, virtual, fee) in enumerate(states):
        reserves = {ASSET: r0, OTHER: r1} if kind == "uniswap_v2" else {ASSET: r0}
        told = reading(
            PAIR, height, kind, reserves, supply,
            total_assets=total, k_last=k_last, virtual_shares=virtual, virtual_assets=fee, fee_numerator=fee,
        )  # fmt: skip
        list(guard.observe(told))


def test_a_context_alone_teaches_nothing() -> None:
    known = Context(balances={ASSET: {VAULT: 10**9}}, supplies={VAULT: 10**9})
    assert list(Invariants(WATCH).observe(execution(call(THIEF, "s()", move(ASSET, VAULT, THIEF, 1)), context=known))) == []
