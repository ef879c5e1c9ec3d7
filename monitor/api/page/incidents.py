"""Incidents on the page: what happened when, what was found, on which call path; the standing ones first."""

from collections.abc import Iterable, Sequence
from html import escape

from alerts.window import Window
from detectors.base import Finding
from detectors.execution.path import CallTree
from monitor.api.page.story import STATES, Step, Story, acknowledged, evidence, timeline
from monitor.api.page.view import View
from monitor.api.page.words import badge, facts, foreign, lasted, section, text, when
from monitor.breaker.holds import HUMAN, State

MOST_LIVE, MOST_OVER, MOST_NOTED = 12, 12, 8
"""Incidents shown on the first page; older ones have pages of their own."""

MOST_FINDINGS = 3
"""Findings shown of one incident there, the surest."""

_BESIDE = 60.0
"""Seconds after the first step within which a step is timed from it."""


def live(view: View) -> str:
    """Those that stand."""
    shown = [story for story in view.stories if story.live]
    told = "".join(_incident(story, view, unfolded=True) for story in shown[:MOST_LIVE])
    more = f'<p class="quiet">{len(shown) - MOST_LIVE} more among the incidents as JSON</p>' if len(shown) > MOST_LIVE else ""
    none = '<p class="quiet">None.</p>'
    return section("live", "Live incidents", f'<div class="incidents" id="live-list">{told}</div>{more}' if told else none)


def over(view: View) -> str:
    """Those that are over."""
    shown = [story for story in view.stories if not story.live]
    told = "".join(_incident(story, view, unfolded=False) for story in shown[:MOST_OVER])
    return section("over", "What happened before", f'<div class="incidents" id="over-list">{told}</div>') if told else ""


def noted(view: View) -> str:
    """What was found lately and stopped nothing."""
    telling = {key for story in view.stories for key in story.found}
    loose = [(f.at, name, f) for name, one in view.breakers.items() for f in one.findings if f.id not in telling]
    newest = sorted(loose, key=lambda item: -item[0])[:MOST_NOTED]
    told = "".join(
        f'<div class="noted" id="n-{escape(name)}-{escape(f.id)}">{alone(f, view, name, f"{name}: ")}</div>'
        for _, name, f in newest
    )
    return section("noted", "Noticed; nothing was stopped", told) if told else ""


def whole(story: Story, view: View, window: Window | None = None) -> str:
    """One incident on a page of its own, with what is to be reconciled."""
    name = escape(story.integration)
    head = f"<h2>{name}: {escape(_now(story))}</h2><p>{text(_why(story))}</p>{_facts(story, view)}"
    none = '<p class="quiet">None: it was ordered.</p>'
    findings = _findings(evidence(story, view.known), view, story.id, opened=True) or none
    ids = facts((("incident", story.id), ("integration", story.integration)))
    raw = (
        f'<p class="ways"><a href="/v1/incidents/{escape(story.id)}">as JSON</a> '
        f'<a href="/v1/incidents/{escape(story.id)}/window">what to reconcile</a> <a href="/">all integrations</a></p>'
    )
    return (
        f'<article class="incident whole {_class(story)}" id="s-{escape(story.id)}">{head}{_take_up(story, view)}</article>'
        + section("timeline", "What happened when", _timeline(timeline(story, view.known), view.now))
        + section("evidence", "What was found", findings)
        + section("reading", "To go on with", _window(window) + ids + raw)
    )


def _window(window: Window | None) -> str:
    """The danger window in two lines."""
    if window is None or window.start is None or window.end is None:
        return ""
    last = "so far" if window.open else "when it was resumed"
    part = "" if window.complete else f" Not all of it is known: {text(window.why)}."
    blocks = f"Blocks {window.start.number} to {window.end.number} ({last})"
    return f"<p>{blocks}, {window.transactions_total} transactions in them touched it.{part}</p>"


def unheeded(name: str, finding: Finding, view: View) -> str:
    """A finding that changed nothing, on a page of its own."""
    told = f'<p>{text(finding.title)}</p><p class="since">{when(finding.at, view.now)}; nothing was stopped.</p>'
    head = f'<article class="incident whole over" id="s-{escape(finding.id)}"><h2>{escape(name)}: noticed</h2>{told}</article>'
    return head + section("evidence", "What was found", alone(finding, view, name, opened=True))


def alone(finding: Finding, view: View, place: str, whose: str = "", *, opened: bool = False) -> str:
    """A finding that stands beside no other, with its call path."""
    sighting = view.sightings.get(finding.id)
    path = _path(finding, sighting.tree if sighting is not None else None)
    return _finding(finding, view, place, path, whose, opened=opened)


def _incident(story: Story, view: View, *, unfolded: bool) -> str:
    key = escape(story.id)
    every = evidence(story, view.known)
    shown = every[:MOST_FINDINGS]
    left = len(every) - len(shown)
    findings = _findings(shown, view, story.id) + (f'<p class="quiet">{left} more on its page</p>' if left else "")
    when_what = (
        f'<details id="t-{key}"{" open" if unfolded else ""}><summary>What happened when</summary>'
        f"{_timeline(timeline(story, view.known), view.now)}</details>"
    )
    return (
        f'<article class="incident {_class(story)}" id="s-{key}"><h3><a href="/incidents/{key}" id="a-{key}">'
        f"{escape(story.integration)}</a>: {escape(_now(story))}</h3><p>{text(_why(story))}</p>{_facts(story, view)}"
        f"{when_what}{findings}{_take_up(story, view)}</article>"
    )


