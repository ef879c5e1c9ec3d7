"""The forecaster through its life: cold, fitted, reorganised, holed, lied to."""

import pickle
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.gas.advice import LONGEST, REMAINING, fit_stopping
from detectors.gas.calibration import CAP_BLOCKS
from detectors.gas.doubts import SHAKEN_FOR
from detectors.gas.features import HORIZONS, Features, Header
from detectors.gas.fitting import LEAST, Effort, fit
from detectors.gas.forecast import CONGESTED, Forecast, Forecaster
from detectors.gas.model import Model
from tests.support.chain_of_fees import headers

CHAIN = headers(4_000)


def history(chain: list[Header]) -> tuple[np.ndarray, np.ndarray]:
    features, vectors, x = Features(), [], []
    for header in chain:
        vectors.append(features.observe(header).astype(np.float32))
        x.append(features.x)
    return np.stack(vectors), np.array(x)


@pytest.fixture(scope="module")
def model() -> Model:
    vectors, x = history(CHAIN[:2_600])
    return fit(vectors, x, CHAIN[0].number, CHAIN[2_599].number)


@pytest.fixture(scope="module")
def network() -> Model:
    vectors, x = history(headers(15_200, seed=4))
    return fit(vectors, x, 0, len(x), Effort(hidden=(16,), epochs=2))


@pytest.fixture(scope="module")
def remembered(model: Model) -> bytes:
    return pickle.dumps(run(CHAIN[:3_000], model))


@pytest.fixture
def lived(remembered: bytes) -> Forecaster:
    """One that has seen the first 3,000 headers, fitted."""
    forecaster: Forecaster = pickle.loads(remembered)  # noqa: S301 - our own bytes
    return forecaster


def run(chain: list[Header], model: Model | None = None, at: int = 2_600) -> Forecaster:
    forecaster = Forecaster()
    for index, header in enumerate(chain):
        if index == at and model is not None:
            forecaster.adopt(model)
        forecaster.observe(header)
    return forecaster


def sound(forecast: Forecast | None) -> Forecast:
    """Nothing wrong-sided, nothing that is not a number, nothing beyond what blocks can do."""
    assert forecast is not None
    fee = forecast.next_fee / 1e9
    for blocks, (point, *edges) in forecast.ahead.items():
        line = [edges[0], edges[1], point, edges[2], edges[3]]
        assert np.isfinite(line).all()
        assert all(low <= high * (1 + 1e-12) for low, high in pairwise(line)), (blocks, line)
        if forecast.next_fee >= 1_000:
            assert line[0] >= fee * 0.875 ** (blocks - 1) * (1 - 1e-9)
            assert line[-1] <= fee * 1.125 ** (blocks - 1) * (1 + 1e-9)
    for caps in forecast.caps.values():
        assert fee * (1 - 1e-12) <= caps[0] <= caps[1] <= caps[2]
    assert np.isfinite(list(forecast.reservation.values())).all()
    return forecast


def test_the_first_header_already_has_an_exact_next_fee_and_says_that_nothing_is_fitted() -> None:
    forecast = sound(Forecaster().observe(CHAIN[0]))
    assert forecast.next_fee == CHAIN[1].base_fee
    assert forecast.ahead[1][0] == CHAIN[1].base_fee / 1e9
    assert set(forecast.ahead) == {1, *HORIZONS}
    assert set(forecast.caps) == set(CAP_BLOCKS)
    assert forecast.degraded is not None
    assert "nothing fitted" in forecast.degraded


def test_every_answer_is_sound_from_the_first_header_on(model: Model) -> None:
    forecaster = Forecaster()
    for index, header in enumerate(CHAIN[:3_000]):
        if index == 2_600:
            forecaster.adopt(model)
        sound(forecaster.observe(header))
    assert forecaster.forecast is not None
    assert forecaster.forecast.degraded is None
    assert set(forecaster.forecast.reservation) == set(REMAINING)


def test_two_thousand_headers_are_enough_to_be_calibrated_without_any_fit() -> None:
    forecaster, inside = Forecaster(), []
    answers = [sound(forecaster.observe(header)) for header in CHAIN]
    for at in range(2_000, 3_900):
        _, _, low, high, _ = answers[at].ahead[5]
        inside.append(low <= CHAIN[at + 5].base_fee / 1e9 <= high)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.03)


def test_the_very_first_intervals_are_not_too_sure() -> None:
    """A volatility that began at nothing would have half of the answers of the first ten minutes outside."""
    inside = []
    for seed in range(30):
        forecaster, chain = Forecaster(), headers(60, seed=seed)
        answers = [sound(forecaster.observe(header)) for header in chain]
        inside += [answers[at].ahead[5][2] <= chain[at + 5].base_fee / 1e9 <= answers[at].ahead[5][3] for at in range(5, 50)]
    assert 0.75 < np.mean(inside) < 0.95


