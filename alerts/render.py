"""What an engineer woken at night reads: what happened, the numbers, which contract, what Seawall did, where to look. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from alerts.base import BREAKER, FEES, SIGHT, Fees, Kind, Notice, Notification, Sight, Withdrawal, notification_id
from alerts.text import from_chain, neutral, paragraphs, plain
from detectors.base import Finding, Severity
from detectors.events import Stage

FINDINGS, EVIDENCE = 5, 12
"""Findings told in a body, and numbers told of each; the rest is counted."""

KEPT = 32
"""Findings a notification carries, strongest first."""

CENTS_FROM = 1000
_DECIMAL = re.compile(r"-?[0-9]{1,80}")

_KINDS = {
    "closed": (Kind.CLOSED, Severity.INFO, "SeawallBreakerOpened", "usable again"),
    "open": (Kind.OPENED, Severity.CRITICAL, "SeawallBreakerOpened", "PAUSED"),
    "half_open": (Kind.HALF_OPENED, Severity.INFO, "SeawallBreakerOpened", "recovering, still paused"),
    "forced_open": (Kind.FORCED, Severity.WARNING, "SeawallForcedOpen", "PAUSED by hand"),
    "forced_closed": (Kind.FORCED, Severity.WARNING, "SeawallForcedClosed", "protection BYPASSED by hand"),
}
_DID = {
    Kind.OPENED: "Readers of the flag are told `pause`",
    Kind.HALF_OPENED: "Readers are still told `pause`; the share that may pass grows step by step",
    Kind.CLOSED: "Readers of the flag are told `run` again",
    Kind.WOULD_OPEN: "Nothing: this integration is in shadow mode, its flag was left alone. Enforcing would have paused it",
}


def notify(notice: Notice) -> Notification:
    """A breaker's decision in words. Same notice, same notification, id included; hostile text is neutralised."""
    kind, severity, alertname, word = _KINDS[notice.after]
    if notice.after == "closed":
        alertname = _KINDS[notice.before][2]
    if notice.shadow and kind in {Kind.OPENED, Kind.HALF_OPENED}:
        kind, severity, alertname, word = Kind.WOULD_OPEN, Severity.WARNING, "SeawallBreakerWouldOpen", "would be paused"
    if notice.throttled and kind in {Kind.OPENED, Kind.FORCED} and not notice.shadow:
        word = "throttled"
    if notice.page:
        severity, word = Severity.CRITICAL, f"needs a person ({word})"
    findings = tuple(sorted((neutral(finding) for finding in notice.findings), key=lambda finding: -finding.confidence))
    labels = {"alertname": alertname, "severity": severity.value, "integration": notice.integration, "chain": notice.chain}
    if findings:
        labels["detector"] = findings[0].detector
    why = notice.page or (findings[0].title if findings else notice.reason)
    made = notification_id(notice.integration, notice.before, notice.after, notice.at, notice.revision)
    return Notification(
        id=made,
        key=BREAKER + notice.integration,
        kind=kind,
        severity=severity,
        title=plain(f"{notice.integration} {word}: {why}"),
        body=paragraphs("\n".join(_body(notice, kind, findings))),
        at=notice.at,
        since=notice.at,
        labels=neutral(labels),
        links=neutral(notice.links),
        findings=findings[:KEPT],
        facts=_facts(notice),
        resolved=kind is Kind.CLOSED,
        incident=made,
        window=notice.window,
    )


def withdrawn(told: Withdrawal) -> Notification:
    """A finding taken back, in words: an update of its incident, not a new one. The same retraction has the same id."""
    finding = neutral(told.finding)
    made = notification_id("withdrawn", told.integration, finding.id, told.at)
    until = "" if told.until is None else clock(told.until)
    stays = f"The hold made of it stays until {until} at least, then probes." if until else "No hold rests on it."
    lines = [
        f"{told.integration} on {told.chain}: a finding is retracted at {clock(told.at)}.",
        f"Why: {plain(told.reason)}.",
        stays,
        *_told(finding),
        *_links(told.links),
    ]
    return Notification(
        id=made,
        key=BREAKER + told.integration,
        kind=Kind.RETRACTED,
        severity=Severity.INFO,
        title=plain(f"{told.integration} retracted: {finding.title}"),
        body=paragraphs("\n".join(lines)),
        at=told.at,
        since=told.at,
        labels=neutral({
            "alertname": "SeawallFindingRetracted", "severity": Severity.INFO.value,
            "integration": told.integration, "chain": told.chain, "detector": finding.detector,
        }),
        links=neutral(told.links),
        findings=(finding,),
        facts={"reason": plain(told.reason), "finding": finding.id},
        resolved=True,
        incident=made,
    )  # fmt: skip


