"""An incident in words: what a person wants to know first comes first. Everything quoted is made harmless here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.text import Text
from rich.tree import Tree

from alerts.text import from_chain, plain
from detectors.execution.path import Call, CallTree
from monitor.api.svg import said

Facts = Mapping[str, Any]

_AMOUNTS = ("out", "balance_before", "share", "outflow_share", "gain", "asset", "beneficiary", "in", "in_asset", "value_ratio")
_STALE = ("rule", "slot", "space", "read", "written", "left_by_inner", "reread")
_DO = {
    "pause": "Readers are told to stop. `seawall resume` once the cause is understood; a detector's hold also ends by itself.",
    "exits_only": "No new money goes in; the way out is open. Look before `seawall resume`.",
    "throttle": "Traffic is capped, not stopped. A person must decide: `seawall pause` or leave it.",
    "shadow": "Nothing was stopped: this integration is in shadow mode. `seawall pause` if it is real.",
    "retracted": "The chain took it back: the transaction did not come back. Nothing to do unless a hold still stands.",
    "noted": "Nothing was stopped. Look at the transaction; `seawall pause` if it is real.",
    "released": "It was released. Nothing to do unless the cause is still there.",
}


def told(incident: Facts) -> Iterator[Text | Tree]:
    """The incident, part by part."""
    findings = sorted(incident.get("findings") or (), key=lambda f: -float(f["confidence"]))
    sightings = incident.get("sightings") or {}
    yield _line("", f"{incident['integration']}: {incident['reason'] or 'no reason was given'}", "bold")
    yield _line("state", f"{incident['before']} → {incident['after']}, by {incident['by']}, revision {incident['revision']}")
    if incident.get("page"):
        yield _line("page", incident["page"], "bold red")
    yield from _times(incident, findings, sightings)
    drawn_already: list[object] = []
    for finding in findings:
        yield Text("")
        yield from _finding(finding, (incident.get("evidence") or {}).get(finding["id"]) or {})
        tree = (sightings.get(finding["id"]) or {}).get("tree")
        if tree in drawn_already:
            yield _line("call path", "as above")
        elif tree:
            drawn_already.append(tree)
            yield drawn(msgspec.convert(tree, CallTree))
    yield Text("")
    yield _line("do", _DO[_case(incident, findings)], "bold")


def _times(incident: Facts, findings: Sequence[Facts], sightings: Facts) -> Iterator[Text]:
    """When it was seen, how long each step took from there, and how much of it was before the block."""
    seen = [sightings[f["id"]] for f in findings if f["id"] in sightings]
    timing = incident.get("timing") or {}
    first = min((float(one["seen_at"]) for one in seen), default=float(timing.get("seen_at") or incident["at"]))
    shown = timing.get("readable_at") or min((float(one["shown_at"]) for one in seen), default=None)
    steps = (("judged and decided", timing.get("decided_at")), ("readable", shown), ("recorded", timing.get("recorded_at")))
    took = [f"{name} {1000 * max(0.0, float(at) - first):,.0f} ms" for name, at in steps if at is not None]
    yield _line("seen", clock(first))
    if took:
        yield _line("timing", " → ".join(("seen", *took)))
    if shown is not None and (incident["before"] != incident["after"] or incident.get("level")):
        yield _line("headroom", _headroom(findings, incident.get("evidence") or {}, float(shown)))
    if taken := incident.get("acknowledged"):
        said = f": {taken['note']}" if taken.get("note") else ""
        yield _line("taken up", f"{clock(float(taken['at']))} by {taken['by']}{said}")


def _headroom(findings: Sequence[Facts], now: Facts, shown: float) -> str:
    """How long before its block readers could know of it."""
    if not any(finding["stage"] == "pending" for finding in findings):
        return "none: it was in a block when it was first seen"
    known = [now.get(finding["id"]) or {} for finding in findings]
    mined = [(float(one["at"]), one["block"]) for one in known if one.get("block") is not None and "at" in one]
    if not mined:
        return "it is in no block that we know of"
    at, block = min(mined)
    if at < shown:
        return f"none: block {block} was there {shown - at:,.1f} s before readers could know"
    return f"{at - shown:,.1f} s between readers knowing and block {block}"


def _finding(finding: Facts, now: Facts) -> Iterator[Text]:
    evidence = finding["evidence"]
    sure = f"{finding['severity']}, {float(finding['confidence']):.2f}, {now.get('stage') or finding['stage']}"
    yield _line("what", f"{finding['detector']} {finding['kind']} ({sure}): {finding['title']}", "bold")
    yield _line("whom", ", ".join(from_chain(victim, 64) for victim in finding["victims"]))
    if finding.get("tx"):
        yield _line("transaction", f"{from_chain(finding['tx'], 80)} on {finding['chain']}")
    where = now.get("block") if now else None
    if where is not None:
        yield _line("block", str(where))
    if now.get("why"):
        yield _line("taken back", now["why"], "yellow")
    for name, keys in (("what left", _AMOUNTS), ("stale", _STALE)):
        if shown := [f"{key} {_value(key, evidence[key])}" for key in keys if key in evidence]:
            yield _line(name, ", ".join(shown))
    rest = [f"{plain(k, 48)} {_value(k, v)}" for k, v in evidence.items() if k not in {*_AMOUNTS, *_STALE}]
    if rest:
        yield _line("evidence", ", ".join(rest))


def drawn(tree: CallTree) -> Tree:
    """The call path as a tree of lines."""
    root = Tree(Text(f"call path, {len(tree.calls)} of {tree.frames} calls", style="dim"), guide_style="dim")
    places: list[Tree] = []
    for call in tree.calls:
        above = places[call.parent] if 0 <= call.parent < len(places) else root
        places.append(above.add(Text(said(call), style=_style(call))))
    return root


def _style(call: Call) -> str:
    if call.failed:
        return "dim"
    if {"pays", "moves a token"} & {*call.marks}:
        return "bold red"
    return "bold yellow" if call.marks else ""


def _case(incident: Facts, findings: Sequence[Facts]) -> str:
    now = incident.get("evidence") or {}
    if findings and all((now.get(f["id"]) or {}).get("retracted_at") for f in findings):
        return "retracted"
    if incident.get("shadow"):
        return "shadow"
    if incident.get("level"):
        return str(incident["level"])
    return "noted" if incident["before"] == incident["after"] else "released" if incident["after"] == "closed" else "noted"


def _value(key: str, value: object) -> str:
    if "share" in key and isinstance(value, float):
        return f"{value:.1%}"
    if (text := str(value)).isdecimal() and len(text) > 6:
        return f"{int(text):,}"  # how many digits it has is what counts, of an amount without a decimal point
    return plain(str(value), 160) if key == "path" else from_chain(str(value), 80)  # our own arrows, and addresses


def _line(name: str, text: object, style: str = "") -> Text:
    shown = Text(f"{name:<12}" if name else "", style="dim")
    return shown.append(plain(str(text), 1000), style=style or "not dim")


def clock(at: float) -> str:
    """A moment as people read it, to the millisecond.

    >>> clock(0.25)
    '1970-01-01 00:00:00.250 UTC'
    """
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at:g} s"
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} UTC"
