"""Chains and shadow on the page: do we see, and what would have happened where we only watch?"""

from collections.abc import Mapping
from html import escape

from monitor.api.page.story import STATES
from monitor.api.page.view import View
from monitor.api.page.words import foreign, lasted, section, shape, table
from monitor.breaker.holds import Mode
from monitor.breaker.machine import Breaker


def chains(view: View) -> str:
    """How fresh what we know of each chain is."""
    if not view.chains:
        return section("chains", "Chains", '<p class="quiet">No chain is configured.</p>')
    titles = ("Chain", "We see it", "Head", "Processed", "Node", "Judging", "Pending", "Given up")
    rows = ((f"c-{name}", _chain(name, facts)) for name, facts in view.chains.items())
    return section("chains", "Chains", table("chains", titles, rows))


def _chain(name: str, facts: Mapping[str, object]) -> list[str]:
    trouble, alone = facts.get("trouble"), facts.get("degraded")
    state, word = ("unknown", f"No: {trouble}") if trouble else ("limited", f"Yes: {alone}") if alone else ("run", "Yes")
    told = ("head", "age", "node", "judging", "mempool", "given_up")
    return [
        escape(name),
        f'<span class="{state}">{shape(state)} {foreign(word)}</span>',
        *(_value(facts.get(key)) for key in told),
    ]


def _value(value: object) -> str:
    return '<span class="quiet">none</span>' if value is None or value == "" else foreign(value)


def shadow(view: View) -> str:
    """What would have happened where the flag is left alone; nothing at all where nothing is in shadow."""
    asleep = {name: one for name, one in sorted(view.breakers.items()) if one.mode is Mode.SHADOW or one.shadowed}
    if not asleep:
        return ""
    titles = ("In shadow", "Now", "Would have been paused", "For", "Findings of shadowed detectors that would pause")
    rows = ((f"w-{name}", _shadowed(name, breaker, view)) for name, breaker in asleep.items())
    told = (
        '<p class="quiet">Decided and reported only; no flag was turned. <code>seawall shadow report</code> weighs what '
        "enforcing would have cost and saved, over the whole journal.</p>"
    )
    return section("shadow", "What shadow would have done", told + table("shadow", titles, rows))


def _shadowed(name: str, breaker: Breaker, view: View) -> list[str]:
    mine = [story for story in view.stories if story.integration == name and story.shadow]
    ran = sum((view.now if story.ended is None else story.ended) - story.began for story in mine)
    whole = breaker.mode is Mode.SHADOW
    state = "limited" if breaker.would_pause else "run"
    now = f"would be {STATES[breaker.state]}" if breaker.would_pause else "would be in use" if whole else "enforced"
    return [
        escape(name),
        f'<span class="{state}">{shape(state)} {escape(now)}</span>',
        f"{len(mine)} times" if len(mine) != 1 else "once",
        lasted(ran) if mine else "not at all",
        str(len(breaker.shadowed)),
    ]
