"""Refreshing touches only what differs, and still ends at exactly what the server said: random boards, one becoming the next."""

import random

import pytest

from tests.monitor.api.conftest import Doors
from tests.support.browser import chromium

BECOME = """
async (boards) => {
  const board = document.getElementById("board"), wrong = [];
  let answer = "";
  window.fetch = async () => new Response(answer);
  const said = (html) => { const made = document.createElement("template"); made.innerHTML = html; return made.innerHTML; };
  for (const html of boards) {
    answer = html;
    document.dispatchEvent(new Event("seawall:refresh"));
    for (let wait = 0; wait < 50 && board.innerHTML !== said(html); wait++) await new Promise((done) => setTimeout(done, 1));
    if (board.innerHTML !== said(html)) wrong.push([html, board.innerHTML]);
  }
  return wrong;
}
"""


def grown(chance: random.Random, depth: int, names: list[str]) -> str:
    """A few elements, some with ids (each once), some moved, with other words or attributes than before."""
    parts = []
    for _ in range(chance.randint(0, 4)):
        name = names.pop(chance.randrange(len(names))) if names and chance.random() < 0.6 else ""
        tag = chance.choice(("div", "ul", "li", "span", "section"))
        inner = grown(chance, depth - 1, names) if depth else ""
        words = chance.choice(("", "Safe to use", "Do not use", "2 s ago &amp; <b>more</b>"))
        named = f' id="{name}"' if name else ""
        colour = f' class="{chance.choice(("run", "pause"))}"' if chance.random() < 0.5 else ""
        parts.append(f"{words}<{tag}{named}{colour}>{inner}</{tag}>")
    return "".join(parts)


@pytest.mark.slow
async def test_whatever_the_board_was_it_becomes_what_the_server_says(doors: Doors) -> None:
    chance = random.Random(7)
    boards = [grown(chance, 3, [f"n{number}" for number in range(12)]) for _ in range(300)]
    assert len(set(boards)) > 200
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(doors.read.url)
        await page.locator("#link.live").wait_for()
        wrong = await page.evaluate(BECOME, boards)
    assert wrong[:1] == []
