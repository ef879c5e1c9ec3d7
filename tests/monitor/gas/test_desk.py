"""The gas desk in the real daemon on a real anvil: cold, warm, restarted, reorganised; and its fits, which hold nobody up."""

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from detectors.events import Reverted
from detectors.gas.features import DEEP, Header
from detectors.gas.fitting import LEAST
from detectors.gas.structural import STRUCTURAL_FROM
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.config import ChainConfig, GasConfig, Node, NodeUrl
from monitor.config.layout import ChainKind
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.errors import NodeUnreachable
from monitor.gas.answers import RUNGS, Question
from monitor.gas.desk import GasDesk, fee_kind
from monitor.gas.models import KIND, GasModel, recorded
from monitor.gas.refits import FIRST, after
from monitor.journal.base import Draft, encode
from monitor.journal.snapshots import Snapshots
from monitor.journal.sqlite import SqliteJournal
from monitor.metrics import REGISTRY
from tests.support.chain_of_fees import headers
from tests.support.daemon import ROOT, Daemon, settings
from tests.support.fees import block, model, told


async def test_a_cold_daemon_forecasts_at_once_says_why_it_is_degraded_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with await Anvil.start() as node, HttpNode(node.http) as rpc:
        await rpc.call("anvil_mine", [hex(300), hex(12)])
        config = settings(tmp_path, node.ws, blind_after="60s")
        config["chains"]["test"]["gas"] = {"history": 280}
        async with Daemon(tmp_path, config) as daemon:
            said = await told(daemon, "?cap=100&within=5")
            assert "nothing fitted yet" in said["degraded"]
            assert "from eth_feeHistory" in said["degraded"]
            assert (said["advice"]["send"], said["advice"]["reason"]) == (True, said["degraded"])
            assert len(said["recent"]) == 180
            assert said["inclusion"]["probability"] == 1.0
            snapshot = await rpc.call("evm_snapshot", [])
            at = said["block"]["number"]
            for number in range(at, at + 5):
                before = await told(daemon, after=number - 1)
                await rpc.call("anvil_mine", ["0x1", "0xc"])
                now = await told(daemon, after=number)
                assert now["base_fee_wei"] == before["next_fee_wei"]
            reverted = await told(daemon)
            await rpc.call("evm_revert", [snapshot])
            await rpc.call("anvil_mine", [hex(8), hex(13)])
            other = await told(daemon, after=at + 7)
            assert other["block"]["hash"] != reverted["block"]["hash"]
            assert "hole" not in (other["degraded"] or "")
            seen = other["degraded"].split(" headers")[0]
            await run_cli(daemon.read, other["block"]["number"])
            assert await daemon.stop() == 0
        await rpc.call("anvil_mine", [hex(40), hex(12)])
        async with Daemon(tmp_path, config) as daemon:
            again = await told(daemon, after=other["block"]["number"] + 39)
            assert "hole" not in again["degraded"], "blocks of its absence are read"
            count = int(again["degraded"].split(" headers")[0].rpartition(" ")[2])
            assert count >= int(seen.rpartition(" ")[2]) + 40, "features were not begun anew"
            async with daemon.http.get(f"{daemon.read}/metrics") as answer:
                assert 'seawall_gas_next_fee_wrong_total{chain="eip155:31337"} 0.0' in await answer.text()
        assert "gas_resumed" in (tmp_path / "daemon.log").read_text()


async def run_cli(url: str, number: int) -> None:
    """Both commands for people, against the running daemon."""

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "monitor", "gas", *arguments, "--url", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)

    shown = await asyncio.to_thread(ran, "forecast")
    assert shown.returncode == 0, shown.stderr
    assert f"after block {number}" in shown.stdout
    assert "1800" in shown.stdout
    assert "degraded: nothing fitted yet" in shown.stdout
    advised = await asyncio.to_thread(ran, "advise", "test", "--deadline", "25", "--urgency", "0.5", "--cap", "9", "--json")
    assert json.loads(advised.stdout)["inclusion"]["cap"] == 9.0
    wrong = await asyncio.to_thread(ran, "forecast", "nowhere")
    assert wrong.returncode == 1
    assert "GET /v1/gas lists" in wrong.stderr


async def test_switched_off_there_is_no_forecast_and_the_door_says_how_to_have_one(tmp_path: Path) -> None:
    async with await Anvil.start("--block-time", "1") as node:
        config = settings(tmp_path, node.ws)
        config["chains"]["test"]["gas"] = {"enabled": False}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            async with daemon.http.get(f"{daemon.read}/v1/gas/test") as answer:
                assert answer.status == 404
                assert "gas.enabled" in (await answer.json(content_type=None))["detail"]


