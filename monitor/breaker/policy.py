"""Policy: from findings, blocks and ticks to decisions about integrations. What people decide is in `people`.

Pure: time is an argument, and nothing is remembered that events do not bring back.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from detectors.base import PAUSE_AT, WARN_AT, Basis, Finding
from detectors.events import Committed, Reverted
from monitor.breaker.evidence import lost, unrolled
from monitor.breaker.holds import DETECTOR, UNMINED, Decision, Hold, Level, Mode, State, decision_id, outdoes, stronger
from monitor.breaker.limits import afraid_for, latched, recent_trips
from monitor.breaker.machine import Breaker, after_change
from monitor.breaker.moves import moved, released


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's numbers. Confidences 0..1, times in seconds, shares of traffic 0..1.

    From `throttle_at`, `exits_only_at` and `pause_at` on, a mechanism finding caps traffic at `throttle_share`, leaves only the
    way out, or pauses; None leaves a step out. Statistics need `quorum` distinct detectors and `min_evidence` findings within
    `evidence_window`. An automatic hold on block evidence lasts `min_open`, doubled with every trip within `max_open` up to
    `max_open`, and until its block is final; then the breaker probes: each of the shares in `half_open` for `half_open_step`,
    then closes; after `max_trips` trips in an hour it waits for a person instead. A pending hold ends `pending_hold_blocks`
    after it was placed, once its transaction is settled harmless; one whose block was replaced lasts `reverted_hold` from
    then on, and until what took the block's place is final; pending evidence alone stops an integration for at most
    `pending_budget` seconds an hour, that of one sender and all whom it funds for `sender_budget`, and only throttles after that.
    """

    warn_at: float = WARN_AT
    pause_at: float = PAUSE_AT
    close_at: float = 0.4
    throttle_at: float | None = None
    exits_only_at: float | None = None
    throttle_share: float = 0.1
    quorum: int = 2
    min_evidence: int = 2
    evidence_window: float = 600.0
    min_open: float = 600.0
    max_open: float = 86400.0
    max_trips: int = 6
    pending_hold_blocks: int = 2
    reverted_hold: float = 600.0
    pending_budget: float = 600.0
    sender_budget: float = 300.0
    half_open: tuple[float, ...] = (0.01, 0.1, 1.0)
    half_open_step: float = 300.0
    max_paused_share: float = 0.5

    def open_for(self, trips: int) -> float:
        """How long the trip number `trips` (from 1) keeps the breaker open at least, seconds.

        >>> Rules().open_for(1), Rules().open_for(3), Rules().open_for(99)
        (600.0, 2400.0, 86400.0)
        """
        return min(self.max_open, self.min_open * 2.0 ** min(max(trips - 1, 0), 32))

    def level_for(self, confidence: float) -> Level | None:
        """What a mechanism finding of this confidence takes away; None when it takes nothing.

        >>> Rules(throttle_at=0.6).level_for(0.7), Rules().level_for(0.8), Rules().level_for(0.79)
        (<Level.THROTTLE: 'throttle'>, <Level.PAUSE: 'pause'>, None)
        """
        steps = ((self.pause_at, Level.PAUSE), (self.exits_only_at, Level.EXITS_ONLY), (self.throttle_at, Level.THROTTLE))
        return next((level for at, level in steps if at is not None and confidence >= at), None)


class Around(msgspec.Struct, frozen=True):
    """What else bears on a judgement: may another integration be stopped automatically, and who answers for the transaction."""

    room: bool = True
    sender: str = ""


ALONE = Around()


class Settled(msgspec.Struct, frozen=True):
    """A transaction that some pending hold rests on turned out not to hurt: dropped, replaced, or mined and harmless."""

    tx: str
    how: str


def judge(
    breaker: Breaker, findings: Iterable[Finding], rules: Rules, now: float, height: int, name: str, around: Around = ALONE
) -> tuple[Decision | None, list[Finding]]:
    """What these findings mean for one integration: a decision, or None, and the findings worth a journal note.

    A mechanism finding at `pause_at` trips at any stage; statistics need a quorum of detectors; advice never trips. The same
    finding at a stronger stage upgrades its hold. Where a limit is reached the hold only throttles, and the decision pages.
    """
    findings = tuple(findings)
    found = [finding for finding in findings if finding.confidence >= rules.warn_at and finding.basis is not Basis.ADVICE]
    asked = list(tripping((f for f in breaker.findings if f.id not in breaker.orphans), found, rules, now))
    limit = _limit(breaker, [finding for finding, _ in asked], rules, now, around)
    levels = [(finding, Level.THROTTLE if limit else level) for finding, level in asked]
    place = tuple(
        hold for finding, level in levels if (hold := _hold(breaker, finding, level, rules, now, height, around.sender))
    )
    if not place:
        return None, [finding for finding in findings if _news(breaker, finding, rules)]
    after = after_change(breaker, place)
    cause = max(found, key=lambda finding: finding.confidence)
    upgrade = all(hold.id in breaker.holds for hold in place)
    return (
        Decision(
            id=decision_id(breaker.integration, now, after, *(f"{hold.id}@{hold.stage}" for hold in place)),
            integration=breaker.integration,
            before=breaker.state,
            after=after,
            at=now,
            reason=breaker.reason if upgrade and not limit else f"{cause.detector} {cause.kind}: {cause.title}",
            by=f"policy:{name}",
            findings=tuple(found),
            place=place,
            shadow=breaker.mode is Mode.SHADOW and after is not State.FORCED_OPEN,
            page=limit or _page(breaker, place, rules, now),
        ),
        [],
    )