def test_a_fitted_model_beats_persistence_on_blocks_it_never_saw(model: Model) -> None:
    forecaster, ours, stay = Forecaster(), [], []
    for index, header in enumerate(CHAIN[:-2]):
        if index == 2_600:
            forecaster.adopt(model)
        forecast = forecaster.observe(header)
        if index >= 2_700 and forecast is not None:
            truth = CHAIN[index + 2].base_fee / 1e9
            ours.append(abs(forecast.ahead[2][0] - truth))
            stay.append(abs(forecast.next_fee / 1e9 - truth))
    assert np.mean(ours) < 0.8 * np.mean(stay)


@pytest.mark.parametrize("depth", [1, 20, 64])
def test_after_a_reorganisation_every_answer_is_that_of_a_fresh_replay(lived: Forecaster, model: Model, depth: int) -> None:
    kept = CHAIN[: 3_000 - depth]
    other = headers(depth + 30, seed=8, first=CHAIN[3_000 - depth].number, base_fee=CHAIN[3_000 - depth].base_fee)
    reorganised, fresh = lived, run(kept, model)
    for header in other:
        assert reorganised.observe(header) == fresh.observe(header)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30), st.integers(0, 2**16)), min_size=1, max_size=4))
def test_after_any_reorganisations_answers_are_those_of_a_fresh_run(turns: list[tuple[int, int, int]]) -> None:
    """Each turn reverts so many headers and grows another branch, shorter or longer, with missed slots of its own."""
    chain, forecaster = CHAIN[:120], run(CHAIN[:120])
    for depth, growth, seed in turns:
        at = len(chain) - min(depth, 40, len(chain) - 1)
        branch = headers(growth + 1, seed=seed, first=chain[at].number, base_fee=chain[at].base_fee, missed=0.2)
        chain = [*chain[:at], *branch]
        for header in branch:
            told = forecaster.observe(header)
    assert told == run(chain).forecast
    assert (forecaster.features.vector == run(chain).features.vector).all()


def test_a_reorganisation_past_the_adoption_gives_the_old_model_back(model: Model) -> None:
    forecaster = run(CHAIN[:2_610], model)
    assert forecaster.model is model
    assert forecaster.rewind(CHAIN[2_590].number)
    assert forecaster.model is not model


def test_a_rush_leaves_the_forecast_by_many_widths_and_an_ordinary_hour_does_not(lived: Forecaster) -> None:
    ordinary = max(sound(lived.observe(header)).surprise for header in CHAIN[3_000:3_100])
    header = CHAIN[3_099]
    for _ in range(40):
        fee = lived.features.next_fee
        header = Header(header.number + 1, header.timestamp + 12, fee, header.gas_limit, header.gas_limit)
        lived.observe(header)
    assert ordinary < CONGESTED
    assert sound(lived.forecast).surprise > CONGESTED


def test_a_header_told_twice_changes_nothing(lived: Forecaster, model: Model) -> None:
    before = lived.forecast
    assert lived.observe(CHAIN[2_999]) == before
    assert lived.observe(CHAIN[3_000]) == run(CHAIN[:3_001], model).forecast


def test_a_reorganisation_too_deep_is_said_and_changes_nothing(lived: Forecaster) -> None:
    told = sound(lived.observe(CHAIN[2_000]))
    assert told.degraded is not None
    assert "deeper" in told.degraded
    assert lived.features.number == CHAIN[2_999].number


def test_a_hole_of_a_hundred_headers_is_said_aloud_for_a_while(lived: Forecaster) -> None:
    said = [sound(lived.observe(header)).degraded for header in CHAIN[3_100 : 3_100 + SHAKEN_FOR + 1]]
    assert said[0] is not None
    assert "hole" in said[0]
    assert said[-2] is not None
    assert said[-1] is None


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"timestamp": CHAIN[2_999].timestamp - 60}, "went back"),
        ({"timestamp": CHAIN[2_999].timestamp + 86_400}, "an hour or more"),
        ({"gas_limit": 60_000_000}, "gas limit"),
        ({"base_fee": 1}, "steps of one"),
    ],
)
def test_what_is_odd_in_a_header_is_said_and_the_answer_stays_sound(lived: Forecaster, odd: dict[str, int], said: str) -> None:
    told = sound(lived.observe(msgspec.structs.replace(CHAIN[3_000], **odd)))
    assert said in str(told.degraded)


def test_a_doubt_taken_back_with_its_header_is_not_said_again(lived: Forecaster, model: Model) -> None:
    lived.observe(msgspec.structs.replace(CHAIN[3_000], gas_limit=60_000_000))
    assert lived.observe(CHAIN[3_000]) == run(CHAIN[:3_001], model).forecast


