"""A real Chromium, driven headless; never a download: Debian's binary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.support.parts import need

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the length of a block."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=need("chromium"), args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
