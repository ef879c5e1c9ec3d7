"""The shadow report: from journals with known contents, and from the journal of a real run that was left to watch an attack."""

import json
from pathlib import Path

import pytest

from detectors.events import Stage
from monitor.breaker.holds import Decision, Level, Mode, State
from monitor.breaker.machine import Breaker, Retraction, apply
from monitor.breaker.policy import Rules, judge, settle
from monitor.breaker.policy import Settled as Harmless
from monitor.breaker.shadows import WouldPause, cost_of
from monitor.demo.scenery import REENTRANCY
from monitor.journal.base import Draft, Record, encode, seal
from monitor.shadow import DAY, FORGOTTEN, Report, Shadows, recommended
from tests.monitor.cli.conftest import ended
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.findings import finding
from tests.support.show import scene


class Book:
    """A journal in the making."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, kind: str, value: object, at: float) -> None:
        before = self.records[-1].hash if self.records else "00" * 32
        draft = Draft(kind=kind, at=at, by="test", body=encode(value))
        self.records.append(seal(draft, len(self.records) + 1, before))

    def report(self) -> Report:
        shadows = Shadows()
        for record in self.records:
            shadows.take(record)
        return shadows.report()


def noted(at: float, stage: Stage, tx: str = "0xattack", seconds: float = 100.0) -> WouldPause:
    cost = seconds if stage is not Stage.PENDING else 0.0
    return WouldPause(integration="bank", finding=finding(at=at, stage=stage, tx=tx), level=Level.PAUSE, seconds=cost)


def test_an_attack_seen_pending_and_then_mined_is_borne_out_and_told_with_its_lead() -> None:
    book = Book()
    book.write("would_pause", noted(0.0, Stage.PENDING), 0.0)
    book.write("would_pause", noted(6.0, Stage.INCLUDED), 6.0)
    book.write("cursor", {"chain": "c", "position": {"height": 1, "id": "0x1"}}, 8 * DAY)
    (row,) = book.report().rows
    assert (row.would_pause, row.borne_out, row.not_borne_out, row.seen_pending, row.seconds_lost) == (1, 1, 0, 1, 100.0)
    assert (row.saved[0].lead, row.saved[0].share) == (6.0, 0.4)
    assert row.per_day == round(1 / 8, 4)
    assert row.recommendation.startswith("enforce")


def test_a_fear_that_no_block_took_keeps_the_detector_in_shadow() -> None:
    book = Book()
    book.write("would_pause", noted(0.0, Stage.PENDING), 0.0)
    book.write("would_pause", noted(10.0, Stage.INCLUDED, "0xother"), FORGOTTEN + 11.0)
    (row,) = book.report().rows
    assert (row.borne_out, row.not_borne_out, row.undecided) == (1, 1, 0)
    assert row.recommendation.startswith("keep in shadow: 1 of 2")


def test_pauses_that_overlap_are_not_paid_twice() -> None:
    book = Book()
    for at, tx in ((0.0, "0x1"), (50.0, "0x2"), (1000.0, "0x3")):
        book.write("would_pause", noted(at, Stage.INCLUDED, tx), at)
    (row,) = book.report().rows
    assert row.seconds_lost == 250.0


def test_an_integration_that_is_in_shadow_as_a_whole_is_reckoned_by_its_decisions() -> None:
    book, breaker = Book(), Breaker(integration="bank", mode=Mode.SHADOW)
    opened, _ = judge(breaker, [finding(at=0.0, stage=Stage.PENDING)], Rules(), 0.0, 10, "default")
    assert opened is not None
    book.write("decision", opened, 0.0)
    breaker = apply(breaker, opened, 1)
    closed = settle(breaker, [Harmless("0xattack", "mined and judged harmless")], Rules(), 30.0, 12, "default")
    assert isinstance(closed, Decision)
    assert closed.after is State.CLOSED
    book.write("decision", closed, 30.0)
    book.write("cursor", {"chain": "c", "position": {"height": 1, "id": "0x1"}}, 500.0)
    (row,) = book.report().rows
    assert (row.seconds_lost, row.would_pause, row.not_borne_out) == (30.0, 1, 1)


def test_what_the_chain_took_back_was_not_borne_out() -> None:
    book = Book()
    book.write("would_pause", noted(0.0, Stage.INCLUDED), 0.0)
    back = Retraction(integration="bank", at=9.0, finding=finding(at=0.0), reason="its block was replaced")
    book.write("retraction", back, 9.0)
    (row,) = book.report().rows
    assert (row.borne_out, row.not_borne_out) == (0, 1)


@pytest.mark.parametrize(
    ("case", "word"),
    [
        ((1.0, 0, 0, 0), "wait: 1.0 of 7"),
        ((30.0, 0, 0, 0), "enforce if"),
        ((30.0, 3, 2, 0), "wait: 1 of 3"),
        ((30.0, 3, 2, 1), "keep"),
    ],
)
def test_nothing_is_recommended_before_there_is_something_to_go_by(case: tuple[float, int, int, int], word: str) -> None:
    assert recommended(*case).startswith(word)


def test_a_pause_costs_its_shortest_duration_and_its_probing() -> None:
    rules = Rules(min_open=60.0, half_open=(0.5,), half_open_step=10.0)
    assert cost_of(rules, Level.PAUSE) == 65.0


async def test_a_real_run_in_shadow_leaves_a_journal_that_says_what_enforcing_would_have_done(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="60s")
        config["integrations"]["vault"] |= {"detectors": {"reentrancy": "shadow", "drain": "shadow"}}
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            await show.wallet.send(attack.attacker, attack.contract, attack.data, value=attack.value, gas=attack.gas)
            await daemon.metric("seawall_would_pauses_total", "reentrancy", least=1)
            await show.mine()
            await daemon.metric("seawall_would_pauses_total", "reentrancy", least=2)
            flag = await daemon.flag()
            assert flag is not None
            assert (flag["state"], flag["mode"]) == ("run", "enforce")
        told = await ended("shadow", "report", "-c", str(tmp_path / "seawall.yaml"), "--json", TOKEN=TOKEN)
        assert told.code == 0, told.err
        rows = {row["detector"]: row for row in told.json["rows"]}
        row = rows["reentrancy"]
        assert (row["would_pause"], row["borne_out"], row["seen_pending"]) == (1, 1, 1)
        assert row["saved"][0]["lead"] > 0
        assert row["seconds_lost"] == pytest.approx(cost_of(Rules(), Level.PAUSE))
        assert row["recommendation"].startswith("wait: 0.0 of 7 days")
        shown = await ended("shadow", "report", "--journal", str(tmp_path / "journal.db"))
        assert "reentrancy" in shown.out
        assert "s before its block" in shown.out
        assert json.dumps(row["saved"][0]["tx"]).strip('"')[:10] in shown.out