@pytest.mark.parametrize("part", ["linear", "network"])
def test_a_model_of_no_numbers_is_not_asked_twice(network: Model, part: str) -> None:
    """NaN in any coefficient: the moving averages answer, and it is said who could not."""
    if part == "linear":
        bad = msgspec.structs.replace(network, linear=msgspec.structs.replace(network.linear, constant=np.full(8, np.nan)))
    else:
        assert network.network is not None
        biases = [np.full_like(bias, np.nan) for bias in network.network.biases]
        bad = msgspec.structs.replace(network, network=msgspec.structs.replace(network.network, biases=biases))
    told = sound(run(CHAIN[:3_000], bad).forecast)
    assert told.degraded == "the network model gave no numbers"
    assert told.reservation == {}


@pytest.mark.parametrize("field", ["number", "timestamp", "base_fee", "gas_used", "gas_limit"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_not_a_number_anywhere_in_a_header_is_refused(field: str, value: float | None) -> None:
    forecaster = run(CHAIN[:100])
    told = forecaster.observe(msgspec.structs.replace(CHAIN[100], **{field: value}))
    assert told is not None
    assert told.degraded == "a header that cannot be"
    assert forecaster.observe(CHAIN[100]) == run(CHAIN[:101]).forecast


@pytest.mark.parametrize("lie", [{"base_fee": -1}, {"gas_used": 2**63}, {"timestamp": -5}, {"gas_limit": -1}])
def test_a_header_that_cannot_be_is_refused_and_the_last_answer_stands(lie: dict[str, int]) -> None:
    forecaster = run(CHAIN[:100])
    before = forecaster.forecast
    told = forecaster.observe(msgspec.structs.replace(CHAIN[100], **lie))
    assert told is not None
    assert before is not None
    assert told.ahead == before.ahead
    assert told.degraded == "a header that cannot be"
    assert forecaster.observe(CHAIN[100]) == run(CHAIN[:101]).forecast


@pytest.mark.parametrize("kind", ["model", "network"])
def test_the_gas_limit_doubles_and_answers_stay_sound(kind: str, request: pytest.FixtureRequest) -> None:
    forecaster = run(CHAIN[:3_000], request.getfixturevalue(kind))
    first, fee = CHAIN[3_000].number, CHAIN[3_000].base_fee
    for header in headers(200, seed=3, first=first, base_fee=fee, limit=60_000_000):
        assert sound(forecaster.observe(header)).next_fee > 0


@pytest.mark.parametrize("fee", [0, 1, 7, 900])
def test_a_fee_of_a_few_wei_is_no_reason_to_fail(network: Model, fee: int) -> None:
    forecaster = Forecaster()
    forecaster.adopt(network)
    chain = headers(300, base_fee=fee)
    for header, child in pairwise(chain):
        forecast = sound(forecaster.observe(header))
        assert forecast.next_fee == child.base_fee
        if forecast.next_fee:
            assert forecast.ahead[2][4] >= 0
    assert forecaster.forecast is not None


def test_a_network_corrects_and_its_intervals_are_its_own(network: Model) -> None:
    assert network.name == "network"
    forecaster = run(headers(3_000, seed=11), network, at=100)
    wide = [sound(forecaster.observe(h)).ahead[5] for h in headers(3_200, seed=11)[3_000:]]
    assert len({round(high / low, 6) for _, _, low, high, _ in wide}) > 100, "the width follows the state"


def test_a_model_survives_the_way_between_processes(network: Model) -> None:
    again = pickle.loads(pickle.dumps(network))  # noqa: S301 - our own bytes
    vector = history(CHAIN[:50])[0][-1].astype(np.float64)
    assert (again.predict(vector, 50).points == network.predict(vector, 50).points).all()


def test_a_fit_on_too_little_is_refused() -> None:
    vectors, x = history(CHAIN[: LEAST - 1])
    with pytest.raises(ValueError, match=f"{LEAST} headers"):
        fit(vectors, x, 0, 1)


def test_waiting_pays_where_the_fee_is_about_to_fall_and_not_where_it_rises() -> None:
    """A sawtooth: the fee halves over thirty blocks and doubles over the next thirty; forecasts say which half it is."""
    count = 6_000
    phase = np.arange(count) % 60
    x = np.where(phase < 30, -phase, phase - 60) / 30 * np.log(2)
    falling = np.where(phase < 30, -0.1, 0.1)
    points, edges = np.repeat(falling[:, None], len(HORIZONS), axis=1), np.zeros((count, 47))
    stopping = fit_stopping(points, edges, x, np.arange(100, count - LONGEST))
    at = REMAINING.index(8)
    assert stopping.waiting(points[5], edges[5])[at] < 0.9
    assert stopping.waiting(points[35], edges[35])[at] > 1.0
