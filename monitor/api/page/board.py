"""What the page shows, as HTML: integrations, incidents, chains. Every text is escaped here and nowhere else."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from detectors.base import Finding
from monitor.breaker.desk import Made
from monitor.breaker.flags import Flag, Shown
from monitor.breaker.machine import Breaker

_WORDS = {Shown.RUN: "Safe to use", Shown.PAUSE: "Do not use", Shown.UNKNOWN: "Unknown"}
_SHAPES = {Shown.RUN: "●", Shown.PAUSE: "■", Shown.UNKNOWN: "▲"}
_INCIDENTS_SHOWN = 20


def render(
    flags: Mapping[str, Flag], breakers: Mapping[str, Breaker], made: Sequence[Made], chains: Mapping[str, Mapping[str, object]]
) -> str:
    """The board: a headline, the integrations (worst first), the newest incidents, the chains."""
    order = [Shown.PAUSE, Shown.UNKNOWN, Shown.RUN]
    rows = sorted(flags.values(), key=lambda flag: (order.index(flag.state), flag.integration))
    cards = "".join(_card(flag, breakers.get(flag.integration)) for flag in rows)
    incidents = (
        "".join(_incident(one) for one in list(reversed(made))[:_INCIDENTS_SHOWN]) or '<p class="quiet">Nothing has happened.</p>'
    )
    return (
        f"{_headline(rows)}"
        f'<section aria-labelledby="h-integrations"><h2 id="h-integrations">Integrations</h2><ul class="cards">{cards}</ul></section>'
        f'<section aria-labelledby="h-incidents"><h2 id="h-incidents">What happened</h2><ol class="incidents">{incidents}</ol></section>'
        f'<section aria-labelledby="h-chains"><h2 id="h-chains">Chains</h2>{_chains(chains)}</section>'
    )


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
    holds = breaker.holds.values() if breaker else ()
    held = "".join(f"<li>{_stage(hold.stage)} {escape(hold.source)}, since {_clock(hold.since)}</li>" for hold in holds)
    facts = [
        ("Breaker", flag.breaker),
        ("Mode", flag.mode),
        ("Risk", f"{flag.risk:.2f}"),
        ("Share", f"{flag.max_share:g}"),
        ("Revision", flag.revision),
    ]
    why = f'<p class="why">{escape(flag.reason)}</p>' if flag.reason and flag.state is not Shown.RUN else ""
    return (
        f'<li class="card {flag.state}" id="i-{escape(flag.integration)}"><h3>{escape(flag.integration)}</h3>'
        f'<p class="state"><span class="shape" aria-hidden="true">{_SHAPES[flag.state]}</span> {_WORDS[flag.state]}</p>{why}'
        + (f'<ul class="holds">{held}</ul>' if held else "")
        + '<dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts)
        + "</dl></li>"
    )


def _incident(made: Made) -> str:
    decision = made.decision
    shadow = " (shadow: reported only)" if decision.shadow else ""
    return (
        f'<li class="incident to-{decision.after}"><p><time>{_clock(decision.at)}</time> <strong>{escape(decision.integration)}</strong> '
        f"{decision.before} → {decision.after}{shadow} <span class='by'>by {escape(decision.by)}, revision {made.revision}</span></p>"
        f"<p>{escape(decision.reason)}</p>{''.join(_finding(finding) for finding in decision.findings)}</li>"
    )


def _finding(finding: Finding) -> str:
    numbers = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value)[:200])}</dd></div>" for name, value in finding.evidence.items()
    )
    return (
        f"<details class='finding {finding.severity}'><summary>{_stage(finding.stage)} {escape(finding.detector)}: {escape(finding.kind)} "
        f"({finding.confidence:.2f})</summary><p>{escape(finding.title)}</p><dl class='facts'>{numbers}"
        f"<div><dt>victims</dt><dd>{escape(', '.join(finding.victims))}</dd></div>"
        f"<div><dt>transaction</dt><dd>{escape(finding.tx or 'none')}</dd></div></dl></details>"
    )


def _stage(stage: str) -> str:
    return f'<span class="stage">{escape(stage)}</span>'


def _chains(chains: Mapping[str, Mapping[str, object]]) -> str:
    if not chains:
        return '<p class="quiet">No chain is configured.</p>'
    heads = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>"
        + "".join(f"<td>{escape(str(facts.get(key, '')))}</td>" for key in ("head", "age", "node", "judging"))
        + "</tr>"
        for name, facts in chains.items()
    )
    return (
        "<div class='scroll'><table><thead><tr><th scope='col'>Chain</th><th scope='col'>Head</th><th scope='col'>Seen</th>"
        f"<th scope='col'>Node</th><th scope='col'>Judging</th></tr></thead><tbody>{heads}</tbody></table></div>"
    )


def _clock(at: float) -> str:
    try:
        return (
            datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
            if time.time() - at < 86400
            else datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")
        )
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
