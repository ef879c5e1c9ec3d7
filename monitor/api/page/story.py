"""Incidents as people follow them: decisions that belong together, what was found, and what happened when. Values only, pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from detectors.base import Finding
from monitor.breaker.desk import Made
from monitor.breaker.holds import HUMAN, SERVICE, Decision, State
from monitor.breaker.machine import Breaker
from monitor.breaker.timing import Acknowledged, Timing
from monitor.windows import spans_of

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
    """One incident: its decisions, oldest first. `live`: it stands still."""

    decisions: tuple[Made, ...]
    live: bool

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

    @property
    def found(self) -> dict[str, Finding]:
        """What it rests on, by id, as it was told when it was decided."""
        return {finding.id: finding for one in self.decisions for finding in one.decision.findings}

    def about(self, wanted: str) -> bool:
        """Is this the id of one of its decisions or findings?"""
        return wanted in self.found or any(one.decision.id == wanted for one in self.decisions)


class Known(msgspec.Struct, frozen=True):
    """What is known besides the decisions: how long each pause took, who took it up, what became of the evidence."""

    timing: Callable[[str], Timing | None]
    taken_up: Callable[[str], Acknowledged | None]
    breaker: Callable[[str], Breaker]


def stories(made: Iterable[Made]) -> list[Story]:
    """All incidents among these decisions (oldest first), the newest first."""
    mine: dict[str, list[Made]] = {}
    for one in made:
        mine.setdefault(one.decision.integration, []).append(one)
    told = [story for decisions in mine.values() for story in _stories(decisions)]
    return sorted(told, key=lambda story: -story.began)


def _stories(decisions: Sequence[Made]) -> Iterator[Story]:
    """One integration's; a decision that belongs to no incident, as a bypass while nothing holds, is one of its own."""
    inside = set[int]()
    for span in spans_of(decisions):
        inside |= {id(one) for one in span.decisions}
        yield Story(span.decisions, span.closing is None)
    yield from (Story((one,), live=False) for one in decisions if id(one) not in inside)


def evidence(story: Story, known: Known) -> tuple[Finding, ...]:
    """Its findings by their newest word, surest first."""
    found = story.found
    newest = found | {one.id: one for one in known.breaker(story.integration).findings if one.id in found}
    return tuple(sorted(newest.values(), key=lambda finding: (-finding.confidence, finding.at)))


def acknowledged(story: Story, known: Known) -> Acknowledged | None:
    """Who took it up first."""
    return next((news for one in story.decisions if (news := known.taken_up(one.decision.id)) is not None), None)


def timeline(story: Story, known: Known) -> tuple[Step, ...]:
    """What happened, in order."""
    opening, found, news = story.decisions[0], story.found, acknowledged(story, known)
    steps = [step for one in story.decisions for step in _steps(one, one is opening, known.timing(one.decision.id))]
    steps += [
        Step(back.at, "retracted", f"{back.finding.detector} {back.finding.kind} taken back: {back.reason}")
        for back in known.breaker(story.integration).retracted
        if back.finding.id in found
    ]
    if news is not None:
        steps.append(Step(news.at, "acknowledged", f"somebody took it up{f': {news.note}' if news.note else ''}", news.by))
    return folded(sorted(steps, key=lambda step: step.at))


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
