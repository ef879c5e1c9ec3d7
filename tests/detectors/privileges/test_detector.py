"""Power that changes hands, the house and its own pool; and announced upgrades, whales and paid mints."""

import pytest
from eth_utils.crypto import keccak
from msgspec.structs import replace

from detectors.base import Finding, Watch
from detectors.execution import Context, Execution
from detectors.execution.ledger import TRANSFER, ZERO
from detectors.privileges import Privileges
from detectors.privileges.changes import SIGNS, SLOTS
from tests.support.executions import ETHER, Call, address, call, execution, log, move, pending, sstore, word
from tests.support.pools import CHAIN, block, place, reading

BANK, PAIR, OWNER, THIEF, ALICE, ISSUER = map(address, ("bank", "pair", "owner", "thief", "alice", "issuer"))
COIN, DOLLAR = map(address, ("coin", "dollar"))
ROUTER = address("router")
WATCH = {CHAIN: Watch(watched=frozenset({BANK, PAIR}), trusted=frozenset({ROUTER}))}
MILLION = 10**6 * ETHER
UPGRADED = "0x" + keccak(text="Upgraded(address)").hex()
EVENTS = {
    "Upgraded(address)", "BeaconUpgraded(address)", "NewImplementation(address,address)", "AdminChanged(address,address)",
    "NewAdmin(address,address)", "OwnershipTransferred(address,address)", "AddedOwner(address)", "EnabledModule(address)",
    "RoleGranted(bytes32,address,address)", "MinterAdded(address)", "PauserAdded(address)", "NewPriceOracle(address,address)",
    "Paused(address)",
}  # fmt: skip


def guard(house: str | None = None, **settings: object) -> Privileges:
    made = Privileges(WATCH, **settings)  # type: ignore[arg-type]
    made.observe(block(1))
    made.observe(reading(BANK, 1, "holdings", {DOLLAR: MILLION}))
    owner = None if house is None else int(house, 16)
    made.observe(reading(PAIR, 1, "uniswap_v2", {COIN: MILLION, DOLLAR: MILLION}, MILLION, owner0=owner))
    return made


def at(height: int, whole: Execution) -> Execution:
    return replace(whole, position=place(height), at=12.0 * height, tx=f"0x{height:064x}")


def told(made: Privileges, *deeds: Execution) -> list[Finding]:
    found: list[Finding] = []
    for deed in deeds:
        if deed.position is not None:
            made.observe(block(deed.position.height))
        found += [said for said in made.observe(deed) if isinstance(said, Finding)]
    return found


def upgrade(by: str = OWNER) -> Execution:
    return execution(call(BANK, "upgradeTo(address)", log(UPGRADED, "0x" + word(THIEF))), sender=by)


def pays(to: str, amount: int, by: str) -> Execution:
    return execution(call(BANK, "pay()", move(DOLLAR, BANK, to, amount)), sender=by)


def minted(to: str, amount: int, *paid: Call) -> Call:
    return call(COIN, "mint()", *paid, log(TRANSFER, "0x" + word(ZERO), "0x" + word(to), data=(amount,)))


def sale(seller: str, amount: int, out: int, *before: Call) -> Execution:
    trade = call(PAIR, "swap()", move(COIN, seller, PAIR, amount), move(DOLLAR, PAIR, seller, out))
    return execution(call(seller, "go()", *before, trade), sender=seller)


