"""What a seed came to, as it is printed, and what many came to together."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tests.chaos.sight import Befallen

SUMMED = (
    "events", "processed", "lost", "phantom", "altered", "unjudged", "duplicated", "duplicates_effected", "decisions", "reorgs",
    "gaps", "lies", "recoveries", "unrecovered", "restarts", "unknown_seconds", "unjustified_unknown_seconds", "absent_seconds",
)  # fmt: skip


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed did. Events are logs by (block hash, log index); seconds are wall seconds.

    `events` the clean chain's; `unjudged` those that were said not to be judged; `altered` processed with other content;
    `duplicated` handed over twice without a revert between; `duplicates_effected` decisions taken twice. `lies` blocks whose
    logs were lied about, `caught_lies` (of the follower alone) those never handed over with the lie. Recovery counts from the
    end of a fault until what the chain was then had been processed. `unknown_by` says which fault explains how many seconds of
    `unknown`, `unknown_said` what the answer itself gave as the reason, `unknown_after_return_ms` how long it stayed once a node
    was back; `absent_seconds` nobody answered at all.
    `replay_identical`: the tape, judged again, gives the decisions on it (None where there was more than one life).
    """

    seed: int
    mode: str
    seconds: float
    nodes: int
    events: int
    processed: int
    lost: int
    phantom: int
    duplicated: int
    chain_equal: bool
    blocks: int
    reorgs: int
    gaps: int
    faults: dict[str, int]
    recoveries: int
    unrecovered: int
    recovery_p50_s: float
    recovery_max_s: float
    recovery_ms: list[int]
    settled_s: float
    lies: int
    trouble: str | None = None
    caught_lies: int | None = None
    altered: int = 0
    unjudged: int = 0
    decisions: int = 0
    duplicates_effected: int = 0
    restarts: int = 0
    unknown_seconds: float = 0.0
    unknown_by: dict[str, float] = {}
    unknown_said: dict[str, float] = {}
    unjustified_unknown_seconds: float = 0.0
    unjustified_reasons: list[str] = []
    unknown_after_return_ms: list[int] = []
    absent_seconds: float = 0.0
    replay_identical: bool | None = None
    slow_recoveries: list[tuple[str, int]] = []
    missing: list[tuple[str, str, int]] = []

    @property
    def good(self) -> bool:
        """Nothing lost, nothing invented, nothing done twice, the very chain; and sight all along where it had to be."""
        wrong = self.lost + self.phantom + self.duplicated + self.duplicates_effected
        if self.replay_identical is False:
            return False
        return wrong == 0 and self.chain_equal and (self.mode != "one-bad" or self.unknown_seconds == 0)

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"seed {self.seed} {self.mode}: {'ok  ' if self.good else 'FAIL'} {self.processed}/{self.events} events, "
            f"lost {self.lost}, phantom {self.phantom}, twice {self.duplicated} + {self.duplicates_effected} effected, "
            f"{self.reorgs} reorgs, {self.restarts} restarts, "
            f"{self.recoveries} recoveries p50 {self.recovery_p50_s} s max {self.recovery_max_s} s, "
            f"unknown {self.unknown_seconds} s ({self.unjustified_unknown_seconds} s unexplained)"
        )


def recovered(
    faults: Sequence[Befallen], heads: Sequence[tuple[float, str]], closed: Mapping[str, Sequence[float]]
) -> list[float | None]:
    """Seconds from each fault's end until the head of that time, or a later one, was processed; None when none was.

    Where that head had been processed before, it is the next one's own time until it was. `heads` are (known at, id), `closed`
    when each was processed. Time in which a later fault held is not counted.

    >>> fault, heads = Befallen("reset", 1.0, 1.0), [(0.5, "a"), (1.2, "b")]
    >>> recovered([fault], heads, {"a": [1.25], "b": [1.5]}), recovered([fault], heads, {"a": [0.6], "b": [1.5]})
    ([0.25], [0.3])
    """
    found: list[float | None] = []
    for fault in faults:
        current = max((head for head in heads if head[0] <= fault.ended), default=heads[0])
        later = [current, *(head for head in heads if head[0] > fault.ended)]
        done = [(when, known) for known, block in later for when in closed.get(block, ()) if when > fault.ended]
        if not done:
            found.append(None)
            continue
        end, known = min(done)
        start = max(fault.ended, known)
        held = sum(max(0.0, min(end, other.ended) - max(start, other.began)) for other in faults if other is not fault)
        found.append(round(max(0.0, end - start - held), 6))
    return found


def counted(times: Sequence[float | None], faults: Sequence[Befallen]) -> dict[str, Any]:
    """The fields of a report that come from recoveries."""
    known = [took for took in times if took is not None]
    return {
        "recoveries": len(known),
        "unrecovered": len(times) - len(known),
        "recovery_p50_s": round(statistics.median(known), 3) if known else 0.0,
        "recovery_max_s": round(max(known, default=0.0), 3),
        "recovery_ms": [round(took * 1000) for took in known],
        "slow_recoveries": [
            (fault.kind, round(took * 1000)) for fault, took in zip(faults, times, strict=True) if took is not None and took > 2
        ],
    }


def summary(reports: Iterable[Report]) -> dict[str, object]:
    """All of them together."""
    reports = sorted(reports, key=lambda report: report.seed)
    took = sorted(one for report in reports for one in report.recovery_ms)
    after = sorted(one for report in reports for one in report.unknown_after_return_ms)
    kinds: Counter[str] = Counter()
    said: dict[str, float] = {}
    for report in reports:
        kinds.update(report.faults)
        for why, seconds in report.unknown_said.items():
            said[why] = round(said.get(why, 0.0) + seconds, 3)
    return {
        "seeds": [report.seed for report in reports],
        "good": sum(report.good for report in reports),
        "failed": [report.seed for report in reports if not report.good],
        "modes": dict(Counter(report.mode for report in reports)),
        **{name: round(sum(getattr(report, name) for report in reports), 3) for name in SUMMED},
        "chain_equal": all(report.chain_equal for report in reports),
        "replays": sum(report.replay_identical is not None for report in reports),
        "replays_identical": sum(report.replay_identical is True for report in reports),
        "recovery_p50_s": statistics.median(took or [0]) / 1000,
        "recovery_p99_s": took[len(took) * 99 // 100] / 1000 if took else 0.0,
        "recovery_max_s": max(took, default=0) / 1000,
        "unknown_seconds_one_bad": round(sum(one.unknown_seconds for one in reports if one.mode == "one-bad"), 3),
        "unknown_said": dict(sorted(said.items(), key=lambda one: -one[1])),
        "unknown_after_return_max_s": max(after, default=0) / 1000,
        "blackouts": len(after),
        "faults": dict(sorted(kinds.items())),
    }
