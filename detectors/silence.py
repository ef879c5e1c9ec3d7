"""Silence: what could not be judged is suspicious or unknown, never clean."""

from collections.abc import Iterable
from typing import ClassVar

from detectors.base import NOTHING, Basis, Detector, Finding, Registry
from detectors.events import Event, Unjudged


class Silence(Detector):
    """Says so when a transaction that touches a watched contract could not be judged.

    >>> from detectors.base import Watch
    >>> from detectors.events import Stage
    >>> quiet = Silence({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> bomb = Unjudged(chain="eip155:1", at=1.0, id="0x1", stage=Stage.PENDING, reason="oversize", touches=("0xb0",))
    >>> [(f.kind, f.severity.value) for f in quiet.observe(bomb)]
    [('unjudged', 'warning')]
    >>> elsewhere = Unjudged(chain="eip155:1", at=1.0, id="0x2", stage=Stage.PENDING, reason="oversize", touches=("0xc0",))
    >>> list(quiet.observe(elsewhere))
    []
    """

    name: ClassVar[str] = "silence"
    summary: ClassVar[str] = "A transaction that touches a watched contract could not be judged."
    wants: ClassVar[tuple[type[Event], ...]] = (Unjudged,)
    kinds: ClassVar[dict[str, str]] = {"unjudged": "An attack may hide in what is too big, too deep or too late to read."}

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry or {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """A warning for each unjudged transaction that is known to touch a watched contract."""
        if not isinstance(event, Unjudged):
            return
        watch = self.registry.get(event.chain, NOTHING)
        touched = tuple(address for address in event.touches if watch.watches(address))
        if touched:
            yield self.find(
                event,
                kind="unjudged",
                victims=touched,
                confidence=0.5,
                title=f"a transaction to {touched[0]} could not be judged: {event.reason}",
                evidence={"reason": event.reason},
                stage=event.stage,
                watched=True,
                tx=event.id,
                position=event.position,
                basis=Basis.STATISTICS,
            )