def pull(by: str, part: int) -> Execution:
    burn = log(TRANSFER, "0x" + word(by), "0x" + word(ZERO), data=(MILLION * part // 100,))
    back = [move(token, PAIR, by, MILLION * part // 100) for token in (COIN, DOLLAR)]
    return execution(call(PAIR, "burn(address)", burn, *back), sender=by)


def test_every_sign_is_the_topic_of_its_event() -> None:
    assert SIGNS.keys() == {"0x" + keccak(text=event).hex() for event in EVENTS}
    names = ("eip1967.proxy.implementation", "eip1967.proxy.admin", "eip1967.proxy.beacon")
    assert SLOTS.keys() == {int.from_bytes(keccak(text=name), "big") - 1 for name in names}


def test_a_change_warns_and_what_then_goes_to_the_powerful_pauses() -> None:
    change, theft = told(guard(), at(2, upgrade()), at(3, pays(THIEF, MILLION // 50, THIEF)))
    assert (change.kind, change.confidence) == ("changed", 0.55)
    assert (theft.kind, theft.confidence >= 0.8, theft.evidence["to_the_powerful"]) == ("after_change", True, 1)
    assert theft.evidence["changed_in"] == change.tx


def test_a_change_told_by_its_slot_alone_is_a_change() -> None:
    slot = next(iter(SLOTS))
    quiet = execution(call(BANK, "own_set()", sstore(slot, int(THIEF, 16))), sender=OWNER)
    assert [made.kind for made in told(guard(), pending(quiet))] == ["changed"]


def test_business_as_before_is_not_suspected_until_it_is_a_tenth() -> None:
    made = guard()
    told(made, at(2, upgrade()))
    quiet = [f for n in range(5) for f in told(made, at(3 + n, pays(ALICE, MILLION // 60, ALICE)))]
    assert quiet == []
    (loud,) = told(made, at(9, pays(ALICE, MILLION // 20, ALICE)))
    assert 0.5 <= loud.confidence < 0.8


def test_after_a_day_the_change_is_forgotten() -> None:
    assert [f.kind for f in told(guard(), at(2, upgrade()), at(9_000, pays(THIEF, MILLION // 50, THIEF)))] == ["changed"]


def test_what_was_announced_is_information_and_never_pauses() -> None:
    made = guard(announced={BANK: 4e9})
    found = told(made, at(2, upgrade()), at(3, pays(THIEF, MILLION // 50, THIEF)))
    assert [(f.kind, f.severity.value) for f in found] == [("changed", "info"), ("after_change", "warning")]


@pytest.mark.parametrize("apart", [False, True])
def test_paper_sold_for_money_pauses(*, apart: bool) -> None:
    if apart:
        deeds = [at(2, execution(minted(THIEF, MILLION), sender=THIEF)), at(3, sale(THIEF, MILLION, MILLION // 2))]
    else:
        deeds = [at(2, sale(THIEF, MILLION, MILLION // 2, minted(THIEF, MILLION)))]
    (made,) = told(guard(), *deeds)
    assert (made.kind, made.subject, made.confidence >= 0.8) == ("paper", PAIR, True)


def test_paper_made_and_sold_at_once_pauses_by_its_own_trace_where_no_pool_is_read() -> None:
    """A recorded trace: what the pool held is only what its token said."""
    alone = Privileges({CHAIN: Watch(watched=frozenset({PAIR}))})
    held = Context(balances={DOLLAR: {PAIR: MILLION}, COIN: {PAIR: MILLION}})

    def judged(deed: Execution) -> list[tuple[str, str]]:
        return [(f.kind, f.subject) for f in alone.observe(replace(deed, context=held)) if isinstance(f, Finding)]

    assert judged(sale(THIEF, MILLION, MILLION // 2, minted(THIEF, MILLION))) == [("paper", PAIR)]
    assert judged(sale(THIEF, MILLION, MILLION // 2)) == []
    assert judged(sale(THIEF, MILLION, MILLION // 50, minted(THIEF, MILLION))) == [], "a reward sold is a trade"


def test_what_was_paid_for_when_it_was_minted_and_what_was_held_before_is_no_paper() -> None:
    paid = minted(THIEF, MILLION, move(address("other"), THIEF, ISSUER, MILLION))
    assert told(guard(), at(2, sale(THIEF, MILLION, MILLION // 2, paid))) == []
    assert told(guard(), at(2, sale(ALICE, MILLION, MILLION // 2))) == []


def test_liquidity_pulled_by_the_house_warns_and_by_anybody_else_informs() -> None:
    assert [f.severity.value for f in told(guard(OWNER), at(2, pull(OWNER, 80)))] == ["warning"]
    assert [f.severity.value for f in told(guard(OWNER), at(2, pull(ALICE, 80)))] == ["info"]
    assert told(guard(OWNER), at(2, pull(OWNER, 30))) == []


def test_liquidity_put_to_work_again_takes_the_warning_back() -> None:
    elsewhere = address("elsewhere")
    again = execution(
        call(ROUTER, "addLiquidity()", *(move(t, OWNER, elsewhere, MILLION // 2) for t in (COIN, DOLLAR))), sender=OWNER
    )
    first, second = told(guard(OWNER), at(2, pull(OWNER, 80)), at(3, again))
    assert (first.id, second.id, second.severity.value) == (first.id, first.id, "info")
