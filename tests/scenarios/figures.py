"""From outcomes to figures: recall, pause recall, precision, attribution, lead time, by scenario and by detector. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from monitor.inspect import Verdict
from tests.scenarios.scenario import DRAIN, REENTRANCY, Scenario
from tests.scenarios.ways import DEGRADED, MINED, PENDING, RENAMED, RENAMED_MINED, REORG, Outcome

ANNOUNCED = (PENDING, RENAMED)
BLOCK_ONLY = (MINED, REORG, RENAMED_MINED)
SEEN = (*ANNOUNCED, *BLOCK_ONLY)
"""Ways with every tracer there."""

BAD = (Verdict.WARN, Verdict.PAUSE)


class Part(msgspec.Struct, frozen=True):
    """So many of so many."""

    good: int
    all: int

    @property
    def share(self) -> float:
        """0..1, 1 of nothing."""
        return self.good / self.all if self.all else 1.0

    def __str__(self) -> str:
        return f"{self.share:.3f} ({self.good}/{self.all})" if self.all else "-"


def part(outcomes: Iterable[Outcome], good: Callable[[Outcome], bool]) -> Part:
    """How many of these are good."""
    found = [good(one) for one in outcomes]
    return Part(sum(found), len(found))


def bound(count: int) -> str:
    """The 95 % upper bound of a rate that showed nothing in `count` trials: 3/N."""
    return f"{3 / count:.2e}" if count else "unknown"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


class Family(msgspec.Struct, frozen=True):
    """One family's figures, ways with every tracer."""

    name: str
    recall: Part
    precision: Part
    announced: Part
    blocks: Part
    named: Part
    all_named: Part
    degraded: Part


def family(name: str, scenarios: Sequence[Scenario], outcomes: Sequence[Outcome]) -> Family:
    """The figures of a family's attacks; its false alarms are those of its own detectors on anything honest anywhere."""
    numbers = {s.number for s in scenarios if s.family == name}
    mine = [o for o in outcomes if o.number in numbers and o.way in SEEN]
    hits = [o for o in mine if o.detected]
    false = [o for o in outcomes if o.way in SEEN and any(_family(text) == name for text in o.false_said)]
    dim = [o for o in outcomes if o.number in numbers and o.way == DEGRADED]
    return Family(
        name=name,
        recall=part(mine, lambda o: o.detected),
        precision=Part(len(hits), len(hits) + len(false)),
        announced=part([o for o in mine if o.way in ANNOUNCED], lambda o: o.paused),
        blocks=part([o for o in mine if o.way in BLOCK_ONLY], lambda o: o.paused),
        named=part(hits, lambda o: o.named),
        all_named=part(hits, lambda o: o.all_named),
        degraded=part(dim, lambda o: o.verdict not in {Verdict.CLEAR, Verdict.INFO}),
    )


def _family(told: str) -> str:
    return REENTRANCY if told.startswith("reentrancy ") else DRAIN


def detectors(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int, int, int]]:
    """Detector -> runs in which it (warned of something guilty, paused over it, warned of something honest, paused over that)."""
    found: dict[str, list[int]] = {}
    for one in outcomes:
        if one.way not in SEEN:
            continue
        for told, places in ((one.by, (0, 1)), (one.false_by, (2, 3))):
            for name, confidence in told:
                row = found.setdefault(name, [0, 0, 0, 0])
                row[places[0]] += 1
                row[places[1]] += confidence >= 0.8
    return {name: (row[0], row[1], row[2], row[3]) for name, row in sorted(found.items())}
