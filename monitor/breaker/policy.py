"""Policy: from findings, blocks and ticks to decisions about integrations.

Pure: time is an argument, and nothing is remembered that events do not bring back.
"""

from collections.abc import Iterable, Iterator

import msgspec

from detectors.base import PAUSE_AT, WARN_AT, Basis, Finding
from detectors.events import Position
from monitor.breaker.holds import DETECTOR, HUMAN, Decision, Hold, Mode, State, decision_id, stronger
from monitor.breaker.machine import Breaker, after_change


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's numbers. Confidences 0..1, times in seconds, shares of traffic 0..1.

    `quorum` distinct detectors must agree before statistics trip. An automatic hold on block evidence lasts `min_open`, doubled
    with every trip up to `max_open`, and until its block is final; then the breaker probes: each of the shares in `half_open`
    for `half_open_step`, then closes. A pending hold ends `pending_hold_blocks` after it was placed, once its transaction is
    settled harmless.
    """

    warn_at: float = WARN_AT
    pause_at: float = PAUSE_AT
    close_at: float = 0.4
    quorum: int = 2
    min_open: float = 600.0
    max_open: float = 86400.0
    pending_hold_blocks: int = 2
    half_open: tuple[float, ...] = (0.01, 0.1, 1.0)
    half_open_step: float = 300.0

    def open_for(self, trips: int) -> float:
        """How long the trip number `trips` (from 1) keeps the breaker open at least, seconds.

        >>> Rules().open_for(1), Rules().open_for(3), Rules().open_for(99)
        (600.0, 2400.0, 86400.0)
        """
        return min(self.max_open, self.min_open * 2.0 ** min(max(trips - 1, 0), 32))


class Settled(msgspec.Struct, frozen=True):
    """A transaction that some pending hold rests on turned out not to hurt: dropped, replaced, or mined and harmless."""

    tx: str
    how: str


def judge(
    breaker: Breaker, findings: Iterable[Finding], rules: Rules, now: float, height: int, name: str
) -> tuple[Decision | None, list[Finding]]:
    """What these findings mean for one integration: a decision, or None, and the findings worth a journal note.

    A mechanism finding at `pause_at` trips at any stage; statistics need a quorum of detectors; advice never trips. The same
    finding at a stronger stage upgrades its hold.
    """
    findings = tuple(findings)
    found = [finding for finding in findings if finding.confidence >= rules.warn_at and finding.basis is not Basis.ADVICE]
    place = [hold for finding in _tripping(breaker, found, rules) if (hold := _hold(breaker, finding, now, height))]
    if not place:
        return None, [finding for finding in findings if _news(breaker, finding, rules)]
    holds = tuple(place)
    after = breaker.state if breaker.state is State.FORCED_CLOSED else after_change(breaker, holds)
    cause = max(found, key=lambda finding: finding.confidence)
    upgrade = all(hold.id in breaker.holds for hold in holds)
    return (
        Decision(
            id=decision_id(breaker.integration, now, after, *(f"{hold.id}@{hold.stage}" for hold in holds)),
            integration=breaker.integration,
            before=breaker.state,
            after=after,
            at=now,
            reason=breaker.reason if upgrade else f"{cause.detector} {cause.kind}: {cause.title}",
            by=f"policy:{name}",
            findings=tuple(found),
            place=holds,
            shadow=breaker.mode is Mode.SHADOW and after is not State.FORCED_OPEN,
        ),
        [],
    )


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
    return _release(breaker, gone, now, f"pending evidence ended: {reason}", f"policy:{name}")


def unroll(breaker: Breaker, chain: str, first: int, last: int, now: float, name: str) -> Decision | None:
    """After a reorg: holds whose block is gone count as pending again. They keep holding; no flag flips on a reorg."""
    back = tuple(
        msgspec.structs.replace(hold, stage=hold.stage.PENDING, position=None, height=first)
        for hold in breaker.automatic
        if hold.chain == chain and hold.position is not None and first <= hold.position.height <= last
    )
    if not back:
        return None
    return Decision(
        id=decision_id(breaker.integration, now, "unroll", *(hold.id for hold in back)),
        integration=breaker.integration,
        before=breaker.state,
        after=breaker.state,
        at=now,
        reason=breaker.reason,
        by=f"policy:{name}",
        place=back,
    )


def tick(breaker: Breaker, rules: Rules, now: float, finalized: dict[str, int], name: str) -> Decision | None:
    """What the passing of time means: the end of a bypass, probing half-open, closing after the last probe."""
    by = f"policy:{name}"
    if breaker.state is State.FORCED_CLOSED and breaker.bypass_until is not None and now >= breaker.bypass_until:
        after = State.OPEN if breaker.automatic else State.CLOSED
        return _move(breaker, after, now, "the bypass ran out", by)
    if breaker.state is State.OPEN and _may_probe(breaker, rules, now, finalized):
        return _move(breaker, State.HALF_OPEN, now, "quiet and final: probing", by, share=rules.half_open[0])
    if breaker.state is State.HALF_OPEN and now >= breaker.stepped_at + rules.half_open_step:
        later = [share for share in rules.half_open if share > breaker.share]
        if later:
            return _move(breaker, State.HALF_OPEN, now, breaker.reason, by, share=later[0])
        return _release(breaker, tuple(hold.id for hold in breaker.automatic), now, "probing found nothing", by)
    return None


def pause(breaker: Breaker, who: str, reason: str, now: float, ttl: float | None, chain: str | None = None) -> Decision:
    """A person pauses: always allowed, in every state. `ttl` is a review deadline in seconds, not an end."""
    hold = Hold(
        id=decision_id(breaker.integration, now, "pause", who, reason),
        integration=breaker.integration,
        source=HUMAN + who,
        since=now,
        reason=reason,
        chain=chain,
        until=None if ttl is None else now + ttl,
    )
    return Decision(
        id=decision_id(breaker.integration, now, "forced_open", hold.id),
        integration=breaker.integration,
        before=breaker.state,
        after=State.FORCED_OPEN,
        at=now,
        reason=reason,
        by=HUMAN + who,
        place=(hold,),
    )


def resume(breaker: Breaker, who: str, reason: str, now: float) -> Decision | None:
    """A person resumes: every hold, automatic ones too, is released on that person's authority. None when there is none."""
    if not breaker.holds:
        return None
    return _release(breaker, tuple(breaker.holds), now, reason, HUMAN + who)


