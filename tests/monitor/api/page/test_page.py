"""The page in a real browser: it shows the state, follows a change by itself, and stays honest when the server goes."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.monitor.api.conftest import Doors, doors_with
from tests.support.browser import chromium
from tests.support.fees import Seer, fed


async def opened(browser: Browser, doors: Doors, width: int = 1280) -> tuple[Page, list[str]]:
    """The page, and everything its console complained of."""
    page = await browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", note)
    await page.goto(doors.read.url)
    return page, complaints


@pytest.mark.slow
async def test_a_pause_reaches_the_page_by_itself_and_a_lost_server_is_not_shown_as_health(doors: Doors, tmp_path: Path) -> None:
    async with chromium() as browser:
        page, complaints = await opened(browser, doors)
        await expect(page.locator("#link")).to_have_text("Live")
        await expect(page.locator("#i-bank .state")).to_contain_text("Safe to use")
        await doors.pause("reserves fell")
        await expect(page.locator("#i-bank .state")).to_contain_text("Do not use")
        await expect(page.locator(".headline")).to_contain_text("1 of 3 integrations paused")
        await expect(page.locator(".incidents")).to_contain_text("reserves fell")
        await page.screenshot(path=tmp_path / "page.png")
        assert complaints == []
        await doors.read.stop()
        await expect(page.locator("#link")).to_contain_text("Do not trust it", timeout=15_000)
        await expect(page).to_have_title("Not connected · Seawall")
        for told in (".headline", "#i-vault .state"):
            assert "line-through" in await page.locator(told).evaluate("line => getComputedStyle(line).textDecoration")


@pytest.mark.slow
async def test_the_change_stream_brings_a_flip_and_whoever_reads_is_not_disturbed(doors: Doors) -> None:
    (await doors.pause("first")).release()
    async with chromium() as browser:
        page = await browser.new_page()
        await page.add_init_script("window.setInterval = () => 0")  # no asking now and then: only what the server announces
        await page.goto(doors.read.url)
        await expect(page.locator("#link")).to_have_text("Live")
        summary = page.locator("#live summary").first
        await summary.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#live details").first).not_to_have_attribute("open", "")
        (await doors.pause("second", integration="vault")).release()
        await expect(page.locator(".headline")).to_contain_text("2 of 3 integrations paused")
        await expect(page).to_have_title("■ 2 of 3 integrations paused · Seawall")
        await expect(page.locator("#news")).to_contain_text("2 of 3 integrations paused")
        assert await page.locator("#live .incident").count() == 2
        await doors.acknowledge()
        await expect(page.locator("#live")).to_contain_text("Acknowledged by ops")
        older = page.locator("#live .incident").nth(1)
        await expect(older.locator("details").first).not_to_have_attribute("open", "")
        assert await page.evaluate("document.activeElement.localName") == "summary"
        assert await older.locator("summary").first.evaluate("summary => summary === document.activeElement")


@pytest.mark.slow
async def test_the_keyboard_gets_to_the_answer_and_to_the_incident(doors: Doors) -> None:
    (await doors.pause("reserves fell")).release()
    async with chromium() as browser:
        page, complaints = await opened(browser, doors)
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("h2").first).to_have_text("bank: paused by order")
        steps = page.locator(".timeline li strong")
        await expect(steps).to_have_text(["ordered", "decided", "readable", "recorded"])
        assert complaints == []
        bare = await (await browser.new_context(java_script_enabled=False)).new_page()
        await bare.goto(page.url)
        await expect(bare.locator(".timeline li")).to_have_count(4)


async def test_an_incident_nobody_knows_is_told_as_every_error_is(doors: Doors) -> None:
    for path in ("/incidents/nothing", "/board/incidents/nothing"):
        async with doors.http.get(doors.read.url + path) as answer:
            assert (answer.status, (await answer.json())["title"]) == (404, "No such incident")


@pytest.mark.slow
async def test_it_fits_a_phone_and_works_without_scripts(doors: Doors) -> None:
    await doors.pause("a reason that is long enough to need more than one line on the screen of a telephone " * 2)
    async with chromium() as browser:
        page, _ = await opened(browser, doors, width=360)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        bare = await (await browser.new_context(java_script_enabled=False)).new_page()
        await bare.goto(doors.read.url)
        await expect(bare.locator("#i-bank .state")).to_contain_text("Do not use")


@pytest.mark.slow
async def test_the_fan_of_fees_is_drawn_live_and_the_table_is_there_without_scripts(tmp_path: Path) -> None:
    async with doors_with(tmp_path, gas={"ethereum": Seer(fed())}) as doors, chromium() as browser:
        page, complaints = await opened(browser, doors)
        await expect(page.locator("figure.fan canvas")).to_be_visible()
        await expect(page.locator(".fees tbody tr")).to_have_count(8)
        drawn = await page.evaluate(
            "[...document.querySelector('figure.fan canvas').getContext('2d').getImageData(0, 0, 900, 240).data].some(v => v > 0)"
        )
        assert drawn
        assert "25 blocks ahead between" in str(await page.locator("figure.fan").get_attribute("aria-label"))
        await page.screenshot(path=tmp_path / "fees.png", full_page=True)
        assert complaints == [], "the strict policy forbids nothing that the chart needs"
        narrow, _ = await opened(browser, doors, width=360)
        await expect(narrow.locator("figure.fan canvas")).to_be_visible()
        assert await narrow.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        bare = await (await browser.new_context(java_script_enabled=False)).new_page()
        await bare.goto(doors.read.url)
        await expect(bare.locator(".fees")).to_contain_text("Next base fee")
        await expect(bare.locator(".fees tbody tr")).to_have_count(8)
        await expect(bare.locator("figure.fan")).to_be_hidden()
