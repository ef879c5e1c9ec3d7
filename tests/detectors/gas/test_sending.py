"""Advice: urgency beats price, doubt means send, and chances agree with the answers they come from."""

import msgspec
import pytest

from detectors.gas.forecast import Forecast
from detectors.gas.sending import advise, chance_above, chance_enough, quantile

FALLING = Forecast(
    number=1, next_fee=20 * 10**9,
    ahead={1: (20.0,) * 5, 25: (15.0, 9.0, 12.0, 18.0, 24.0), 50: (14.0, 8.0, 11.0, 18.0, 25.0)},
    caps={5: (21.0, 22.0, 23.0), 25: (22.0, 24.0, 28.0)},
    reservation={1: 19.5, 5: 19.0, 25: 17.0}, model="network", degraded=None,
)  # fmt: skip


def test_a_falling_fee_is_waited_for_and_little_of_a_batch_goes_now() -> None:
    advice = advise(FALLING, 25)
    assert not advice.send
    assert advice.reservation == 17.0
    assert advice.expected_saving == pytest.approx(0.15)
    assert 0.025 < advice.release < 0.1
    assert advice.regret95 > 0


def test_between_two_deadlines_the_shorter_ones_price_holds() -> None:
    assert advise(FALLING, 24).reservation == 19.0


def test_a_fee_at_its_reservation_price_is_taken() -> None:
    assert advise(msgspec.structs.replace(FALLING, next_fee=17 * 10**9), 25).send


@pytest.mark.parametrize(("deadline", "urgent", "why"), [(25, True, "urgent"), (0, False, "no time")])
def test_urgency_and_no_time_mean_send(deadline: int, why: str, *, urgent: bool) -> None:
    advice = advise(FALLING, deadline, urgent=urgent)
    assert advice.send
    assert advice.release == 1.0
    assert why in advice.reason


def test_a_doubtful_forecast_is_no_reason_to_wait() -> None:
    assert advise(msgspec.structs.replace(FALLING, degraded="a hole"), 25).reason == "a hole"
    assert advise(msgspec.structs.replace(FALLING, reservation={}), 25).send


def test_quantiles_meet_the_answers_and_chances_invert_them() -> None:
    assert quantile(FALLING, 25, 0.9) == pytest.approx(18.0)
    assert chance_above(FALLING, 25, 18.0) == pytest.approx(0.1)
    assert quantile(FALLING, 1, 0.975) == pytest.approx(20.0)
    assert 18.0 < quantile(FALLING, 10, 0.9) < 20.0


def test_a_cap_is_enough_as_often_as_it_was_made_for() -> None:
    assert chance_enough(FALLING, 22.0, 5) == pytest.approx(0.95)
    assert chance_enough(FALLING, 22.0, 25) == pytest.approx(0.8)
    assert chance_enough(FALLING, 19.9, 1) == 0.0
    assert chance_enough(FALLING, 20.0, 1) == 1.0
    assert chance_enough(FALLING, 1000.0, 25) == 0.99
