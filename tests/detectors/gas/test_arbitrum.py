"""Arbitrum's fee from what it owes: the child's exactly, later ones within their intervals, and no surer than what was read."""

import random

import msgspec
import pytest

from detectors.gas.arbitrum import Backlog, Reading, Target, follow
from detectors.gas.features import Clock, Header
from detectors.gas.forecast import Forecast, Forecaster
from tests.support.nitro import Nitro, Owed

LEGACY, LISTED = "before ArbOS 50", "since ArbOS 50"


def nitro(kind: str) -> Nitro:
    if kind == LEGACY:
        return Nitro(10_000_000, [Owed(7_000_000, 102, 10)], listed=False)
    return Nitro(20_000_000, [Owed(60_000_000, 9, 0), Owed(10_000_000, 86_400, 0)], listed=True)


def read(chain: Nitro) -> Reading:
    return Reading(chain.least, tuple(Target(one.speed, one.inertia, one.tolerance, one.backlog) for one in chain.owed))


def lived(kind: str, count: int, *, busy: float = 1.0, seed: int = 0, poster: float = 0.0) -> list[tuple[Header, Reading]]:
    """Blocks a second or so apart, in waves of demand around what the chain can carry; some of the gas may pay for calldata."""
    draw, chain, out, at, wave = random.Random(seed), nitro(kind), [], 1_700_000_000, 0.0
    for number in range(1_000, 1_000 + count):
        seconds = draw.choice((0, 1, 1, 2))
        at += seconds
        wave += draw.gauss(0, 0.05) - 0.01 * wave
        used = int(chain.owed[0].speed * max(busy + wave + draw.gauss(0, 0.5), 0.0))
        fee = chain.block(seconds, used)
        out.append((Header(number, at, fee, int(used * (1.0 + poster)), 2**50), read(chain)))
    return out


def answered(chain: list[tuple[Header, Reading]]) -> tuple[list[Backlog], list[Forecast]]:
    forecaster = Forecaster(Clock(seconds=1, denominator=2))
    backlogs: list[Backlog] = []
    said: list[Forecast] = []
    for header, reading in chain:
        backlog = follow(backlogs[-1] if backlogs else None, header, reading)
        assert backlog is not None
        backlogs.append(backlog)
        forecast = forecaster.observe(msgspec.structs.replace(header, next_fee=backlog.next_fee), backlog)
        assert forecast is not None
        said.append(forecast)
    return backlogs, said


@pytest.mark.parametrize("kind", [LEGACY, LISTED])
@pytest.mark.parametrize("poster", [0.0, 0.3])
def test_the_childs_fee_is_exact_once_two_blocks_were_read_whatever_gas_paid_for_calldata(kind: str, poster: float) -> None:
    chain = lived(kind, 1_000, poster=poster)
    backlogs, _ = answered(chain)
    fees = [header.base_fee for header, _ in chain]
    assert [backlog.next_fee for backlog in backlogs[1:-1]] == fees[2:]
    assert all(backlog.exact for backlog in backlogs[1:])
    assert not backlogs[0].exact
    assert max(fees) > 1.5 * min(fees), "the chain was busy enough to tell"


@pytest.mark.parametrize("kind", [LEGACY, LISTED])
def test_later_fees_fall_within_their_intervals_and_nearer_than_as_the_next(kind: str) -> None:
    chain = lived(kind, 3_000)
    _, said = answered(chain)
    fees = [header.base_fee / 1e9 for header, _ in chain]
    for ahead in (2, 5, 25):
        rows = range(500, 3_000 - ahead)
        ours = sum(abs(said[row].ahead[ahead][0] - fees[row + ahead]) for row in rows)
        stay = sum(abs(fees[row + 1] - fees[row + ahead]) for row in rows)
        assert ours < 0.9 * stay, ahead
        lines = [(fees[row + ahead], *said[row].ahead[ahead][2:4]) for row in rows]
        inside = [low * (1 - 1e-9) <= fee <= high * (1 + 1e-9) for fee, low, high in lines]
        assert 0.77 < sum(inside) / len(inside) < 0.9, ahead


def test_a_quiet_chain_is_said_to_stay_at_its_least() -> None:
    chain = lived(LEGACY, 300, busy=0.2)
    _, said = answered(chain)
    least = 10_000_000 / 1e9
    assert said[-1].ahead[300] == pytest.approx((least,) * 5, rel=1e-3)
    assert said[-1].model == "backlog"
    assert said[-1].degraded is None


def test_without_a_reading_the_backlog_is_reckoned_and_the_fee_after_it_an_estimate() -> None:
    chain = lived(LEGACY, 100, busy=3.0)
    before: Backlog | None = None
    for at, (header, reading) in enumerate(chain):
        before = follow(before, header, None if at == 60 else reading)
        assert before is not None
        assert before.exact is (at not in {0, 61})
        if at in {60, 61}:
            assert before.next_fee == pytest.approx(chain[at + 1][0].base_fee, rel=0.01)
    assert follow(None, chain[0][0], None) is None


def test_a_hole_is_no_exact_answer() -> None:
    chain = lived(LEGACY, 100, busy=3.0)
    backlogs, _ = answered(chain[:50])
    after = follow(backlogs[-1], *chain[80])
    assert after is not None
    assert not after.exact
    assert follow(backlogs[-1], chain[80][0], None) is None


def test_a_reorganisation_has_the_old_backlog_again() -> None:
    chain, other = lived(LISTED, 200), lived(LISTED, 200, seed=7)
    forecaster = Forecaster(Clock(seconds=1, denominator=2))

    def feed(blocks: list[tuple[Header, Reading]]) -> Forecast | None:
        told = None
        for header, reading in blocks:
            model = forecaster.model
            backlog = follow(model if isinstance(model, Backlog) else None, header, reading)
            assert backlog is not None
            told = forecaster.observe(msgspec.structs.replace(header, next_fee=backlog.next_fee), backlog)
        return told

    straight = feed(chain)
    assert forecaster.rewind(chain[179][0].number)
    feed([(msgspec.structs.replace(header, number=1_180 + at), reading) for at, (header, reading) in enumerate(other[:20])])
    assert forecaster.rewind(chain[179][0].number)
    assert feed(chain[180:]) == straight


def test_absurd_numbers_are_answered_with_numbers() -> None:
    header = Header(5, 100, 10**9, 10**6, 2**50)
    reading = Reading(2**61, (Target(1, 1, 0, 2**61),) * 16)
    first = follow(None, header, reading)
    assert first is not None
    told = Forecaster(Clock(denominator=2)).observe(msgspec.structs.replace(header, next_fee=first.next_fee), first)
    assert told is None, "a fee beyond 2**63 is no fee"
