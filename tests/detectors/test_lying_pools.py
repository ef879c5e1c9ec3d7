"""Pools and tokens that lie: whatever they say of themselves, nothing raises, and findings stay numbers within bounds."""

from collections.abc import Iterable
from math import isfinite
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import discover
from detectors.base import Detector, Finding, Watch
from detectors.events import Event, PoolState, Position, Price
from detectors.execution import Execution
from detectors.execution.ledger import ZERO
from detectors.invariants.states import SYNC, Numbers
from detectors.manipulation.swings import SWAP_V3
from monitor.feeds.pools import KINDS, Pools
from tests.support.bytecode import chain
from tests.support.executions import ETHER, address, balance_of, call, execution, log, move, static
from tests.support.pools import CHAIN, block, committed, place

POOL, LENDER, THIEF, LIAR, COIN = map(address, ("pool", "lender", "thief", "liar", "coin"))
WATCH = {CHAIN: Watch(watched=frozenset({POOL, LENDER}))}
MOST = 2**256 - 1
RULES = {POOL: ["debt <= 0.8 * supply", "supply / debt never falls"]}
NAMES = ("k_last", "fee_shares", "fee_numerator", "fee_denominator", "total_assets", "virtual_assets", "virtual_shares",
         "virtual_price", "fee_growth0", "fee_growth1", "sqrt_price", "liquidity", "owner0", "debt")  # fmt: skip

amounts = st.one_of(st.sampled_from((0, 1, 2, MOST, MOST - 1, 2**255, 2**112 - 1, 10**18)), st.integers(0, MOST))
assets = st.sampled_from((LIAR, COIN, "native", "\x00\x1b[31m\u202e\n", "x" * 300, ""))


def everybody() -> list[Detector]:
    """Each detector, watching; invariants with rules of an operator, too."""
    made = [kind(WATCH) for kind in discover().values()]  # type: ignore[call-arg]
    return [*made, discover()["invariants"](WATCH, accounts=RULES)]  # type: ignore[call-arg]


def told(detectors: Iterable[Detector], events: Iterable[Event]) -> list[Finding]:
    """Everything that is found, each checked for bounds."""
    found = []
    for event in events:
        for detector in detectors:
            if isinstance(event, detector.wants):
                found += [made for made in detector.observe(event) if isinstance(made, Finding)]
    for made in found:
        assert 0.0 <= made.confidence <= 1.0
        assert len(made.title) < 2_000
        assert all(not isinstance(value, float) or isfinite(value) for value in made.evidence.values()), made.evidence
        assert msgspec.json.decode(msgspec.json.encode(made), type=Finding) == made
    return found


@st.composite
def readings(draw: st.DrawFn) -> list[PoolState]:
    """A few looks at one pool of one kind, each saying what it likes."""
    kind = draw(st.sampled_from((*KINDS, "unheard of", "")))
    return [
        PoolState(
            chain=CHAIN,
            at=12.0 * height,
            position=place(height),
            pool=POOL,
            kind=kind,
            reserves=draw(st.dictionaries(assets, amounts, max_size=3)),
            supply=draw(amounts),
            extra=draw(st.dictionaries(st.sampled_from(NAMES), amounts, max_size=6)),
        )
        for height in range(1, 5)
    ]


@st.composite
def deeds(draw: st.DrawFn) -> Execution:
    """A transaction that pushes the pool, has a lender look, and is paid, in tokens that say anything."""
    n = [draw(amounts) for _ in range(9)]
    push = call(POOL, "swap()", move(LIAR, POOL, THIEF, n[0]), log(SYNC, data=n[1:3]), log(SWAP_V3, "0x", "0x", data=n[3:8]))
    look = call(
        LENDER, "borrow(uint256)",
        static(POOL, "0x0902f1ac", returns=n[1]), static(POOL, "0x3850c7bd", returns=n[5]), balance_of(LIAR, POOL, n[2]),
        move(COIN, LENDER, THIEF, n[7]),
    )  # fmt: skip
    odd = log(draw(st.sampled_from((SYNC, SWAP_V3, "", "0x00"))), data=n[: draw(st.integers(0, 5))])
    shares = call(POOL, "burn()", odd, move(POOL, THIEF, ZERO, n[8]))
    whole = [push, look, call(POOL, "swap()", move(COIN, THIEF, POOL, n[4]), log(SYNC, data=n[6:8])), shares]
    return execution(call(THIEF, "go()", *whole, move(LIAR, THIEF, POOL, n[8])), logged=draw(st.booleans()))


@given(looks=readings(), done=st.lists(deeds(), max_size=3), price=st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=60, deadline=None)
def test_whatever_a_pool_says_findings_are_numbers_within_bounds(
    looks: list[PoolState], done: list[Execution], price: float
) -> None:
    events: list[Event] = []
    for height, look in enumerate(looks, 1):
        events += [block(height), *(msgspec.structs.replace(deed, position=place(height)) for deed in done), look]
        events += [Price(chain=CHAIN, at=1.0, position=place(height), token=LIAR, value=price), committed(height)]
    told(everybody(), events)


@pytest.mark.parametrize("number", [0, 1, 255, MOST])
async def test_a_contract_that_answers_the_same_to_everything_is_read_or_unread_and_judged_without_harm(number: int) -> None:
    """Real bytecode that returns one word, whatever it is asked: decimals, symbol, reserves, owner, coins."""
    async with chain() as node:
        liar = (await node.deploy("7f", number.to_bytes(32, "big"), "5f52", "60205ff3")).lower()
        head = await node.ask("eth_getBlockByNumber", "latest", *[False])
        here = Position(int(head["number"], 16), head["hash"], head["parentHash"])
        for kind in KINDS.values():
            pools = Pools(node.rpc, "eip155:31337", [kind.of(liar, (liar,), {"debt": "0xdeadbeef"})])
            states = [*(await pools.read(here, 1.0)), *(await pools.read(here, 2.0))]
            assert bool(states) != bool(pools.unread)
            told(everybody(), [msgspec.structs.replace(state, chain=CHAIN, pool=POOL) for state in states])


def test_every_kind_of_number_is_among_the_lies() -> None:
    assert len(get_args(Numbers)) == 5


def test_a_symbol_full_of_control_characters_never_reaches_a_finding() -> None:
    """Nothing of a token's own words is read: findings name addresses."""
    hostile = "\x1b[2J\u202eevil\n"
    whole = execution(call(THIEF, "go()", call(POOL, "pay()", move(COIN, POOL, THIEF, 50 * ETHER)), static(COIN, "symbol()")))
    frames = [msgspec.structs.replace(f, output=hostile, error=hostile) for f in whole.frames]
    look = PoolState(chain=CHAIN, at=1.0, position=place(1), pool=POOL, kind="holdings", reserves={COIN: 100 * ETHER})
    found = told(everybody(), [block(1), look, msgspec.structs.replace(whole, frames=frames)])
    assert {made.kind for made in found} >= {"outflow"}
    assert hostile not in repr(found)
