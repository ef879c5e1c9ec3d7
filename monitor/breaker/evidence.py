"""How sure the chain still is of what was found: stages that rise with its tags, and findings whose block was replaced. Pure.

A finding on a replaced block is not retracted at once: its transaction usually comes back in the new branch, and then it is the
same finding. Only when the new branch has outgrown the old one without it is it taken back, once.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from detectors.base import Finding
from detectors.events import Committed, Position, Reverted, Stage
from monitor.breaker.holds import DETECTOR, Hold, stronger
from monitor.breaker.machine import KEPT_FINDINGS, Breaker, Retraction


class About(msgspec.Struct, frozen=True):
    """Something to record about a finding that changed no flag: made when the finding was, by its detector."""

    durable: ClassVar[bool] = True

    integration: str
    finding: Finding

    @property
    def at(self) -> float:
        """Unix seconds."""
        return self.finding.at

    @property
    def by(self) -> str:
        """Whose finding."""
        return DETECTOR + self.finding.detector


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """These findings (by id) of an integration, and the holds made of them, rest on surer blocks now."""

    kind: ClassVar[str] = "stages"
    by: ClassVar[str] = "follower"
    durable: ClassVar[bool] = False

    integration: str
    at: float
    stages: dict[str, Stage]


class Orphaned(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of these findings (by id) were replaced. `until` is the height the new branch must reach without them."""

    kind: ClassVar[str] = "orphans"
    by: ClassVar[str] = "follower"
    durable: ClassVar[bool] = True

    integration: str
    at: float
    findings: tuple[str, ...]
    until: int


def staged(breaker: Breaker, event: Committed) -> Staged | None:
    """What became surer with this commit; None when nothing did."""
    stages = {}
    for finding in breaker.findings:
        if finding.chain == event.chain and finding.position is not None:
            stage = stage_at(finding.position.height, event.safe, event.finalized)
            if stronger(stage, finding.stage):
                stages[finding.id] = stage
    for hold in breaker.automatic:
        if hold.chain == event.chain and hold.position is not None:
            stage = stage_at(hold.position.height, event.safe, event.finalized)
            if stronger(stage, hold.stage):
                stages[hold.id] = stage
    return Staged(integration=breaker.integration, at=event.at, stages=stages) if stages else None


def stage_at(height: int, safe: int, final: int) -> Stage:
    """The stage of a block that the chain holds, by the heights it calls safe and final (-1: it does not say).

    >>> stage_at(7, -1, -1), stage_at(7, 7, -1), stage_at(7, 9, 8)
    (<Stage.INCLUDED: 'included'>, <Stage.SAFE: 'safe'>, <Stage.FINAL: 'final'>)
    """
    if height <= final:
        return Stage.FINAL
    return Stage.SAFE if height <= safe else Stage.INCLUDED


def lost(where: Position | None, chain: str | None, event: Reverted | Committed) -> bool:
    """Does the event say that this block is not on the chain: it was taken back, or another stands at its height?

    The second is how a reorganisation during our absence shows, when it replaced blocks above those we begin with again.
    """
    if where is None or chain != event.chain or not event.first.height <= where.height <= event.last.height:
        return False
    return isinstance(event, Reverted) or (where.height == event.last.height and where.id != event.last.id)


def orphaned(breaker: Breaker, event: Reverted | Committed, patience: int) -> Orphaned | None:
    """The findings that stood in the replaced blocks. They wait until the new branch is `patience` blocks above the old tip."""
    gone = tuple(finding.id for finding in breaker.findings if lost(finding.position, finding.chain, event))
    if not gone:
        return None
    return Orphaned(integration=breaker.integration, at=event.at, findings=gone, until=event.last.height + patience)


def retracted(breaker: Breaker, event: Committed) -> Iterator[Retraction]:
    """What is taken back now: the new branch has outgrown the old one, and it was not found again."""
    for finding in breaker.findings:
        until = breaker.orphans.get(finding.id)
        if until is not None and finding.chain == event.chain and event.last.height >= until:
            hold = breaker.holds.get(finding.id)
            where = f"transaction {finding.tx} did" if finding.tx is not None else "what it rested on did"
            yield Retraction(
                integration=breaker.integration,
                at=event.at,
                finding=finding,
                reason=f"its block was replaced, and {where} not come back up to block {event.last.height}",
                until=None if hold is None else hold.until,
            )


def with_stages(breaker: Breaker, news: Staged) -> Breaker:
    """The breaker once these are surer. The answer to readers is the same, so the revision stays."""
    findings = tuple(
        msgspec.structs.replace(f, stage=news.stages[f.id]) if f.id in news.stages and f.position is not None else f
        for f in breaker.findings
    )
    holds = {
        key: msgspec.structs.replace(hold, stage=news.stages[key]) if key in news.stages and hold.position is not None else hold
        for key, hold in breaker.holds.items()
    }
    return msgspec.structs.replace(breaker, findings=findings, holds=holds)


def with_orphans(breaker: Breaker, news: Orphaned) -> Breaker:
    """The breaker once these have lost their block: as sure as something pending, until found again or retracted."""
    gone = frozenset(news.findings)
    findings = tuple(
        msgspec.structs.replace(f, stage=Stage.PENDING, position=None) if f.id in gone else f for f in breaker.findings
    )
    return msgspec.structs.replace(breaker, findings=findings, orphans=breaker.orphans | dict.fromkeys(news.findings, news.until))


def without(breaker: Breaker, news: Retraction) -> Breaker:
    """The breaker once this was retracted: no risk, no corroboration any more. A hold made of it counts down by itself."""
    return msgspec.structs.replace(
        breaker,
        findings=tuple(finding for finding in breaker.findings if finding.id != news.finding.id),
        orphans={key: until for key, until in breaker.orphans.items() if key != news.finding.id},
        retracted=(*breaker.retracted, news)[-KEPT_FINDINGS:],
    )


def unrolled(hold: Hold, until: float) -> Hold:
    """The hold once its block was replaced: it stays, and counts down to `until` (unix seconds)."""
    position = hold.position
    height = hold.height if position is None else position.height
    return msgspec.structs.replace(hold, stage=Stage.PENDING, position=None, height=height, until=until)