def _limit(breaker: Breaker, asked: list[Finding], rules: Rules, now: float, around: Around) -> str:
    """Why these findings may not stop the integration though they would, or nothing."""
    if breaker.mode is Mode.SHADOW or breaker.paused or not asked:
        return ""
    if not around.room:
        return "not paused: max_paused_share of the integrations is paused already; a person must decide"
    if any(finding.stage not in UNMINED for finding in asked):
        return ""
    if afraid_for(breaker, now) >= rules.pending_budget:
        return f"not paused: pending evidence alone has stopped it for {rules.pending_budget:g} s of the last hour"
    if around.sender and afraid_for(breaker, now, around.sender) >= rules.sender_budget:
        return f"not paused: fears of {around.sender} have stopped it for {rules.sender_budget:g} s of the last hour"
    return ""


def _page(breaker: Breaker, place: tuple[Hold, ...], rules: Rules, now: float) -> str:
    """What else a person must know of this trip now."""
    if breaker.state is State.FORCED_CLOSED:
        return "found while the protection is bypassed: the flag was left alone"
    grounded = any(not hold.pending for hold in place)
    if grounded and latched((*breaker.tripped, now), rules.max_trips):
        return f"tripped {rules.max_trips} times within an hour: it stays paused until a person resumes it"
    return ""


def settle(breaker: Breaker, settled: Iterable[Settled], rules: Rules, now: float, height: int, name: str) -> Decision | None:
    """Release pending holds whose transaction is settled harmless, at least `pending_hold_blocks` after they were placed."""
    how = {item.tx: item.how for item in settled}
    gone = tuple(
        hold.id
        for hold in breaker.automatic
        if hold.pending and hold.tx in how and height >= hold.height + rules.pending_hold_blocks
    )
    if not gone:
        return None
    reason = "; ".join(sorted({f"{breaker.holds[key].tx} {how[breaker.holds[key].tx or '']}" for key in gone}))
    return released(breaker, gone, now, f"pending evidence ended: {reason}", f"policy:{name}")


def unroll(breaker: Breaker, event: Reverted | Committed, rules: Rules, name: str) -> Decision | None:
    """After a reorg: holds whose block is gone keep holding, and count down. No flag flips on a reorg."""
    back = tuple(
        unrolled(hold, event.at + rules.reverted_hold) for hold in breaker.automatic if lost(hold.position, hold.chain, event)
    )
    if not back:
        return None
    return Decision(
        id=decision_id(breaker.integration, event.at, "unroll", *(hold.id for hold in back)),
        integration=breaker.integration,
        before=breaker.state,
        after=breaker.state,
        at=event.at,
        reason=breaker.reason,
        by=f"policy:{name}",
        place=back,
    )


def tick(breaker: Breaker, rules: Rules, now: float, finalized: Mapping[str, int], name: str) -> Decision | None:
    """What the passing of time means: a spent budget, a review that is due, a bypass that ends, probing, closing at last."""
    by = f"policy:{name}"
    if (overdue := _overdue(breaker, now)) or (overdue := _spent(breaker, rules, now)):
        holds, page = overdue
        return _replaced(breaker, holds, now, page, by)
    if breaker.state is State.FORCED_CLOSED and breaker.bypass_until is not None and now >= breaker.bypass_until:
        after = State.OPEN if breaker.automatic else State.CLOSED
        return moved(breaker, after, now, "the bypass ran out", by)
    if breaker.state is State.OPEN and _may_probe(breaker, rules, now, finalized):
        return moved(breaker, State.HALF_OPEN, now, "quiet and final: probing", by, share=rules.half_open[0])
    if breaker.state is State.HALF_OPEN and now >= breaker.stepped_at + rules.half_open_step:
        later = [share for share in rules.half_open if share > breaker.share]
        if later:
            return moved(breaker, State.HALF_OPEN, now, breaker.reason, by, share=later[0])
        return released(breaker, tuple(hold.id for hold in breaker.automatic), now, "probing found nothing", by)
    return None


