"""The story of a party: evidence adds up, honest habits do not, and a story never pauses."""

from msgspec.structs import replace

from detectors.base import Watch
from detectors.execution import Execution
from detectors.risk import MIXERS, Risk
from tests.support.executions import ETHER, NATIVE, Call, address, call, create, execution
from tests.support.pools import CHAIN, block, place, reading, reverted

BANK, THIEF, TOOL, ROUTER, ALICE = map(address, ("bank", "thief", "tool", "router", "alice"))
WATCH = {CHAIN: Watch(watched=frozenset({BANK}), trusted=frozenset({ROUTER}))}
MIXER = min(MIXERS)


def guard() -> Risk:
    made = Risk(WATCH)
    made.observe(block(1))
    made.observe(reading(BANK, 1, "holdings", {NATIVE: 100 * ETHER}))
    return made


def at(height: int, whole: Execution) -> Execution:
    return replace(whole, position=place(height), at=12.0 * height, tx=f"0x{height:064x}")


def paid() -> Execution:
    return at(1, execution(call(MIXER, "withdraw()", call(THIEF, value=ETHER)), sender=address("relayer")))


def made() -> Execution:
    return at(1, execution(create(TOOL), sender=THIEF))


def probe(n: int, *, root: str = TOOL, sender: str = THIEF) -> Execution:
    return at(n, execution(call(root, "go()", call(BANK, "withdraw()", ok=False), ok=False), sender=sender))


def robs(n: int, amount: int) -> Execution:
    inner: Call = call(BANK, "withdraw()", call(TOOL, value=amount))
    return at(n, execution(call(TOOL, "go()", inner), sender=THIEF))


def scores(risk: Risk, *deeds: Execution) -> list[float]:
    return [f.confidence for deed in deeds for f in risk.observe(deed)]


def test_funding_making_and_probing_add_up_to_a_warning_before_anything_is_lost() -> None:
    found = scores(guard(), paid(), made(), probe(2), probe(3))
    assert found == sorted(found)
    assert 0.5 <= found[-1] < 0.8


def test_value_that_moves_makes_it_louder_and_still_never_pauses() -> None:
    risk = guard()
    before = scores(risk, paid(), made(), probe(2), probe(3))
    (after,) = scores(risk, robs(4, 60 * ETHER))
    assert max(before) < after < 0.8


def test_failures_through_a_router_and_of_plain_calls_are_everybody_s() -> None:
    deeds = [probe(n, root=ROUTER, sender=ALICE) for n in range(9)]
    deeds += [at(n, execution(call(BANK, "withdraw()", ok=False), sender=ALICE)) for n in range(9)]
    assert scores(guard(), *deeds) == []


def test_a_contract_made_and_used_honestly_is_no_story() -> None:
    honest = at(2, execution(call(TOOL, "go()", call(BANK, "deposit()", value=ETHER), value=ETHER), sender=THIEF))
    assert scores(guard(), made(), honest) == []


def test_what_is_a_day_old_is_forgotten() -> None:
    risk = guard()
    scores(risk, paid(), made())
    risk.observe(block(8_000))
    assert scores(risk, probe(8_000)) == []


def test_a_reverted_block_takes_its_part_of_the_story_back() -> None:
    risk = guard()
    scores(risk, made())
    for fork in ("", "f"):
        for height in (2, 3):
            risk.observe(block(height, fork))
            assert scores(risk, probe(height)) == []
        if not fork:
            risk.observe(reverted(2, 3))
    assert len(scores(risk, probe(3))) == 1, "the third failure that stands"
