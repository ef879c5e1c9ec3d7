"""From a flip to the page that shows it: a real `seawall run` over a real node, a real Chromium. `python -m benchmarks.page`.

A pause is ordered and resumed again and again while the page is open. Counted from the order sent, and for pauses from the moment
at which every reader was told (the daemon's own word), to the frame in which the card says so. Beside it: the first paint of the
page with scripts off. One JSON object, milliseconds. Goal: 500 ms from the flip.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser, Page

from monitor.demo.anvil import Anvil
from tests.support.browser import chromium
from tests.support.daemon import Daemon, settings

GOAL = 500.0
_WATCH = """
  window.seen = [];
  let was = "";
  const look = () => {
    const state = document.querySelector("#i-vault .state")?.textContent.trim() ?? "";
    if (state === was) return;
    was = state;
    requestAnimationFrame(() => window.seen.push([state, performance.timeOrigin + performance.now()]));
  };
  new MutationObserver(look).observe(document.getElementById("board"), {subtree: true, childList: true, characterData: true});
  look();
"""
_PAINTS = "performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime])"


def told(values: list[float]) -> dict[str, float | int]:
    """How many, median, p99 and worst."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        "count": len(ordered),
        "p50": round(statistics.median(ordered), 1),
        "p99": round(p99, 1),
        "max": round(ordered[-1], 1),
    }


async def painted(page: Page, word: str, after: float) -> float:
    """When (unix seconds) the card first said this word after that moment."""
    script = "([word, after]) => window.seen.find(([state, at]) => at > after && state.includes(word))"
    found = await page.wait_for_function(script, arg=[word, after * 1e3], timeout=15_000, polling=20)
    return float((await found.json_value())[1]) / 1e3


async def flips(page: Page, daemon: Daemon, rounds: int) -> dict[str, dict[str, float | int]]:
    """Pause and resume, so many times."""
    pauses, readable, resumes = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        for order, word, kept in (("pause", "Do not use", pauses), ("resume", "Safe to use", resumes)):
            began = time.time()
            done = await daemon.order(order)
            assert done["status"] == 200, done
            shown = await painted(page, word, began)
            kept.append(1e3 * (shown - began))
            if order == "pause":
                readable.append(1e3 * (shown - await readable_at(daemon)))
            await asyncio.sleep(0.6)  # a token may order once a second, thirty at once
    return {"order_to_pause_shown": told(pauses), "flip_to_pause_shown": told(readable), "order_to_resume_shown": told(resumes)}


async def readable_at(daemon: Daemon) -> float:
    """When the newest pause was readable at every door, unix seconds."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents") as answer:
        newest = (await answer.json())["incidents"][0]["id"]
    async with daemon.http.get(f"{daemon.read}/v1/incidents/{newest}") as answer:
        return float((await answer.json())["timing"]["readable_at"])


async def first_paints(browser: Browser, daemon: Daemon, rounds: int) -> dict[str, float | int]:
    """From the navigation to the first paint with content, scripts off, each in a fresh context with nothing cached."""
    took = []
    for _ in range(rounds):
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(daemon.read)
        await page.locator("#i-vault .state").wait_for()
        while "first-contentful-paint" not in (paints := dict(await page.evaluate(_PAINTS))):  # noqa: ASYNC110 - a browser
            await asyncio.sleep(0.02)  # what is there is not painted yet
        took.append(float(paints["first-contentful-paint"]))
        await context.close()
    return told(took)


async def measured(folder: Path, rounds: int) -> dict[str, object]:
    """All of it, once."""
    async with await Anvil.start("--block-time", "1") as node, Daemon(folder, settings(folder, node.ws)) as daemon:
        await daemon.until("run")
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(daemon.read)
            await page.locator("#link.live").wait_for()
            skew = 1e3 * time.time() - float(await page.evaluate("performance.timeOrigin + performance.now()"))
            await page.evaluate(_WATCH)
            shown = await flips(page, daemon, rounds)
            bare = await first_paints(browser, daemon, max(5, rounds // 4))
            await daemon.stop()
    return {"clock_skew_at_most_ms": round(skew, 1), **shown, "first_paint_without_scripts": bare}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), rounds))
    report = {"benchmark": "page", "load_before": round(os.getloadavg()[0], 2), "goal_ms": GOAL, **found}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
