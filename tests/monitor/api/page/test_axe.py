"""axe-core over every state that the page has, in a real browser, dark and light: nothing serious, nothing critical."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from monitor.breaker.holds import Decision
from monitor.breaker.policy import Rules, judge
from monitor.breaker.sightings import Sighting
from tests.monitor.api.conftest import Doors, doors_with
from tests.monitor.api.test_tree import TREE
from tests.support.axe import grave
from tests.support.browser import chromium
from tests.support.fees import Seer, fed
from tests.support.findings import CHAIN, finding


def decided(decision: Decision, seen: Sighting) -> tuple[list[Decision], list[Sighting]]:
    return [decision], [seen]


async def attacked(doors: Doors) -> str:
    """Both bank and pool.v2 are hit; the one is paused, the other in shadow. The decision's id."""
    found = finding()
    for name in ("bank", "pool.v2"):
        decision, _ = judge(doors.desk.fold.breaker(name), [found], Rules(), 1000.0, 10, "default")
        assert decision is not None
        seen = Sighting(finding=found.id, seen_at=1000.0, shown_at=1000.004, tree=TREE)
        await doors.desk.decide(partial(decided, decision, seen))
    return doors.desk.made[0].decision.id


async def healthy(page: Page, doors: Doors) -> None:
    await page.goto(doors.read.url)
    await expect(page.locator(".headline")).to_contain_text("safe to use")
    await expect(page.locator("figure.fan canvas")).to_be_visible()


async def paused(page: Page, doors: Doors) -> None:
    await attacked(doors)
    (await doors.pause("by hand", integration="vault")).release()
    await page.goto(doors.read.url)
    await expect(page.locator("#live details.finding").first).to_be_visible()
    await page.locator("details.finding").first.evaluate("finding => { finding.open = true }")
    await expect(page.locator(".path img").first).to_be_visible()


async def unknown(page: Page, doors: Doors) -> None:
    doors.board.blind_now(CHAIN, "the node serves another chain")
    await page.goto(doors.read.url)
    await expect(page.locator(".headline")).to_contain_text("cannot be vouched for")


async def incident(page: Page, doors: Doors) -> None:
    which = await attacked(doors)
    await page.goto(f"{doors.read.url}/incidents/{which}")
    await expect(page.locator(".timeline li").first).to_be_visible()


async def ordering(page: Page, doors: Doors) -> None:
    await attacked(doors)
    await page.goto(doors.admin.url)
    await page.locator("#o-bank-override").click()
    await page.locator("#order-go").click()
    await expect(page.locator("#order-said")).to_contain_text("Nothing was sent")


async def lost(page: Page, doors: Doors) -> None:
    await healthy(page, doors)
    await page.route("**/board", lambda route: route.abort())
    await expect(page.locator("#link")).to_contain_text("Do not trust it", timeout=15_000)


State = Callable[[Page, Doors], Awaitable[None]]
STATES: list[State] = [healthy, paused, unknown, incident, ordering, lost]


async def looked_at(browser: Browser, doors: Doors, state: State, folder: Path) -> dict[str, list[str]]:
    """What axe finds in one state, light on a desk and dark on a telephone. A picture of the last is kept."""
    page = await browser.new_page(viewport={"width": 1180, "height": 860})
    await state(page, doors)
    found = {}
    for scheme, width in (("light", 1180), ("dark", 360)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        await page.set_viewport_size({"width": width, "height": 860})
        found[f"{state.__name__}, {scheme}, {width} wide"] = await grave(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (state, scheme, width)
    await page.screenshot(path=folder / f"{state.__name__}.png", full_page=True)
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_nothing_serious_in_any_state_light_or_dark_on_a_desk_or_a_telephone(tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    async with chromium() as browser:
        for state in STATES:
            folder = tmp_path / state.__name__
            folder.mkdir()
            async with doors_with(folder, gas={"ethereum": Seer(fed())}) as doors:
                found |= await looked_at(browser, doors, state, tmp_path)
    assert len(found) == 2 * len(STATES)
    assert {where: faults for where, faults in found.items() if faults} == {}


PALE = """() => {
    const pale = new CSSStyleSheet();
    pale.replaceSync('h3 { color: #dddddd }');
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, pale];
}"""
"""Holds for headings that the page draws anew, too."""


@pytest.mark.slow
async def test_a_picture_without_words_and_pale_writing_would_be_found(doors: Doors) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(doors.read.url)
        await page.evaluate("document.querySelector('h1 img').removeAttribute('alt')")
        await page.evaluate(PALE)
        assert {fault.partition(" ")[0] for fault in await grave(page)} == {"image-alt", "color-contrast"}