def _overdue(breaker: Breaker, now: float) -> tuple[tuple[Hold, ...], str] | None:
    """Ordered holds whose review is due: they stay, and somebody is told once."""
    due = [hold for hold in breaker.forced if hold.until is not None and now >= hold.until]
    if not due:
        return None
    told = "; ".join(f"{hold.source} ordered: {hold.reason}" for hold in due)
    return tuple(msgspec.structs.replace(hold, until=None) for hold in due), f"review due, it stays paused: {told}"


def _spent(breaker: Breaker, rules: Rules, now: float) -> tuple[tuple[Hold, ...], str] | None:
    """Pending evidence alone has stopped the integration for as long as it may: its holds only throttle from here on."""
    if breaker.feared_since is None or breaker.mode is Mode.SHADOW:
        return None
    stopping = [hold for hold in breaker.automatic if hold.stops]
    over = {sender for hold in stopping if (sender := hold.sender) and afraid_for(breaker, now, sender) >= rules.sender_budget}
    if afraid_for(breaker, now) < rules.pending_budget and not all(hold.sender in over for hold in stopping):
        return None
    milder_ones = tuple(msgspec.structs.replace(hold, level=Level.THROTTLE, share=rules.throttle_share) for hold in stopping)
    return milder_ones, "throttled only: pending evidence alone has stopped it for as long as it may in an hour"


def _replaced(breaker: Breaker, holds: tuple[Hold, ...], now: float, page: str, by: str) -> Decision:
    return Decision(
        id=decision_id(breaker.integration, now, "replace", *(hold.id for hold in holds)),
        integration=breaker.integration,
        before=breaker.state,
        after=breaker.state,
        at=now,
        reason=breaker.reason,
        by=by,
        place=holds,
        page=page,
    )


def tripping(standing: Iterable[Finding], found: list[Finding], rules: Rules, now: float) -> Iterator[tuple[Finding, Level]]:
    """Those of `found` that stop or throttle by themselves, or together with the statistics still `standing`."""
    for finding in found:
        if finding.basis is Basis.MECHANISM and (level := rules.level_for(finding.confidence)) is not None:
            yield finding, level
    known = {f.id: f for f in (*standing, *found)}.values()
    loud = [
        f for f in known
        if f.basis is Basis.STATISTICS and f.confidence >= rules.pause_at and f.at > now - rules.evidence_window
    ]  # fmt: skip
    if len({finding.detector for finding in loud}) >= rules.quorum and len(loud) >= rules.min_evidence:
        yield from ((finding, Level.PAUSE) for finding in found if finding in loud)


def _hold(breaker: Breaker, finding: Finding, level: Level, rules: Rules, now: float, height: int, sender: str) -> Hold | None:
    """The hold that a finding places, or None where the same hold stands as strictly, at that stage or a stronger one."""
    standing = breaker.holds.get(finding.id)
    if not outdoes(finding.stage, level, standing):
        return None
    return Hold(
        id=finding.id,
        integration=breaker.integration,
        source=DETECTOR + finding.detector,
        since=standing.since if standing else now,
        reason=finding.title,
        confidence=finding.confidence,
        stage=finding.stage,
        chain=finding.chain,
        tx=finding.tx,
        position=finding.position,
        height=max(height, finding.position.height if finding.position else -1),
        level=level,
        share=rules.throttle_share if level is Level.THROTTLE else 0.0,
        sender=sender or (standing.sender if standing else ""),
    )


def _news(breaker: Breaker, finding: Finding, rules: Rules) -> bool:
    """Is it worth a note: a warning not known yet, or one known that a second look made stronger or took back?"""
    if finding.basis is Basis.ADVICE:
        return False
    for seen in breaker.findings:
        if seen.id == finding.id:
            return stronger(finding.stage, seen.stage) or seen.confidence != finding.confidence
    return finding.confidence >= rules.warn_at


def _may_probe(breaker: Breaker, rules: Rules, now: float, finalized: Mapping[str, int]) -> bool:
    """Every automatic hold is old enough, on block evidence, and that block is final; and nothing has been found since."""
    if latched(breaker.tripped, rules.max_trips):
        return False
    quiet_for = rules.open_for(recent_trips(breaker.tripped, rules.max_open))
    latest = max((f.at for f in breaker.findings if f.confidence >= rules.close_at), default=breaker.since)
    if now < max(breaker.since, latest) + quiet_for:
        return False
    return all(not hold.pending and _over(hold, now) and _final(hold, finalized) for hold in breaker.automatic)


def _over(hold: Hold, now: float) -> bool:
    """A hold whose block was replaced has counted down."""
    return not hold.reverted or hold.until is None or now >= hold.until


def _final(hold: Hold, finalized: Mapping[str, int]) -> bool:
    """Is the block it stands in final, or (`reverted`) the one that took its place?"""
    height = hold.position.height if hold.position is not None else hold.height if hold.reverted else None
    return height is None or hold.chain is None or height <= finalized.get(hold.chain, -1)
