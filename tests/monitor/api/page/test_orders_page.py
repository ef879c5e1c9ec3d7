"""Orders from the page in a real browser: on the admin listener only, with a token, a reason and the name typed out."""

import pytest
from playwright.async_api import Page, expect

from tests.monitor.api.conftest import SECRET, Doors
from tests.support.browser import chromium


async def order(page: Page, button: str, typed: str, reason: str = "drill") -> None:
    """Press a button of the board and fill in what it asks for."""
    await page.locator(f"#{button}").click()
    if await page.locator("#order-reason").is_visible():
        await page.locator("#order-reason").fill(reason)
    await page.locator("#order-typed").fill(typed)
    await page.locator("#order-go").click()


@pytest.mark.slow
async def test_the_read_listener_offers_no_order_and_the_admin_listener_does(doors: Doors) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(doors.read.url)
        await expect(page.locator("#link")).to_have_text("Live")
        assert await page.locator("button, dialog, input").count() == 0
        async with doors.http.get(f"{doors.read.url}/") as answer:
            assert "orders.js" not in await answer.text()
        await page.goto(doors.admin.url)
        await expect(page.locator("#o-bank-pause")).to_be_visible()
        bare = await (await browser.new_context(java_script_enabled=False)).new_page()
        await bare.goto(doors.admin.url)
        await expect(bare.locator("#o-bank-pause")).to_be_hidden()


@pytest.mark.slow
async def test_a_pause_takes_a_token_a_reason_and_the_name_and_a_resume_the_state_that_was_seen(doors: Doors) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await page.goto(doors.admin.url)
        await page.locator("#token").fill(SECRET)
        await order(page, "o-bank-pause", "vault")
        await expect(page.locator("#order-said")).to_contain_text("Nothing was sent")
        assert sent == []
        await page.locator("#order-typed").fill("bank")
        await page.keyboard.press("Enter")
        await expect(page.locator("#i-bank .state")).to_contain_text("Do not use")
        await expect(page.locator("#live")).to_contain_text("drill")
        await expect(page.locator("#done")).to_contain_text("bank is at pause")
        (made,) = doors.desk.made
        assert (made.decision.by, made.decision.reason) == ("human:ops", "drill")

        await page.locator("#o-bank-resume").click()  # the dialog has seen this revision; meanwhile somebody pauses again
        (await doors.pause("the second reason")).release()
        await page.locator("#order-reason").fill("over")
        await page.locator("#order-typed").fill("bank")
        await page.locator("#order-go").click()
        await expect(page.locator("#order-said")).to_contain_text("Precondition Failed: resume bank: you saw revision")
        await page.keyboard.press("Escape")
        await expect(page.locator("#i-bank .why")).to_contain_text("drill")
        await order(page, "o-bank-resume", "bank", "over")
        await expect(page.locator("#i-bank .state")).to_contain_text("Safe to use")

        await order(page, "o-bank-override", "bank", "maintenance")
        await expect(page.locator("#i-bank .state")).to_contain_text("Unprotected, by order")
        told = "[localStorage.length, sessionStorage.length, document.cookie, document.documentElement.outerHTML]"
        kept = await page.evaluate(told)
        assert kept[:3] == [0, 0, ""]
        assert SECRET not in kept[3]


@pytest.mark.slow
async def test_a_critical_integration_is_resumed_by_two_people_each_on_their_own_page(doors: Doors) -> None:
    (await doors.pause("drill", integration="vault")).release()
    async with chromium() as browser:
        first, second = await browser.new_page(), await browser.new_page()
        for page, secret in ((first, SECRET), (second, "second-person")):
            await page.goto(doors.admin.url)
            await page.locator("#token").fill(secret)
        await order(first, "o-vault-resume", "vault", "explained")
        await expect(first.locator("#done")).to_contain_text("a second person must approve")
        await expect(first.locator("#i-vault .state")).to_contain_text("Do not use")
        await first.locator("#approvals button").click()
        await first.locator("#order-typed").fill("vault")
        await first.locator("#order-go").click()
        await expect(first.locator("#order-said")).to_contain_text("Not allowed: resume of vault takes a second person")
        await second.locator("#token").press("Enter")
        await second.locator("#approvals button").click()
        await second.locator("#order-typed").fill("vault")
        await second.locator("#order-go").click()
        for page in (first, second):
            await expect(page.locator("#i-vault .state")).to_contain_text("Safe to use")


@pytest.mark.slow
async def test_a_refusal_is_shown_as_the_api_says_it_and_an_incident_is_taken_up(doors: Doors) -> None:
    (await doors.pause("drill")).release()
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(doors.admin.url)
        await page.locator("#token").fill("bot-secret")
        await order(page, "o-bank-resume", "bank")
        await expect(page.locator("#order-said")).to_have_text("Forbidden: token bot has no scope 'resume'; it has ['pause']")
        await page.keyboard.press("Escape")
        await page.locator("#token").fill("nobody's")
        await order(page, "o-bank-pause", "bank")
        await expect(page.locator("#order-said")).to_contain_text("Unauthorized: ")
        await page.keyboard.press("Escape")
        await page.locator("#token").fill(SECRET)
        await page.locator("#live .orders button").click()
        await page.locator("#order-reason").fill("I look")
        await page.locator("#order-typed").fill("bank")
        await page.locator("#order-go").click()
        await expect(page.locator("#live")).to_contain_text("Acknowledged by ops", timeout=10_000)


@pytest.mark.slow
async def test_a_pause_may_leave_the_way_out_open_and_everything_can_be_paused_at_once(doors: Doors) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(doors.admin.url)
        await page.locator("#token").fill(SECRET)
        await page.locator("#o-bank-pause").click()
        await page.locator("#order-level").select_option("exits_only")
        await page.locator("#order-review").fill("30")
        await page.locator("#order-reason").fill("odd withdrawals")
        await page.locator("#order-typed").fill("bank")
        await page.locator("#order-go").click()
        await expect(page.locator("#i-bank .state")).to_contain_text("Only take money out")
        await expect(page.locator("#i-bank .holds")).to_contain_text("to be reviewed by")
        await order(page, "o-everything", "everything", "the bridge is gone")
        await expect(page.locator(".headline")).to_contain_text("3 of 3 integrations paused")
        await expect(page.locator("#done")).to_contain_text("bank is at pause, pool.v2 is at pause, vault is at pause")