def _class(story: Story) -> str:
    return ("shadow" if story.shadow else "pause") if story.live else "over"


def _now(story: Story) -> str:
    """What it has come to."""
    after = story.decisions[-1].decision.after
    if story.shadow:
        return f"would be {STATES[after]}" if story.live else "would have been paused"
    return STATES[after] if story.live or after is State.FORCED_CLOSED else "over"


def _why(story: Story) -> str:
    opening = story.decisions[0].decision
    return opening.reason or f"{STATES[opening.before]} → {STATES[opening.after]}"


def _facts(story: Story, view: View) -> str:
    """When it began and ended, and who has taken it up."""
    until = story.ended
    ran = lasted((view.now if until is None else until) - story.began)
    shadow = f"{badge('shadow')} the flag was left alone. " if story.shadow else ""
    taken = acknowledged(story, view.known)
    who = "" if story.shadow else "Nobody has taken it up yet." if story.live else ""
    if taken is not None:
        through = f" through {text(taken.via)}" if taken.via else ""
        who = f"Acknowledged by {text(taken.by.removeprefix(HUMAN))}{through}, {when(taken.at, view.now)}."
    over_at = "" if until is None else f" to {when(until, view.now)}"
    return f'<p class="since">{shadow}{when(story.began, view.now)}{over_at}, {ran}. {who}</p>'


def _take_up(story: Story, view: View) -> str:
    if not view.acting or not story.live or acknowledged(story, view.known) is not None:
        return ""
    key, name = escape(story.id), escape(story.integration)
    return (
        f'<p class="orders"><button type="button" id="o-{key}" data-order="acknowledge" data-for="{key}" data-type="{name}" '
        f'aria-label="Acknowledge the incident of {name}">Acknowledge…</button></p>'
    )


def _timeline(steps: Iterable[Step], now: float) -> str:
    """In order, each with how long after the first."""
    steps = list(steps)
    first = steps[0].at if steps else now
    return f'<ol class="timeline">{"".join(_step(step, first, now) for step in steps)}</ol>'


def _step(step: Step, first: float, now: float) -> str:
    after = step.at - first
    took = f' <span class="after">+{lasted(after)}</span>' if 0 < after < _BESIDE else ""
    more = f", {step.times} times, last {when(step.last, now)}" if step.times > 1 else ""
    by = f' <span class="by">by {text(step.by)}</span>' if step.by else ""
    return (
        f'<li class="{escape(step.sort)}">{when(step.at, now, exact=True)}{took} <strong>{escape(step.sort)}</strong> '
        f"{text(step.words)}{more}{by}</li>"
    )


def _findings(findings: Sequence[Finding], view: View, place: str, *, opened: bool = False) -> str:
    """Each of them; a call path that two rest on is drawn once. `place` tells them from the same ones in another incident."""
    told, drawn = "", set[CallTree]()
    for finding in findings:
        sighting = view.sightings.get(finding.id)
        tree = sighting.tree if sighting is not None else None
        again = tree in drawn
        drawn |= {tree} if tree is not None else set()
        told += _finding(finding, view, place, _path(finding, tree, again=again), opened=opened)
    return told


def _finding(finding: Finding, view: View, place: str, path: str, whose: str = "", *, opened: bool = False) -> str:
    """One finding with its numbers and its call path (HTML)."""
    back = _back(finding, view)
    taken = f'<p class="doubt">Taken back: {text(back)}</p>' if back else ""
    said = f"{finding.detector} {finding.kind}, {finding.severity} ({finding.confidence:.2f})"
    what = f"{badge('taken back' if back else str(finding.stage))} {escape(whose)}{foreign(said)}: {text(finding.title)}"
    about = {"victims": ", ".join(finding.victims), "transaction": finding.tx or "none", "chain": finding.chain}
    if finding.position is not None:
        about["block"] = str(finding.position.height)
    key = f"f-{escape(place)}-{escape(finding.id)}"
    return (
        f'<details class="finding {finding.severity}" id="{key}"{" open" if opened else ""}><summary>{what}</summary>'
        f"{taken}{facts((*finding.evidence.items(), *about.items()))}{path}</details>"
    )


def _back(finding: Finding, view: View) -> str:
    """Why the chain took it back; empty where it stands."""
    gone = [news for one in view.breakers.values() for news in one.retracted if news.finding.id == finding.id]
    if not gone or any(finding.id == one.id for breaker in view.breakers.values() for one in breaker.findings):
        return ""
    return gone[0].reason


def _path(finding: Finding, tree: CallTree | None, *, again: bool = False) -> str:
    """The call path as a picture, asked for only once it is unfolded; what it says in words is in its own description."""
    if tree is None:
        return ""
    where = f"/v1/incidents/{escape(finding.id)}/tree.svg"
    told = f"Call path, {len(tree.calls)} of {tree.frames} calls"
    if again:
        return f'<p class="path"><a href="{where}">{told}, as above</a></p>'
    return f'<p class="path"><a href="{where}"><img src="{where}" loading="lazy" alt="{told}"></a></p>'
