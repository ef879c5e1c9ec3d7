"""The integrations, one card each, worst first: may we use it, and why not?"""

from collections.abc import Sequence
from html import escape

from monitor.api.page.story import STATES, Story
from monitor.api.page.view import View
from monitor.api.page.words import badge, facts, lasted, shape, text, when
from monitor.breaker.actuators.base import Readiness
from monitor.breaker.flags import Flag, Shown
from monitor.breaker.holds import Hold, Level, State
from monitor.breaker.machine import Breaker

ORDER = ("pause", "unknown", "limited", "run")
"""Worst first."""

_EXITS = str(Level.EXITS_ONLY)


def look(flag: Flag) -> str:
    """How a flag looks: its state, or `limited` where it may be used only in part or on somebody's word.

    These are classes, colours and shapes; `word` says it.
    """
    if flag.state is not Shown.RUN:
        return str(flag.state)
    return "limited" if flag.max_share < 1 or flag.breaker is State.FORCED_CLOSED else "run"


def word(flag: Flag) -> str:
    """May we use it?"""
    if flag.state is Shown.UNKNOWN:
        return "Unknown"
    if flag.state is Shown.PAUSE:
        return "Only take money out" if flag.level == _EXITS else "Do not use"
    if flag.breaker is State.FORCED_CLOSED:
        return "Unprotected, by order"
    return "Safe to use" if flag.max_share >= 1 else f"Use for {flag.max_share:.0%} of traffic"


def headline(view: View) -> str:
    """The answer for all of them in one line."""
    flags = view.flags.values()
    count = {kind: sum(look(flag) == kind for flag in flags) for kind in ORDER}
    said = {
        "pause": f"{count['pause']} of {len(flags)} integrations paused",
        "unknown": f"{count['unknown']} of {len(flags)} integrations cannot be vouched for",
        "limited": f"{count['limited']} of {len(flags)} integrations in use within limits",
        "run": f"All {len(flags)} integrations are safe to use" if flags else "No integration is configured",
    }
    worst = next((kind for kind in ORDER if count[kind]), "run")
    rest = [said[kind] for kind in ORDER[1:3] if kind != worst and count[kind]]
    more = f' <span class="also">{escape("; ".join(rest))}</span>' if rest else ""
    return f'<p class="headline {worst}" id="headline">{shape(worst)} {escape(said[worst])}{more}</p>'


def cards(view: View) -> str:
    """All of them."""
    rows = sorted(view.flags.values(), key=lambda flag: (ORDER.index(look(flag)), flag.integration))
    latest = {story.integration: story for story in reversed(view.stories) if story.live}
    made = "".join(_card(flag, view, latest.get(flag.integration)) for flag in rows)
    return f'<ul class="cards" id="cards">{made}</ul>'


def _card(flag: Flag, view: View, story: Story | None) -> str:
    name, kind = escape(flag.integration), look(flag)
    breaker = view.breakers.get(flag.integration) or Breaker(integration=flag.integration)
    return (
        f'<li class="card {kind}" id="i-{name}"><h3>{name}</h3>'
        f'<p class="state">{shape(kind)} {escape(word(flag))}</p>{_why(flag, view.now)}{_would(breaker)}'
        f"{_holds(breaker, view.now)}{_exit(view.exit(flag.integration))}{_more(story)}"
        + facts(
            (
                ("Breaker", STATES[flag.breaker]), ("Mode", flag.mode), ("Risk", f"{flag.risk:.2f}"),
                ("Share", f"{flag.max_share:.0%}"), ("Revision", flag.revision),
            )
        )
        + (_orders(flag, breaker) if view.acting else "")
        + "</li>"
    )  # fmt: skip


def _why(flag: Flag, now: float) -> str:
    if flag.state is Shown.RUN and look(flag) == "run":
        return ""
    since = f" Since {when(flag.since, now)}, for {lasted(now - flag.since)}." if flag.since > 0 else ""
    blind = ""
    if flag.state is Shown.UNKNOWN:
        blind = " Readers are told not to use it." if flag.paused else " Readers go on as before."
    disk = " Not on disk yet." if flag.pending else ""
    return f'<p class="why">{text(flag.reason) or "No reason was given"}</p><p class="since">{since}{blind}{disk}</p>'


def _would(breaker: Breaker) -> str:
    if not breaker.would_pause:
        return ""
    return f'<p class="would">{badge("shadow")} Would be {escape(STATES[breaker.state])}: {text(breaker.reason)}</p>'


def _exit(readiness: Readiness | None) -> str:
    """Would a pause on the chain itself succeed? Nothing where none is configured."""
    if readiness is None:
        return ""
    told = {True: "would succeed", False: "would fail", None: "cannot be vouched for"}[readiness.ready]
    state = {True: "run", False: "pause", None: "unknown"}[readiness.ready]
    why = f": {text(readiness.why)}" if readiness.why else ""
    return f'<p class="exit"><span class="{state}">{shape(state)} A pause on the chain {told}</span>{why}</p>'


def _more(story: Story | None) -> str:
    if story is None:
        return ""
    key, name = escape(story.id), escape(story.integration)
    told = f'The incident<span class="unseen"> of {name}</span>, step by step'
    return f'<p class="more"><a href="/incidents/{key}" id="m-{key}">{told}</a></p>'


def _holds(breaker: Breaker, now: float) -> str:
    """Who holds it, oldest first, each with all that it holds it for."""
    found: dict[str, list[Hold]] = {}
    for hold in sorted(breaker.holds.values(), key=lambda hold: hold.since):
        found.setdefault(hold.source, []).append(hold)
    held = "".join(_held(source, holds, now) for source, holds in found.items())
    return f'<ul class="holds">{held}</ul>' if held else ""


def _held(source: str, holds: Sequence[Hold], now: float) -> str:
    more = f", {len(holds)} times, last {when(holds[-1].since, now)}" if len(holds) > 1 else ""
    due = f", to be reviewed by {when(until, now)}" if holds[-1].forced and (until := holds[-1].until) is not None else ""
    stage = "" if holds[-1].forced else f"{badge(str(holds[-1].stage))} "
    return f"<li>{stage}{text(source)} since {when(holds[0].since, now)}{more}{due}</li>"


def _orders(flag: Flag, breaker: Breaker) -> str:
    wanted = ["pause", *(["resume"] if breaker.holds or breaker.bypass_until is not None else []), "override"]
    name = escape(flag.integration)
    buttons = "".join(
        f'<button type="button" id="o-{name}-{order}" data-order="{order}" data-for="{name}" data-type="{name}" '
        f'data-revision="{flag.revision}" aria-label="{order.capitalize()} {name}">{order.capitalize()}…</button>'
        for order in wanted
    )
    return f'<p class="orders">{buttons}</p>'