def sight(told: Sight) -> Notification:
    """A chain lost or seen again, in words."""
    severity = Severity.CRITICAL if told.integrations else Severity.WARNING
    made = notification_id("sight", told.chain, told.blind, told.at)
    word = "out of sight" if told.blind else "in sight again"
    state = "read `unknown`; each reader's declared side decides" if told.blind else "are judged again"
    lines = [
        f"Chain {told.chain} {word} since {clock(told.since)} ({told.at - told.since:.1f} s).",
        f"Why: {plain(told.reason)}",
        f"Flags of {', '.join(told.integrations) or 'no integration'} {state}.",
        *_links(told.links),
    ]
    return Notification(
        id=made,
        key=SIGHT + told.chain,
        kind=Kind.BLIND if told.blind else Kind.RECOVERED,
        severity=severity,
        title=plain(f"{told.chain} {word}: {told.reason}"),
        body=paragraphs("\n".join(lines)),
        at=told.at,
        since=told.since,
        labels=neutral({"alertname": "SeawallChainBlind", "severity": severity.value, "chain": told.chain}),
        links=neutral(told.links),
        facts={"reason": plain(told.reason), "integrations": ", ".join(told.integrations)},
        resolved=not told.blind,
        incident=made,
    )


def fees(told: Fees) -> Notification:
    """Fees that left their forecast, or are back, in words."""
    finding = told.finding
    severity = finding.severity if finding is not None else Severity.INFO
    title = f"{told.chain}: {finding.title}" if finding is not None else f"{told.chain}: fees follow their forecast again"
    made = notification_id("fees", told.chain, finding is not None, told.at)
    lines = [title, "Advice only: no flag has changed, and none will for it.", *_links(told.links)]
    return Notification(
        id=made,
        key=FEES + told.chain,
        kind=Kind.FEES,
        severity=severity,
        title=plain(title),
        body=paragraphs("\n".join(plain(line) for line in lines)),
        at=told.at,
        since=told.since,
        labels=neutral({"alertname": "SeawallGasCongestion", "severity": severity.value, "chain": told.chain}),
        links=neutral(told.links),
        findings=(finding,) if finding is not None else (),
        resolved=finding is None,
        incident=made,
    )


def trial(at: float) -> Notification:
    """What `seawall alerts test` sends: plainly a test, and nothing a person must act on."""
    made = notification_id("trial", at)
    return Notification(
        id=made,
        key="trial",
        kind=Kind.TEST,
        severity=Severity.INFO,
        title="Seawall test: this channel works",
        body=f"Sent by a person at {clock(at)}. Nothing is wrong, nothing was paused.",
        at=at,
        since=at,
        labels={"alertname": "SeawallTest", "severity": Severity.INFO.value},
        incident=made,
    )


def taken_up(last: Notification, by: str, at: float, note: str = "") -> Notification:
    """Somebody has taken an incident up, for those who were told of it. No flag and no hold has changed."""
    who = plain(by, 100)
    said = f'What they say: "{plain(note)}".' if note else ""
    lines = (f"{who} has taken it up at {clock(at)}.", said, last.body)
    return _news(last, Kind.TAKEN_UP, f"taken up by {who}", at, lines, {"by": who})


def given_back(last: Notification, by: str, at: float, note: str = "") -> Notification:
    """Nobody has it any more: an acknowledgement ran out, or a silence ended."""
    who = plain(by, 100)
    said = plain(note) or "the acknowledgement ended"
    lines = (f"Nobody has it any more since {clock(at)}: {said} ({who}).", last.body)
    return _news(last, Kind.GIVEN_BACK, "nobody has it any more", at, lines, {"by": who})


def again(last: Notification, times: int, at: float) -> Notification:
    """What stands and was taken up by nobody, once more: of the same kind, so that it is filed where it was."""
    lines = (f"Told again ({times}): it stands since {clock(last.since)}, and nobody has taken it up.", last.body)
    return _news(last, last.kind, "", at, lines, {"again": times})


def _news(
    last: Notification, kind: Kind, word: str, at: float, lines: Iterable[str], facts: dict[str, str | int | float | bool]
) -> Notification:
    """Something about an open incident that is no new state of it."""
    return msgspec.structs.replace(
        last,
        id=notification_id(kind.value, last.id, at),
        kind=kind,
        title=plain(f"{word}: {last.title}") if word else last.title,
        body=paragraphs("\n".join(line for line in lines if line)),
        at=at,
        facts=last.facts | facts,
        earlier=(),
    )


def after_blindness(told: Notification) -> Notification:
    """What was kept back while its chain was out of sight, and still stands."""
    line = f"Kept back since {clock(told.at)}, while {told.labels.get('chain', 'its chain')} was out of sight; it still stands."
    return msgspec.structs.replace(told, body=paragraphs(f"{line}\n{told.body}"), facts=told.facts | {"kept_back": True})


