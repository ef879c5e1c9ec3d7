"""Evasion: a transaction does one thing where it is simulated and another where it would be mined.

A difference is a reason to look, not to stop: what stops is what the other run itself shows the detectors of mechanisms.
"""

from collections.abc import Iterable
from typing import ClassVar

from detectors.base import NOTHING, Detector, Finding, Registry
from detectors.events import Event
from detectors.execution.reruns import Outcome, Rerun

MONEY, SHAPE = 0.7, 0.5
"""Confidence that it hides something, where watched contracts are reached or lose otherwise, and where only calls differ."""

ALIKE = 0.1
"""Amounts this close are the same: interest accrues, prices move with the clock."""


class Evasion(Detector):
    """Compares a pending transaction with its reruns as the next block, another builder and another clock would have it.

    >>> from detectors.base import Watch
    >>> from detectors.events import Stage
    >>> eye = Evasion({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> idle, theft = Outcome(True, 1, "a", (), {}), Outcome(True, 3, "b", ("0xb0",), {"native of 0xb0": -9})
    >>> def rerun(plain, other):
    ...     return Rerun(chain="eip155:1", at=1.0, tx="0x1", stage=Stage.PENDING, under="next", plain=plain, other=other)
    >>> [(f.kind, f.severity.value, f.evidence["differs"]) for f in eye.observe(rerun(idle, theft))]
    [('environment', 'warning', 'contracts reached')]
    >>> list(eye.observe(rerun(theft, theft)))
    []
    """

    name: ClassVar[str] = "evasion"
    summary: ClassVar[str] = "A transaction behaves under simulation, and otherwise where it would be mined."
    wants: ClassVar[tuple[type[Event], ...]] = (Rerun,)
    kinds: ClassVar[dict[str, str]] = {
        "environment": "Its outcome hangs on builder, clock, fees or chance: a simulation does not show what it will do."
    }

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry or {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """A warning where the two runs differ in what they do to watched contracts."""
        if not isinstance(event, Rerun):
            return
        watch = self.registry.get(event.chain, NOTHING)
        plain, other = event.plain, event.other
        reached = dict.fromkeys((*(a for a in other.touched if a not in plain.touched), *plain.touched, *other.touched))
        victims = tuple(address for address in reached if watch.watches(address))
        differs, confidence = _difference(plain, other)
        if victims and differs:
            yield self.find(
                event,
                kind="environment",
                victims=victims,
                confidence=confidence,
                title=f"a transaction does otherwise to {victims[0]} in a block than in a simulation: {differs}",
                evidence={
                    "under": event.under, "differs": differs, "calls": plain.calls, "calls_there": other.calls,
                    "succeeds": int(plain.ok), "succeeds_there": int(other.ok),
                },
                stage=event.stage,
                watched=True,
                tx=event.tx,
            )  # fmt: skip


def _difference(plain: Outcome, other: Outcome) -> tuple[str, float]:
    """What differs, and how telling that is; "" for nothing.

    >>> _difference(Outcome(True, 1, "a", ("0xb0",), {"x": 100}), Outcome(True, 1, "a", ("0xb0",), {"x": 95}))
    ('', 0.0)
    """
    if set(plain.touched) != set(other.touched):
        return "contracts reached", MONEY
    if plain.ok != other.ok:
        return "success", MONEY
    for name in sorted(plain.flows.keys() | other.flows.keys()):
        before, after = plain.flows.get(name, 0), other.flows.get(name, 0)
        if abs(before - after) > ALIKE * max(abs(before), abs(after)):
            return "money", MONEY
    return ("calls", SHAPE) if plain.shape != other.shape else ("", 0.0)
