"""Takes the README's picture of the page during the show: `make picture` (needs Chromium)."""

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path

from playwright.async_api import ViewportSize, async_playwright

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "page.png"
_SIZE: ViewportSize = {"width": 1180, "height": 1240}


async def take() -> None:
    """Run the show to its end, open the page, and take the picture."""
    show = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "demo", "--json",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if show.stdout is None:
            raise RuntimeError("the show has no output")
        url = json.loads(await show.stdout.readline())["url"]
        await show.stdout.readline()
        async with async_playwright() as play:
            browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
            page = await browser.new_page(viewport=_SIZE)
            await page.goto(url)
            await page.locator("#link.live").wait_for()
            await page.locator("#live .timeline .recorded").first.wait_for()
            await page.screenshot(path=PICTURE)
            await browser.close()
    finally:
        show.send_signal(signal.SIGINT)
        await show.wait()


if __name__ == "__main__":
    asyncio.run(take())
