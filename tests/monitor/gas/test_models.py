"""Models in the journal: back bit for bit, and refused when they are not what was written."""

import msgspec
import numpy as np
import pytest

from detectors.gas.fitting import NETWORK_FROM
from detectors.gas.network import Network
from monitor.gas.models import KIND, GasModel, ModelUnreadable, Newest, recorded, restored
from monitor.journal.base import Draft, encode, genesis, seal
from tests.support.fees import CHAIN, fed, model


def test_a_model_comes_back_bit_for_bit_with_the_blocks_it_saw() -> None:
    record = recorded(CHAIN, model())
    again = restored(msgspec.json.decode(encode(record), type=GasModel))
    vector = fed().forecaster.features.vector
    for ours, theirs in zip(model().answers(vector), again.answers(vector), strict=True):
        assert (ours == theirs).all()
    assert (again.first, again.last) == (model().first, model().last)
    assert again.stopping is not None


def test_a_network_comes_back_too() -> None:
    draw = np.random.default_rng(0)
    parts = [draw.standard_normal((3, 4)).astype(np.float32), draw.standard_normal((4, 2)).astype(np.float32)]
    with_network = msgspec.structs.replace(
        model(), network=Network(parts, [np.zeros(4, np.float32), np.ones(2, np.float32)]),
        mean=np.zeros(3, np.float32), scale=np.ones(3, np.float32), unit=np.ones(2, np.float32),
    )  # fmt: skip
    again = restored(recorded(CHAIN, with_network))
    assert again.name == "network"
    assert again.network is not None
    assert all((ours == theirs).all() for ours, theirs in zip(parts, again.network.weights, strict=True))
    assert NETWORK_FROM > 0


def test_changed_coefficients_are_refused() -> None:
    record = recorded(CHAIN, model())
    with pytest.raises(ModelUnreadable, match="not those"):
        restored(msgspec.structs.replace(record, coefficients=record.coefficients[:-9] + record.coefficients[-8:]))


def test_the_newest_of_each_chain_is_picked_as_the_journal_passes_by() -> None:
    older = GasModel(chain=CHAIN, name="linear", first=1, last=2, digest="", coefficients=b"")
    newer = msgspec.structs.replace(older, last=3)
    other = msgspec.structs.replace(older, chain="eip155:10")
    drafts = [Draft(kind=KIND, at=0.0, by="gas", body=encode(one)) for one in (older, other, newer)]
    records = [seal(draft, at, genesis(1)) for at, draft in enumerate(drafts, 1)]
    newest = Newest()
    assert list(newest.passing(records)) == records
    assert newest.models == {CHAIN: newer, "eip155:10": other}