def _tripping(breaker: Breaker, found: list[Finding], rules: Rules) -> Iterator[Finding]:
    yield from (f for f in found if f.basis is Basis.MECHANISM and f.confidence >= rules.pause_at)
    loud = [f for f in (*breaker.findings, *found) if f.basis is Basis.STATISTICS and f.confidence >= rules.pause_at]
    if len({finding.detector for finding in loud}) >= rules.quorum:
        yield from (finding for finding in found if finding in loud)


def _hold(breaker: Breaker, finding: Finding, now: float, height: int) -> Hold | None:
    """The hold that a finding places, or None where the same hold stands at that stage or a stronger one."""
    standing = breaker.holds.get(finding.id)
    if standing is not None and not stronger(finding.stage, standing.stage):
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
    )


def _news(breaker: Breaker, finding: Finding, rules: Rules) -> bool:
    """Is it worth a note: a warning not known yet, or one known that a second look made stronger or took back?"""
    if finding.basis is Basis.ADVICE:
        return False
    for seen in breaker.findings:
        if seen.id == finding.id:
            return stronger(finding.stage, seen.stage) or seen.confidence != finding.confidence
    return finding.confidence >= rules.warn_at


def _may_probe(breaker: Breaker, rules: Rules, now: float, finalized: dict[str, int]) -> bool:
    """Every automatic hold is old enough, on block evidence, and that block is final; and nothing has been found since."""
    quiet_for = rules.open_for(breaker.trips)
    latest = max((f.at for f in breaker.findings if f.confidence >= rules.close_at), default=breaker.since)
    if now < max(breaker.since, latest) + quiet_for:
        return False
    return all(not hold.pending and _final(hold.position, hold.chain, finalized) for hold in breaker.automatic)


def _final(position: Position | None, chain: str | None, finalized: dict[str, int]) -> bool:
    return position is None or chain is None or position.height <= finalized.get(chain, -1)


def _move(breaker: Breaker, after: State, now: float, reason: str, by: str, share: float | None = None) -> Decision:
    return Decision(
        id=decision_id(breaker.integration, now, after, repr(share)),
        integration=breaker.integration,
        before=breaker.state,
        after=after,
        at=now,
        reason=reason,
        by=by,
        share=share,
    )


def _release(breaker: Breaker, gone: tuple[str, ...], now: float, reason: str, by: str) -> Decision:
    after = State.FORCED_CLOSED if breaker.state is State.FORCED_CLOSED else after_change(breaker, release=gone)
    return Decision(
        id=decision_id(breaker.integration, now, "release", *gone),
        integration=breaker.integration,
        before=breaker.state,
        after=after,
        at=now,
        reason=reason,
        by=by,
        release=gone,
    )
