"""The main job, whole: `seawall demo` in processes of its own, watched by a real Prometheus; and the same without detectors."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from monitor.demo.anvil import free_port
from tests.support.browser import chromium
from tests.support.daemon import ROOT
from tests.support.parts import need
from tests.support.prometheus import Prometheus
from tests.test_dashboards import EXPRESSIONS, RULES, WITH_EXEMPLARS, substituted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Seen:
    """What one show told: the first line, the report, and what Prometheus knew at its end, by panel and expression."""

    def __init__(
        self,
        first: dict[str, Any],
        report: dict[str, Any],
        panels: dict[str, int],
        alerts: set[str],
        series: list[dict[str, str]],
        exemplars: list[dict[str, Any]],
        pages: dict[str, int],
        shown: dict[str, float],
        ordered: str,
    ) -> None:
        self.first, self.report, self.panels, self.alerts = first, report, panels, alerts
        self.series, self.exemplars, self.pages, self.shown = series, exemplars, pages, shown
        self.ordered = ordered


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


UNCONFIGURED = ("seawall_pause_ready", "seawall_sanctions_parties", "seawall_sanctions_trouble", "seawall_l1_data_fee_wei")
"""The show names no on-chain pause and no sanctions list, and is no layer 2: there is nothing to say of these."""

MOST_SERIES = 2000
"""Of a daemon with one chain, one node and four integrations; nothing that happens there may add to it without end."""


ONLOOKER = """
  window.shown = new Map();
  new MutationObserver(() => {
    for (const card of document.querySelectorAll(".card.pause"))
      if (!shown.has(card.id)) shown.set(card.id, (performance.timeOrigin + performance.now()) / 1e3);
  }).observe(document.getElementById("board"), {subtree: true, childList: true, attributes: true});
"""
"""Notes when the page first said of an integration that it is not to be used, unix seconds."""


async def watched(folder: Path) -> Seen:
    """Run the show to its end under the eyes of Prometheus."""
    port = free_port()
    show = await started("--port", str(port))
    try:
        first = await line(show, 60)
        async with chromium() as browser, Prometheus(folder, f"127.0.0.1:{port}", RULES / "seawall.yml") as prometheus:
            page = await browser.new_page()
            await page.goto(first["url"])
            await page.evaluate(ONLOOKER)
            report = await line(show, 120)
            shown = dict(await page.evaluate("[...window.shown]"))
            await page.screenshot(path=folder / "attacked.png", full_page=True)
            await prometheus.until('ALERTS{alertname="SeawallIntegrationPaused", alertstate="firing"}')
            panels = {
                f"{title}: {expression}": len(await prometheus.query(substituted(expression)))
                for title, expression in EXPRESSIONS
            }
            series = await prometheus.query('{__name__=~"seawall_.*"}')
            exemplars = [one for asked in WITH_EXEMPLARS for one in await prometheus.exemplars(substituted(asked))]
            firing = {found["metric"]["alertname"] for found in await prometheus.query('ALERTS{alertstate="firing"}')}
            ordered = await paused_by_hand(page, first, "market-pool")
            pages = await statuses(first["url"], {one["labels"]["incident"] for one in exemplars})
        return Seen(first, report, panels, firing, [one["metric"] for one in series], exemplars, pages, shown, ordered)
    finally:
        show.send_signal(signal.SIGINT)
        await asyncio.wait_for(show.wait(), 20)


async def paused_by_hand(page: Page, first: dict[str, Any], integration: str) -> str:
    """Pause one from the admin listener's page; what its card says then."""
    await page.goto(first["admin_url"])
    await page.locator("#token").fill(first["token"])
    await page.locator(f"#o-{integration}-pause").click()
    await page.locator("#order-reason").fill("drill")
    await page.locator("#order-typed").fill(integration)
    await page.locator("#order-go").click()
    await expect(page.locator("#done")).to_contain_text(f"{integration} is at pause")
    card = page.locator(f"#i-{integration}.pause")
    await expect(card).to_be_visible()
    return str(await card.inner_text())


async def statuses(url: str, incidents: set[str]) -> dict[str, int]:
    """What the page of each incident is answered with."""
    found = {}
    async with aiohttp.ClientSession() as http:
        for which in incidents:
            async with http.get(f"{url}/incidents/{which}") as answer:
                found[which] = answer.status
    return found


def test_every_attack_is_paused_while_it_is_still_pending(seen: Seen) -> None:
    assert {attack["name"] for attack in seen.report["attacks"]} == {"reentrancy", "flash-loan"}
    for attack in seen.report["attacks"]:
        assert attack["pause_before_mined"] is True
        assert attack["sent_at"] <= attack["pending_seen_at"] < attack["flag_paused_at"] < attack["mined_at"]
        assert attack["gone_share"] > 0.9, "the attack itself was real"


def test_whoever_watches_the_page_sees_each_attack_before_its_block(seen: Seen) -> None:
    for attack in seen.report["attacks"]:
        assert attack["sent_at"] < seen.shown[f"i-{attack['integration']}"] < attack["mined_at"]
    assert len(seen.shown) == 3, "what was attacked, and nothing else"


def test_an_operator_pauses_from_the_page_what_nobody_attacked(seen: Seen) -> None:
    assert "Do not use" in seen.ordered
    assert "human:demo" in seen.ordered


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
    empty = [panel for panel, found in seen.panels.items() if not found]
    assert [panel for panel in empty if not any(name in panel for name in UNCONFIGURED)] == []


def test_no_label_is_chosen_by_the_chain_and_the_series_are_few(seen: Seen) -> None:
    told = {f"{one['__name__']}{{{label}={value}}}" for one in seen.series for label, value in one.items() if label != "hash"}
    assert [one for one in told if re.search(r"0x[0-9a-f]{6}|[0-9a-f]{24}", one)] == []
    assert 0 < len(seen.series) < MOST_SERIES


def test_a_time_to_pause_names_its_incident_which_has_a_page(seen: Seen) -> None:
    assert {one["labels"]["incident"] for one in seen.exemplars} == seen.pages.keys() != set()
    assert set(seen.pages.values()) == {200}


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