def with_account(recovered: Notification, count: int, standing: int) -> Notification:
    """The end of a blindness, with what was kept back meanwhile."""
    line = f"Kept back meanwhile: {count} alerts; {standing} of their incidents still stand and follow. The journal has all."
    facts = recovered.facts | {"kept_back": count, "standing": standing}
    return msgspec.structs.replace(recovered, body=paragraphs(f"{recovered.body}\n{line}"), facts=facts)


def calm(storm: Notification, at: float) -> Notification:
    """The end of a storm."""
    made = notification_id("calm", storm.id)
    return msgspec.structs.replace(
        storm, id=made, title="the storm is over: alerts are told one by one again", at=at, resolved=True,
        body=f"Since {clock(at)} alerts are told one by one again. What was told together is on the page and in the journal.",
    )  # fmt: skip


def clock(at: float) -> str:
    """Unix seconds as UTC to the millisecond.

    >>> clock(1767323045.25)
    '2026-01-02T03:04:05.250Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(value: str | float) -> str:
    """A number or decimal text with its thousands set apart; other text as it is, made harmless.

    >>> number(1234567), number("12345678901234567890"), number(0.123456), number("0xab")
    ('1,234,567', '12,345,678,901,234,567,890', '0.1235', '0xab')
    """
    if isinstance(value, str):
        return f"{int(value):,}" if _DECIMAL.fullmatch(value) else from_chain(value)
    if isinstance(value, int) or value.is_integer():
        return f"{value:,.0f}" if isinstance(value, float) else f"{value:,}"
    return f"{value:,.4g}" if abs(value) < CENTS_FROM else f"{value:,.2f}"


def _facts(notice: Notice) -> dict[str, str | int | float | bool]:
    facts: dict[str, str | int | float | bool] = {
        "from": notice.before,
        "to": notice.after,
        "revision": notice.revision,
        "reason": plain(notice.reason),
        "by": plain(notice.by),
        "shadow": notice.shadow,
    }
    return facts | ({"page": plain(notice.page)} if notice.page else {})


def _body(notice: Notice, kind: Kind, findings: tuple[Finding, ...]) -> Iterator[str]:
    moved = f"{notice.before} to {notice.after}" if notice.before != notice.after else f"still {notice.after}"
    yield f"{notice.integration} on {notice.chain}: {moved} at {clock(notice.at)}."
    yield f"Why: {plain(notice.reason)}"
    if notice.page:
        yield f"A person must look: {plain(notice.page)}"
    did = _DID.get(kind) or f"A person decided: flag forced {notice.after.removeprefix('forced_')}"
    if notice.throttled and not notice.shadow:
        did = "Readers of the flag are told `run` with a smaller share of traffic"
    yield f"What Seawall did: {did} (revision {notice.revision}, by {plain(notice.by)})."
    if kind is Kind.OPENED and findings:
        yield _race(findings)
    for finding in findings[:FINDINGS]:
        yield from _told(finding)
    if len(findings) > FINDINGS:
        yield f"And {len(findings) - FINDINGS} more findings; see the incident."
    yield from _links(notice.links)


def _race(findings: Iterable[Finding]) -> str:
    """Did the pause come before the money could move? The one thing to know first."""
    if all(finding.stage in {Stage.PENDING, Stage.PRECONFIRMED} for finding in findings):
        return "The attack is still pending: the pause came before its block."
    heights = [finding.position.height for finding in findings if finding.position is not None]
    where = f"block {min(heights)}" if heights else "a block"
    return f"The attack is already in {where}: check what has left, the pause protects what remains."


def _told(finding: Finding) -> Iterator[str]:
    where = f"block {finding.position.height}" if finding.position is not None else finding.stage.value
    yield f"* {finding.detector}/{finding.kind}: {from_chain(finding.title, 200)}"
    yield f"  contract {from_chain(finding.subject)}, confidence {finding.confidence:.2f}, {finding.severity}, {where}"
    shown = list(finding.evidence.items())[:EVIDENCE]
    more = f"; and {len(finding.evidence) - EVIDENCE} more" if len(finding.evidence) > EVIDENCE else ""
    for at in range(0, len(shown), 3):
        last = at + 3 >= len(shown)
        yield (
            "  "
            + ", ".join(f"{from_chain(name)} = {number(value)}" for name, value in shown[at : at + 3])
            + (more if last else "")
        )
    if finding.tx is not None:
        yield f"  transaction {from_chain(finding.tx)}"


def _links(links: dict[str, str]) -> Iterator[str]:
    yield from (f"{plain(name)}: {plain(url)}" for name, url in links.items())
