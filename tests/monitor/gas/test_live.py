"""A chain's fees, live: what every outlook owes its readers, whatever the chain or the node does."""

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from detectors.gas.exact import OpParams, next_op_base_fee
from monitor.config import GasConfig
from monitor.config.layout import BlobRules
from monitor.gas.answers import Question
from monitor.gas.history import Tipped
from monitor.gas.live import Live
from tests.support.chain_of_fees import headers
from tests.support.fees import SEEN_AT, block, fed, live, model

CHAIN = headers(400)


def followed(seen: Live, upto: int = 400, *, start: int = 0) -> Live:
    for header in CHAIN[start:upto]:
        seen.block(block(header, excess_blob_gas=20 << 20, blob_gas_used=3 << 17), SEEN_AT, model=model())
    return seen


def test_the_next_fee_is_the_one_that_comes_every_time() -> None:
    seen = live()
    promised = None
    for header in CHAIN:
        assert promised in {None, header.base_fee}
        outlook = seen.block(block(header), SEEN_AT)
        assert outlook is not None
        promised = outlook.next_fee_wei
    assert seen.take_wrong() == 0


def test_after_a_reorganisation_it_answers_as_if_the_other_branch_had_never_been() -> None:
    other = headers(420, seed=9, first=CHAIN[380].number)[:20]
    blobbed = GasConfig(blobs=(BlobRules(start=0, target=3, most=6, fraction=3338477),))
    torn = followed(live(blobbed), start=250)
    assert torn.reverted(CHAIN[390].number)
    assert torn.reverted(CHAIN[380].number), "told in two parts"
    straight = followed(live(blobbed), 380, start=250)
    for header in other:
        blobs = {"excess_blob_gas": 20 << 20, "blob_gas_used": 3 << 17}
        torn.block(block(header, "b", **blobs), SEEN_AT, model=model())
        straight.block(block(header, "b", **blobs), SEEN_AT, model=model())
    assert torn.outlook is not None
    assert straight.outlook is not None
    assert torn.outlook.blob_wei is not None
    assert (torn.outlook.ahead, torn.outlook.caps, torn.outlook.recent, torn.outlook.blob_wei) == (
        straight.outlook.ahead, straight.outlook.caps, straight.outlook.recent, straight.outlook.blob_wei,
    )  # fmt: skip


def test_pickled_in_the_middle_it_goes_on_as_it_was() -> None:
    half: Live = pickle.loads(pickle.dumps(followed(live(), 200)))  # noqa: S301 - made in this line
    assert followed(half, start=200).outlook == followed(live()).outlook


def test_a_chain_of_other_rules_is_found_out_and_said() -> None:
    seen = live()
    for header in headers(60):
        seen.block(block(header), SEEN_AT)
    strange = block(msgspec.structs.replace(headers(61)[60], base_fee=12_345))
    outlook = seen.block(strange, SEEN_AT)
    assert outlook is not None
    assert "promised" in (outlook.degraded or "")
    assert "chains.ethereum.gas" in (outlook.degraded or "")
    assert seen.take_wrong() == 1


def test_tips_come_with_the_block_they_rest_on_and_a_wrong_blob_fee_ends_what_is_said_of_blobs() -> None:
    seen = live(GasConfig(blobs=(BlobRules(start=0, target=3, most=6, fraction=3338477),)))
    for header in CHAIN[:50]:
        outlook = seen.block(block(header, excess_blob_gas=20 << 20, blob_gas_used=3 << 17), SEEN_AT)
    assert outlook is not None
    assert outlook.blob_wei is not None
    number = CHAIN[49].number
    seen.tipped(Tipped(number, [[1, 2, 3]], outlook.blob_wei.next_fee))
    assert seen.outlook is not None
    assert seen.outlook.blob_wei is not None
    assert (seen.outlook.priority_wei and seen.outlook.priority_wei.number) == number
    seen.tipped(Tipped(number, [[1, 2, 3]], outlook.blob_wei.next_fee + 1))
    assert seen.outlook.blob_wei is None


@pytest.mark.parametrize(
    ("extra", "params"),
    [
        (bytes([0, *(250).to_bytes(4), *(6).to_bytes(4)]), OpParams(6, 250)),
        (bytes([1, *(125).to_bytes(4), *(5).to_bytes(4), *(2_000_000).to_bytes(8)]), OpParams(5, 125, 2_000_000, footprint=True)),
    ],
    ids=["Holocene", "Jovian"],
)
def test_a_rollups_header_says_itself_how_its_fee_moves(extra: bytes, params: OpParams) -> None:
    seen = live(chain="eip155:8453")
    header = CHAIN[0]
    outlook = seen.block(block(header, extra=extra, blob_gas_used=29_000_000, excess_blob_gas=0), SEEN_AT)
    assert outlook is not None
    wanted = next_op_base_fee(header.base_fee, header.gas_used, header.gas_limit, params, 29_000_000)
    assert (outlook.next_fee_wei, outlook.blob_wei) == (wanted, None)


def test_on_ethereum_extra_data_is_the_builders_and_means_nothing() -> None:
    extra = bytes([0, *(250).to_bytes(4), *(6).to_bytes(4)])
    outlook = live().block(block(CHAIN[0], extra=extra), SEEN_AT)
    assert outlook is not None
    assert outlook.next_fee_wei == CHAIN[1].base_fee


def test_a_chain_without_base_fees_has_no_outlook_and_nothing_breaks() -> None:
    assert live(GasConfig(denominator=64)).block(block(CHAIN[0], base_fee=None), SEEN_AT) is None


@given(deadline=some.integers(0, 1800), low=some.floats(0, 1), high=some.floats(0, 1))
def test_the_more_urgent_the_more_is_released(deadline: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    patient, _ = fed().advise(Question(deadline=deadline, urgency=low), None)
    urgent, _ = fed().advise(Question(deadline=deadline, urgency=high), None)
    assert 0.0 <= patient.release <= urgent.release <= 1.0
    assert urgent.send or not patient.send


@given(cap=some.floats(0, 1e4), more=some.floats(0, 1e4), within=some.integers(1, 50))
def test_a_higher_cap_never_lowers_the_chance_and_one_block_is_easier_than_all(cap: float, more: float, within: int) -> None:
    _, lower = fed().advise(Question(cap=cap, within=within), None)
    _, higher = fed().advise(Question(cap=cap + more, within=within), None)
    assert lower is not None
    assert higher is not None
    assert 0.0 <= lower.probability <= higher.probability <= 1.0
    assert lower.throughout <= lower.probability
    assert lower.throughout <= higher.throughout


def test_a_doubted_forecast_advises_to_send() -> None:
    advised, _ = fed().advise(Question(deadline=300), "no block for 90 s")
    assert (advised.send, advised.reason, advised.release) == (True, "no block for 90 s", 1.0)


def test_what_was_said_is_held_against_what_came() -> None:
    lived = fed().board.lived()
    assert lived[2].scored == 598
    assert lived[300].scored == 300
    for horizon in (2, 5, 10):
        assert 0.6 < lived[horizon].coverage80 < lived[horizon].coverage95 <= 1.0
        assert lived[horizon].pinball > 0.0
    mase = lived[25].mase
    assert mase is not None
    assert mase < 1.2
