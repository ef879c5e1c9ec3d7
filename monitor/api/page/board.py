"""What the page shows, as HTML: integrations, incidents, chains. Every text is escaped here and nowhere else."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType

from detectors.base import Finding
from monitor.breaker.desk import Made
from monitor.breaker.flags import Flag, Shown
from monitor.breaker.holds import Hold
from monitor.breaker.machine import Breaker
from monitor.breaker.sightings import Sighting

_WORDS = {Shown.RUN: "Safe to use", Shown.PAUSE: "Do not use", Shown.UNKNOWN: "Unknown"}
_SHAPES = {Shown.RUN: "●", Shown.PAUSE: "■", Shown.UNKNOWN: "▲"}
_INCIDENTS_SHOWN = 20
_HEX = re.compile(r"\b0x[0-9a-f]{40,64}\b")


def render(
    flags: Mapping[str, Flag],
    breakers: Mapping[str, Breaker],
    made: Sequence[Made],
    chains: Mapping[str, Mapping[str, object]],
    seen: Mapping[str, Sighting] = MappingProxyType({}),
) -> str:
    """The board: a headline, the integrations (worst first), the newest incidents, the chains."""
    order = [Shown.PAUSE, Shown.UNKNOWN, Shown.RUN]
    rows = sorted(flags.values(), key=lambda flag: (order.index(flag.state), flag.integration))
    cards = "".join(_card(flag, breakers.get(flag.integration)) for flag in rows)
    newest = list(reversed(made))[:_INCIDENTS_SHOWN]
    incidents = "".join(_incident(one, seen) for one in newest) or '<li class="quiet">Nothing has happened.</li>'
    return (
        _headline(rows)
        + _section("integrations", "Integrations", f'<ul class="cards">{cards}</ul>')
        + _section("incidents", "What happened", f'<ol class="incidents">{incidents}</ol>')
        + _section("chains", "Chains", _chains(chains))
    )


def _section(name: str, title: str, inner: str) -> str:
    return f'<section aria-labelledby="h-{name}"><h2 id="h-{name}">{title}</h2>{inner}</section>'


def _facts(facts: Iterable[tuple[str, object]]) -> str:
    """Names with their values, all escaped."""
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value)[:200])}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{shown}</dl>'


def _headline(flags: Sequence[Flag]) -> str:
    count = {state: sum(flag.state is state for flag in flags) for state in Shown}
    if count[Shown.PAUSE]:
        worst, text = Shown.PAUSE, f"{count[Shown.PAUSE]} of {len(flags)} integrations paused"
    elif count[Shown.UNKNOWN]:
        worst, text = Shown.UNKNOWN, f"{count[Shown.UNKNOWN]} of {len(flags)} integrations cannot be vouched for"
    else:
        worst, text = Shown.RUN, f"All {len(flags)} integrations are safe to use"
    return f'<p class="headline {worst}" role="status"><span class="shape" aria-hidden="true">{_SHAPES[worst]}</span> {text}</p>'


def _card(flag: Flag, breaker: Breaker | None) -> str:
    held = "".join(_held(source, holds) for source, holds in _by_source(breaker).items())
    facts = [
        ("Breaker", flag.breaker),
        ("Mode", flag.mode),
        ("Risk", f"{flag.risk:.2f}"),
        ("Share", f"{flag.max_share:g}"),
        ("Revision", flag.revision),
    ]
    why = f'<p class="why">{_text(flag.reason)}</p>' if flag.reason and flag.state is not Shown.RUN else ""
    return (
        f'<li class="card {flag.state}" id="i-{escape(flag.integration)}"><h3>{escape(flag.integration)}</h3>'
        f'<p class="state"><span class="shape" aria-hidden="true">{_SHAPES[flag.state]}</span> {_WORDS[flag.state]}</p>{why}'
        + (f'<ul class="holds">{held}</ul>' if held else "")
        + _facts(facts)
        + "</li>"
    )


def _by_source(breaker: Breaker | None) -> dict[str, list[Hold]]:
    """Who holds it, oldest first, each with all that it holds it for."""
    found: dict[str, list[Hold]] = {}
    for hold in sorted(breaker.holds.values() if breaker else (), key=lambda hold: hold.since):
        found.setdefault(hold.source, []).append(hold)
    return found


def _held(source: str, holds: Sequence[Hold]) -> str:
    more = f", {len(holds)} times, last {_clock(holds[-1].since)}" if len(holds) > 1 else ""
    return f"<li>{_stage(holds[-1].stage)} {escape(source)} since {_clock(holds[0].since)}{more}</li>"


def _incident(made: Made, seen: Mapping[str, Sighting]) -> str:
    decision = made.decision
    shadow = " (shadow: reported only)" if decision.shadow else ""
    head = (
        f"<time>{_clock(decision.at)}</time> <strong>{escape(decision.integration)}</strong> {decision.before} → {decision.after}"
    )
    by = f'<span class="by">by {escape(decision.by)}, revision {made.revision}</span>'
    return (
        f'<li class="incident to-{decision.after}"><p>{head}{shadow} {by}</p>'
        f"<p>{_text(decision.reason)}</p>{''.join(_finding(one, seen.get(one.id)) for one in decision.findings)}</li>"
    )


def _finding(finding: Finding, sighting: Sighting | None) -> str:
    what = f"{_stage(finding.stage)} {escape(finding.detector)}: {escape(finding.kind)} ({finding.confidence:.2f})"
    about = {"victims": ", ".join(finding.victims), "transaction": finding.tx or "none"}
    return (
        f'<details class="finding {finding.severity}"><summary>{what}</summary>'
        f"<p>{_text(finding.title)}</p>{_facts((*finding.evidence.items(), *about.items()))}{_path(finding, sighting)}</details>"
    )


def _path(finding: Finding, sighting: Sighting | None) -> str:
    """The call path as a picture, asked for only once it is unfolded; what it says in words is in its own description."""
    if sighting is None or sighting.tree is None:
        return ""
    where = f"/v1/incidents/{escape(finding.id)}/tree.svg"
    told = f"Call path, {len(sighting.tree.calls)} of {sighting.tree.frames} calls"
    return f'<p class="path"><a href="{where}"><img src="{where}" loading="lazy" alt="{told}"></a></p>'


def _text(text: str) -> str:
    """A sentence, escaped, its long hex shortened to be read; the whole is there for whoever points at it or copies it."""
    return _HEX.sub(lambda found: f'<abbr title="{found[0]}">{found[0][:8]}…{found[0][-4:]}</abbr>', escape(text))


def _stage(stage: str) -> str:
    return f'<span class="stage">{escape(stage)}</span>'


def _chains(chains: Mapping[str, Mapping[str, object]]) -> str:
    if not chains:
        return '<p class="quiet">No chain is configured.</p>'
    columns = {"head": "Head", "age": "Seen", "node": "Node", "judging": "Judging", "given_up": "Given up"}
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Chain", *columns.values()))
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(str(facts.get(key, '')))}</td>" for key in columns)
        + "</tr>"
        for name, facts in chains.items()
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _clock(at: float) -> str:
    """Today's times as a clock, older ones with their date."""
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
    return when.strftime("%H:%M:%S UTC") if time.time() - at < 86400 else when.isoformat(" ", "seconds")
