"""The gas back-test: which headers it calls recorded wrongly."""

import msgspec

from benchmarks.gas import misrecorded
from tests.support.chain_of_fees import headers

CHAIN = headers(200)


def test_a_chain_that_follows_its_own_rule_has_no_wrong_record() -> None:
    assert misrecorded(CHAIN) == 0


def test_a_limit_that_moves_as_the_protocol_lets_it_is_no_wrong_record() -> None:
    moved = msgspec.structs.replace(CHAIN[100], gas_limit=CHAIN[100].gas_limit + CHAIN[99].gas_limit // 2_048)
    assert misrecorded([*CHAIN[:100], moved, *CHAIN[101:]]) == 0


def test_gas_that_cannot_have_led_to_the_childs_fee_is_one() -> None:
    wrong = msgspec.structs.replace(CHAIN[100], gas_used=CHAIN[100].gas_used // 2)
    assert misrecorded([*CHAIN[:100], wrong, *CHAIN[101:]]) == 1
