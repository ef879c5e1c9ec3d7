"""Detectors in shadow: what would have paused is recorded and counted, and pauses nothing. Pure.

A detector is trusted one integration at a time. Until then what it finds neither holds, nor adds to the risk that readers see,
nor helps another detector's statistics to a quorum.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from detectors.base import Basis, Finding
from detectors.events import Stage
from monitor.breaker.evidence import About
from monitor.breaker.holds import UNMINED, Level, stronger
from monitor.breaker.policy import Rules, tripping

KEPT = 64
"""Findings of shadowed detectors remembered per integration, so that each is told once a stage."""


class WouldPause(About, frozen=True, kw_only=True):
    """A finding that would have paused (or throttled: `level`) `integration`, had its detector been enforced.

    `seconds` of traffic it would have cost at least: the shortest pause of the policy and its probing, weighed by the share that
    was kept out; 0 while only pending evidence stands, which ends within blocks when it is not borne out.
    """

    kind: ClassVar[str] = "would_pause"

    level: Level
    seconds: float


def would_pause(
    integration: str, known: Mapping[str, Stage], standing: Iterable[Finding], found: Iterable[Finding], rules: Rules
) -> Iterator[WouldPause]:
    """What shadowed detectors found (`found`) that would have tripped, each once a stage.

    `known`: the stages they were told at before. `standing`: what enforced detectors found lately, for a quorum of statistics.
    """
    mine = [finding for finding in found if finding.confidence >= rules.warn_at and finding.basis is not Basis.ADVICE]
    for finding, level in tripping(standing, mine, rules, max((f.at for f in mine), default=0.0)):
        before = known.get(finding.id)
        if before is None or stronger(finding.stage, before):
            cost = 0.0 if finding.stage in UNMINED else cost_of(rules, level)
            yield WouldPause(integration=integration, finding=finding, level=level, seconds=cost)


def cost_of(rules: Rules, level: Level) -> float:
    """Seconds of all traffic that one pause on block evidence keeps out at least, its probing included.

    >>> round(cost_of(Rules(), Level.PAUSE)), round(cost_of(Rules(throttle_share=0.25), Level.THROTTLE))
    (1167, 1017)
    """
    share = 1.0 - rules.throttle_share if level is Level.THROTTLE else 1.0
    return rules.open_for(1) * share + sum((1.0 - step) * rules.half_open_step for step in rules.half_open)


def remembered(known: Mapping[str, Stage], news: WouldPause) -> dict[str, Stage]:
    """The stages told at, with this one; the oldest are forgotten."""
    made = {key: stage for key, stage in known.items() if key != news.finding.id} | {news.finding.id: news.finding.stage}
    return dict(list(made.items())[-KEPT:])