class Nobody:
    """A line on which nobody answers."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float, type: Any = None) -> Any:  # noqa: A002, ANN401, ARG002, ASYNC109
        raise NodeUnreachable(f"{method}: refused")


class Desk:
    """A desk by itself on a seeded chain, and what it kept."""

    def __init__(self, folder: Path, kept: GasModel | None = None) -> None:
        self.kept: list[GasModel] = []
        self.had = 0
        chain = ChainConfig(id="eip155:1", nodes=(Node(name="a", ws=NodeUrl("ws://127.0.0.1:1")),), gas=GasConfig(history=0))
        self.desk = GasDesk(
            "ethereum", chain, Nobody(), Snapshots(folder), schema="test", keep=self.keep, told=lambda _chain, _finding: None
        )
        self.desk.model = kept
        self.running = asyncio.create_task(self.desk.run())

    async def keep(self, record: GasModel) -> None:
        self.kept.append(record)

    async def until(self, number: int, within: float = 60.0) -> None:
        async with asyncio.timeout(within):
            while self.desk.outlook is None or self.desk.outlook.block.number < number:
                if self.running.done():
                    self.running.result()
                await asyncio.sleep(0.01)

    async def fed(self, chain: Sequence[Header], upto: int) -> str:
        """The headers of this chain so far, those that it has not had; who answered after the last."""
        while self.had < upto:
            for header in chain[self.had : min(self.had + 500, upto)]:
                self.desk.saw(block(header))
                self.had += 1
            await self.until(chain[self.had - 1].number)
        assert self.desk.outlook is not None
        return self.desk.outlook.model.name

    async def climbs(self, chain: Sequence[Header], within: int = 300) -> str:
        """Its rung once another model has come and answers, a header at a time. Fails when there is none."""
        before = self.desk.outlook and self.desk.outlook.model.last
        for _ in range(within):
            rung = await self.fed(chain, self.had + 1)
            await asyncio.sleep(0.03)
            assert self.desk.outlook is not None
            if self.desk.outlook.model.last != before:
                return rung
        raise AssertionError(f"no new model after {within} more headers")

    def fitted(self, rows: int) -> bool:
        """Does it answer with a model of so many rows, which was kept?"""
        outlook = self.desk.outlook
        at_least = any(one.last - one.first + 1 >= rows for one in self.kept)
        return at_least and outlook is not None and outlook.model.last == self.kept[-1].last

    async def says(self, wanted: Callable[[str], bool]) -> None:
        """Wait until what is wrong is as wanted; the empty text is: nothing."""
        async with asyncio.timeout(10):
            while True:
                if self.desk.outlook is not None and wanted(self.desk.outlook.degraded or ""):
                    return
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


async def test_a_fit_in_its_own_process_is_journaled_and_adopted_and_the_loop_stays_free(
    tmp_path: Path,
) -> None:
    desk, chain = Desk(tmp_path), headers(FIRST + 600)
    late: list[float] = []

    async def clock() -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - due)

    for start in range(0, FIRST + 50, 500):
        for header in chain[start : min(start + 500, FIRST + 50)]:
            desk.desk.saw(block(header))
        await desk.until(chain[min(start + 500, FIRST + 50) - 1].number)
    ticking, began = asyncio.create_task(clock()), time.perf_counter()
    number = FIRST + 50
    while not desk.fitted(LEAST):
        desk.desk.saw(block(chain[number]))
        number += 1
        await asyncio.sleep(0.02)
    ticking.cancel()
    took = time.perf_counter() - began
    record = desk.kept[-1]
    assert desk.desk.outlook is not None
    assert desk.desk.outlook.degraded is None
    assert (desk.desk.outlook.model.first, desk.desk.outlook.model.last) == (record.first, record.last)
    advised, _ = desk.desk.advise(Question(deadline=25))
    assert advised.reservation is not None
    assert max(late) < took / 4, "other tasks had their turn while the fit ran"
    await desk.end()


async def test_a_cold_chain_climbs_every_rung_is_killed_over_a_fit_and_restarted_and_loses_nothing(tmp_path: Path) -> None:
    chain, desk = headers(2_800), Desk(tmp_path)
    first, died = chain[0].number, counted("died")
    assert await desk.fed(chain, 20) == "persistence"
    assert await desk.fed(chain, 1_000) == "average"
    assert rungs() == {"average"}
    await desk.fed(chain, STRUCTURAL_FROM + DEEP)
    assert await desk.climbs(chain) == "structural"
    assert rungs() == {"structural"}
    (structural,) = desk.kept
    assert (structural.name, structural.first) == ("structural", first)
    # Its last row is whichever was certain when it was asked for: an earlier hand-over may still have been on its way then.
    assert chain[STRUCTURAL_FROM - 1].number <= structural.last < chain[desk.had - DEEP].number
    # The process is stopped, asked for a fit that it cannot begin, and killed over it.
    (process,) = multiprocessing.active_children()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    await desk.fed(chain, FIRST + 20)
    os.kill(process.pid, signal.SIGKILL)
    assert await desk.fed(chain, FIRST + 40) == "structural", "forecasts go on"
    assert await desk.climbs(chain) == "linear"
    assert counted("died") == died + 1
    assert [one.pid for one in multiprocessing.active_children()] != [process.pid]
    assert desk.kept[-1].first == first, "a new process has the history of the one that died"
    seen = desk.kept[-1].last - first + 1
    await desk.end()
    again = Desk(tmp_path, desk.kept[-1])
    again.had = desk.had
    assert await again.fed(chain, desk.had + 5) == "linear"
    await again.fed(chain, after(seen + DEEP) - 10)
    assert await again.climbs(chain) == "linear"
    assert again.kept[0].first == first, "a restart has it too"
    assert again.kept[0].last - first + 1 > 1.3 * seen
    await again.end()


@pytest.mark.parametrize(
    ("kind", "asked", "told"),
    [
        (ChainKind.BASE, "auto", "op_stack"),
        (ChainKind.OPTIMISM, "auto", "op_stack"),
        (ChainKind.ARBITRUM, "auto", "arbitrum"),
        (ChainKind.ETHEREUM, "auto", "auto"),
        (ChainKind.BASE, "ethereum", "ethereum"),
    ],
)
def test_who_sets_the_fee_goes_by_the_chains_kind_unless_it_is_said(
    kind: ChainKind, asked: Literal["auto", "ethereum"], told: str
) -> None:
    nodes = (Node(name="a", ws=NodeUrl("ws://127.0.0.1:1")),)
    assert fee_kind(ChainConfig(id="eip155:9", nodes=nodes, kind=kind, gas=GasConfig(kind=asked))) == told


def rungs() -> set[str]:
    """The rungs that the metric says answer."""
    return {rung for rung in RUNGS if REGISTRY.get_sample_value("seawall_gas_rung", {"chain": "eip155:1", "rung": rung})}


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("seawall_gas_fits_total", {"chain": "eip155:1", "outcome": outcome}) or 0.0


async def test_after_a_restart_the_journals_model_answers_from_the_first_block(tmp_path: Path) -> None:
    kept = recorded("eip155:1", model())
    desk, chain = Desk(tmp_path, kept), headers(30, seed=4)
    for header in chain:
        desk.desk.saw(block(header))
    await desk.until(chain[-1].number)
    assert desk.desk.outlook is not None
    assert (desk.desk.outlook.model.last, desk.desk.outlook.degraded) == (kept.last, None)
    desk.desk.saw(Reverted(chain="eip155:1", at=0.0, first=block(chain[20]).position, last=block(chain[29]).position))
    await desk.says(lambda degraded: "was reverted" in degraded)
    desk.desk.saw(block(chain[20], "b"))
    await desk.says(lambda degraded: not degraded)
    assert desk.desk.outlook.block.number == chain[20].number
    await desk.end()


async def test_a_hole_that_nobody_can_fill_is_said_and_an_old_answer_says_its_age(tmp_path: Path) -> None:
    desk, chain = Desk(tmp_path, recorded("eip155:1", model())), headers(200, seed=4)
    for header in (*chain[:60], *chain[160:162]):
        desk.desk.saw(block(header))
    await desk.until(chain[161].number)
    assert desk.desk.outlook is not None
    assert "a hole" in (desk.desk.outlook.degraded or "")
    await desk.end()


def test_a_model_in_the_journal_moves_nothing_but_the_head(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    records = journal.append([Draft(kind=KIND, at=1.0, by="gas", body=encode(recorded("eip155:1", model())))], 0)
    fold = Fold({"bank": Mode.ENFORCE})
    before = dict(fold.breakers)
    for record in records:
        assert fold.apply_record(record.kind, record.body, record.sequence) is None
    assert (fold.breakers, fold.head) == (before, 1)
    journal.verify()
    journal.close()
