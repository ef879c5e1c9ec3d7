"""Incidents as people follow them: decisions that belong together, what was found, and what happened when. Values only, pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from detectors.base import Finding
from monitor.breaker.desk import Made
from monitor.breaker.holds import HUMAN, SERVICE, Decision, State
from monitor.breaker.machine import Breaker
from monitor.breaker.timing import Acknowledged, Timing
from monitor.windows import Span, span_of

STATES = {
    State.CLOSED: "in use",
    State.OPEN: "paused",
    State.HALF_OPEN: "probing",
    State.FORCED_OPEN: "paused by order",
    State.FORCED_CLOSED: "kept in use by order",
}
"""The breaker's states in words."""


class Step(msgspec.Struct, frozen=True):
    """One line of a timeline. `sort` is what kind of thing happened; `times` > 1: alike ones on end, the last at `last`."""

    at: float
    sort: str
    words: str
    by: str = ""
    times: int = 1
    last: float = 0.0


class Story(msgspec.Struct, frozen=True):
    """One incident. `live`: it stands still; `shadow`: the flag was left alone. `findings` by their newest word, surest first."""

    decisions: tuple[Made, ...]
    live: bool
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    acknowledged: Acknowledged | None = None

    @property
    def id(self) -> str:
        """That of the decision which opened it."""
        return self.decisions[0].decision.id

    @property
    def integration(self) -> str:
        """Whose."""
        return self.decisions[0].decision.integration

    @property
    def shadow(self) -> bool:
        """Was it decided only, and the flag left alone?"""
        return self.decisions[0].decision.shadow

    @property
    def began(self) -> float:
        """Unix seconds."""
        return self.decisions[0].decision.at

    @property
    def ended(self) -> float | None:
        """Unix seconds; None while it stands."""
        return None if self.live else self.decisions[-1].decision.at

    def about(self, wanted: str) -> bool:
        """Is this the id of one of its decisions or findings?"""
        return any(one.decision.id == wanted or any(f.id == wanted for f in one.decision.findings) for one in self.decisions)


class Known(msgspec.Struct, frozen=True):
    """What is known besides the decisions: how long each pause took, who took it up, what became of the evidence."""

    timing: Callable[[str], Timing | None]
    taken_up: Callable[[str], Acknowledged | None]
    breaker: Callable[[str], Breaker]


def stories(made: Iterable[Made], known: Known) -> list[Story]:
    """All incidents among these decisions (oldest first), the newest first."""
    mine: dict[str, list[Made]] = {}
    for one in made:
        mine.setdefault(one.decision.integration, []).append(one)
    told = [_story(span, known) for decisions in mine.values() for span in _spans(decisions)]
    return sorted(told, key=lambda story: -story.began)


def _spans(decisions: Sequence[Made]) -> Iterator[Span]:
    """One integration's decisions, cut into incidents; one that belongs to none, as a bypass while nothing holds, is its own."""
    at = 0
    while at < len(decisions):
        span = span_of(decisions[at], decisions[at:]) or Span(decisions[at], (), decisions[at], whole=True)
        yield span
        at += len(span.decisions)


def _story(span: Span, known: Known) -> Story:
    made = span.decisions
    breaker = known.breaker(made[0].decision.integration)
    newest = {finding.id: finding for one in made for finding in one.decision.findings}
    newest |= {finding.id: finding for finding in breaker.findings if finding.id in newest}
    taken_up = next((news for one in made if (news := known.taken_up(one.decision.id)) is not None), None)
    steps = [step for one in made for step in _steps(one, one is made[0], known.timing(one.decision.id))]
    steps += [
        Step(news.at, "retracted", f"{news.finding.detector} {news.finding.kind} taken back: {news.reason}")
        for news in breaker.retracted
        if news.finding.id in newest
    ]
    if taken_up is not None:
        note = f": {taken_up.note}" if taken_up.note else ""
        steps.append(Step(taken_up.at, "acknowledged", f"somebody took it up{note}", taken_up.by))
    return Story(
        decisions=made,
        live=span.closing is None,
        findings=tuple(sorted(newest.values(), key=lambda finding: (-finding.confidence, finding.at))),
        steps=folded(sorted(steps, key=lambda step: step.at)),
        acknowledged=taken_up,
    )


def _steps(made: Made, opening: bool, timing: Timing | None) -> Iterator[Step]:  # noqa: FBT001 - which of two kinds it is
    """What one decision did, and how long it took where that is known."""
    decision = made.decision
    if opening and timing is not None:
        yield Step(timing.seen_at, "seen" if decision.findings else "ordered", decision.reason)
        yield Step(timing.decided_at, "decided", moved(decision), decision.by)
        yield Step(timing.readable_at, "readable", "every reader is told to stop")
        if timing.recorded_at is not None:
            yield Step(timing.recorded_at, "recorded", f"on disk as revision {made.revision}")
    else:
        at = decision.at if timing is None else timing.decided_at
        yield Step(at, _sort(decision), f"{moved(decision)}: {decision.reason}", decision.by)


def _sort(decision: Decision) -> str:
    if decision.by.startswith((HUMAN, SERVICE)):
        return "ordered"
    if decision.before is not decision.after or decision.share is not None:
        return "moved"
    return "held" if decision.place else "released" if decision.release else "decided"


def moved(decision: Decision) -> str:
    """What a decision changed, in a few words."""
    would = "would be " if decision.shadow else ""
    if decision.before is not decision.after:
        share = f", {decision.share:.0%} of traffic let through" if decision.share else ""
        return f"{STATES[decision.before]} → {would}{STATES[decision.after]}{share}"
    if decision.share is not None:
        return f"{decision.share:.0%} of traffic let through"
    if decision.place:
        return f"on more evidence, still {would}{STATES[decision.after]}"
    return (
        f"{len(decision.release)} of its holds, still {would}{STATES[decision.after]}" if decision.release else "looked at again"
    )


def folded(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Holds that follow each other are one line, with how many and until when.

    >>> [(step.times, step.last) for step in folded([Step(1.0, "held", "a"), Step(2.0, "held", "b"), Step(3.0, "moved", "c")])]
    [(2, 2.0), (1, 0.0)]
    """
    told: list[Step] = []
    for step in steps:
        if told and step.sort == "held" and (told[-1].sort, told[-1].by) == ("held", step.by):
            told[-1] = msgspec.structs.replace(told[-1], times=told[-1].times + 1, last=step.at, words=step.words)
        else:
            told.append(step)
    return tuple(told)
