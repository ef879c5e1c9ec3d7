"""The main job, whole: `seawall demo` in processes of its own, watched by a real Prometheus; and the same without detectors."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboards.generate import GAS_ROWS, ROWS
from monitor.demo.anvil import free_port
from tests.support.daemon import ROOT
from tests.support.parts import need
from tests.support.prometheus import Prometheus
from tests.test_dashboards import RULES, substituted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Seen:
    """What one show told: the first line, the report, and what Prometheus knew at its end, by panel and expression."""

    def __init__(self, first: dict[str, Any], report: dict[str, Any], panels: dict[str, int], alerts: set[str]) -> None:
        self.first, self.report, self.panels, self.alerts = first, report, panels, alerts


async def started(*options: str) -> asyncio.subprocess.Process:
    """`seawall demo --json` with its output piped."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "demo", "--json", *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip


async def line(show: asyncio.subprocess.Process, within: float) -> dict[str, Any]:
    """The next line of its output, as JSON."""
    assert show.stdout is not None
    async with asyncio.timeout(within):
        return dict(json.loads(await show.stdout.readline()))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One show for all the tests of this file."""
    need("prometheus")
    return asyncio.run(watched(tmp_path_factory.mktemp("prometheus")))


UNCONFIGURED = {"On-chain pause would succeed: seawall_pause_ready"}
"""The show names no on-chain pause, so there is nothing to say of one."""


async def watched(folder: Path) -> Seen:
    """Run the show to its end under the eyes of Prometheus."""
    port = free_port()
    show = await started("--port", str(port))
    try:
        first = await line(show, 60)
        async with Prometheus(folder, f"127.0.0.1:{port}", RULES / "seawall.yml") as prometheus:
            report = await line(show, 120)
            await prometheus.until('ALERTS{alertname="SeawallIntegrationPaused", alertstate="firing"}')
            panels = {
                f"{panel.title}: {expression}": len(await prometheus.query(substituted(expression)))
                for _, row in (*ROWS, *GAS_ROWS)
                for panel in row
                for _, expression in panel.queries
            }
            firing = {found["metric"]["alertname"] for found in await prometheus.query('ALERTS{alertstate="firing"}')}
        return Seen(first, report, panels, firing)
    finally:
        show.send_signal(signal.SIGINT)
        await asyncio.wait_for(show.wait(), 20)


def test_every_attack_is_paused_while_it_is_still_pending(seen: Seen) -> None:
    assert {attack["name"] for attack in seen.report["attacks"]} == {"reentrancy", "flash-loan"}
    for attack in seen.report["attacks"]:
        assert attack["pause_before_mined"] is True
        assert attack["sent_at"] <= attack["pending_seen_at"] < attack["flag_paused_at"] < attack["mined_at"]
        assert attack["gone_share"] > 0.9, "the attack itself was real"


def test_nothing_honest_is_paused_and_nobody_was_blind(seen: Seen) -> None:
    assert (seen.report["false_pauses"], seen.report["blind_seconds"], seen.report["honest_reverted"]) == (0, 0, 0)
    assert seen.report["honest_transactions"] > 20


def test_private_flow_is_paused_after_its_first_block_and_most_is_saved(seen: Seen) -> None:
    private = seen.report["private"]
    assert (private["seen_pending"], private["paused_after_transactions"]) == (0, 1)
    assert private["saved_share"] > 0.6


def test_one_alert_an_incident_reached_the_pager_signed(seen: Seen) -> None:
    assert seen.report["alerts_by_type"]["breaker.opened"] == 3
    assert seen.report["alerts_refused"] == 0


def test_every_panel_of_the_dashboards_has_data(seen: Seen) -> None:
    assert [panel for panel, found in seen.panels.items() if not found and panel not in UNCONFIGURED] == []


def test_only_the_rule_for_a_paused_integration_fires(seen: Seen) -> None:
    assert seen.alerts == {"SeawallIntegrationPaused", "Watchdog"}


async def test_without_detectors_the_same_attacks_succeed_and_the_money_is_gone() -> None:
    show = await started("--once", "--no-detectors")
    await line(show, 60)
    report = await line(show, 120)
    assert await asyncio.wait_for(show.wait(), 20) == 0
    assert [attack["pause_before_mined"] for attack in report["attacks"]] == [False, False]
    assert all(attack["gone_share"] > 0.9 for attack in report["attacks"])
    assert (report["private"]["saved_share"], report["alerts"]) == (0.0, 0)
