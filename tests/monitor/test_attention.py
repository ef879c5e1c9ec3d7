"""Attention: what may touch a watched contract is told without running it."""

import pytest

from detectors.events import Stage, Transaction, Unjudged
from monitor.attention import LOOKED_AT, Attention
from monitor.chains.base import LogEntry
from tests.support.executions import Call, address, call, execution

BANK, ROUTER, THIEF, PAL = map(address, ("bank", "router", "thief", "pal"))


def tx(*, sender: str = THIEF, to: str | None = PAL, data: str = "0x") -> Transaction:
    return Transaction(chain="eip155:1", at=0.0, id="0x1", sender=sender, to=to, value=0, input=data, nonce=0, gas=1, max_fee=1)


def attention() -> Attention:
    return Attention(frozenset((BANK,)))


@pytest.mark.parametrize(
    ("seen", "near"),
    [
        (tx(), False),
        (tx(to=BANK), True),
        (tx(data="0x12345678" + "0" * 24 + BANK[2:]), True),
        (tx(data="0x" + BANK[2:]), True),
        (tx(to=None, data="0x6000" + BANK[2:] + "00"), True),
        (tx(data="0x" + "0" * LOOKED_AT + BANK[2:]), False),
    ],
)
def test_it_is_told_by_recipient_and_call_data(seen: Transaction, *, near: bool) -> None:
    assert attention().near(seen) is near


def test_who_reached_a_watched_contract_is_remembered_and_a_contract_by_its_last_call() -> None:
    watching = attention()
    watching.saw(execution(call(ROUTER, "go()", call(BANK, "withdraw()")), sender=THIEF))
    assert watching.near(tx(sender=THIEF))
    assert watching.near(tx(sender=PAL, to=ROUTER))
    assert watching.needs(ROUTER)
    watching.saw(execution(call(ROUTER, "go()"), sender=PAL))
    assert not watching.near(tx(sender=PAL, to=ROUTER))
    assert watching.near(tx(sender=THIEF)), "a sender is not forgotten for one innocent call"


def test_what_could_not_be_traced_is_named_by_its_logs() -> None:
    def entry(who: str, tx_id: str) -> LogEntry:
        return LogEntry(address=who, topics=(), data="0x", index=0, tx=tx_id, tx_index=0)

    bomb = Unjudged(chain="eip155:1", at=1.0, id="0x1", stage=Stage.INCLUDED, reason="oversize", touches=(PAL,))
    told = attention().told(bomb, [entry(BANK, "0x2"), entry(BANK, "0x1"), entry(ROUTER, "0x1"), entry(BANK, "0x1")])
    assert told.touches == (PAL, BANK)
    assert attention().told(bomb, [entry(BANK, "0x2")]).touches == (PAL,)


def test_a_contract_made_with_the_victims_address_is_feared_whoever_calls_it() -> None:
    watching = attention()
    watching.saw(execution(Call("CREATE", ROUTER, None, ()), sender=PAL), named=True)
    assert watching.near(tx(sender=THIEF, to=ROUTER))
