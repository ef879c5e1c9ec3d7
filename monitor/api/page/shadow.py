"""What shadow would have done, on the page: integrations whose flag is left alone, and detectors that are only tried."""

from html import escape

from monitor.api.page.incidents import alone
from monitor.api.page.story import STATES
from monitor.api.page.view import View
from monitor.api.page.words import lasted, section, shape, table
from monitor.breaker.holds import Mode
from monitor.breaker.machine import Breaker
from monitor.breaker.shadows import WouldPause

MOST = 8
"""Findings of shadowed detectors shown, newest first."""


def shadow(view: View) -> str:
    """Nothing at all where nothing is in shadow."""
    asleep = {name: one for name, one in sorted(view.breakers.items()) if one.mode is Mode.SHADOW or one.shadowed}
    if not asleep:
        return ""
    titles = ("In shadow", "Now", "Would have been paused", "For", "By detectors in shadow")
    rows = ((f"w-{name}", _row(name, breaker, view)) for name, breaker in asleep.items())
    told = (
        '<p class="quiet">Decided and reported only; no flag was turned. <code>seawall shadow report</code> weighs what '
        "enforcing would have cost and saved, over the whole journal.</p>"
    )
    newest = "".join(_would(news, view) for news in list(reversed(view.would))[:MOST])
    return section("shadow", "What shadow would have done", told + table("shadow", titles, rows) + newest)


def _row(name: str, breaker: Breaker, view: View) -> list[str]:
    mine = [story for story in view.stories if story.integration == name and story.shadow]
    ran = sum((view.now if story.ended is None else story.ended) - story.began for story in mine)
    whole = breaker.mode is Mode.SHADOW
    state = "limited" if breaker.would_pause else "run"
    now = f"would be {STATES[breaker.state]}" if breaker.would_pause else "would be in use" if whole else "enforced"
    return [
        escape(name),
        f'<span class="{state}">{shape(state)} {escape(now)}</span>',
        _times(len(mine)),
        lasted(ran) if mine else "not at all",
        _times(len(breaker.shadowed)),
    ]


def _would(news: WouldPause, view: View) -> str:
    """One finding of a detector in shadow, and what it would have cost at least."""
    cost = f"for {lasted(news.seconds)} of all traffic at least" if news.seconds else "while it was pending"
    whose = f"{news.integration}: would be a {news.level}, {cost}: "
    key = f"x-{news.integration}-{news.finding.stage}"
    found = alone(news.finding, view, key, whose)
    return f'<div class="noted" id="{escape(key)}-{escape(news.finding.id)}">{found}</div>'


def _times(count: int) -> str:
    """How often, in words.

    >>> _times(0), _times(1), _times(3)
    ('never', 'once', '3 times')
    """
    return "never" if not count else "once" if count == 1 else f"{count} times"
