"""The page in a real browser: it shows the state, follows a change by itself, and stays honest when the server goes."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.monitor.api.conftest import Doors
from tests.support.browser import chromium


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


@pytest.mark.slow
async def test_it_fits_a_phone_and_works_without_scripts(doors: Doors) -> None:
    await doors.pause("a reason that is long enough to need more than one line on the screen of a telephone " * 2)
    async with chromium() as browser:
        page, _ = await opened(browser, doors, width=360)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        bare = await (await browser.new_context(java_script_enabled=False)).new_page()
        await bare.goto(doors.read.url)
        await expect(bare.locator("#i-bank .state")).to_contain_text("Do not use")
