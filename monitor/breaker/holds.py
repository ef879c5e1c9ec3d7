"""Holds and decisions: a pause is a set of holds, and a decision is the record that changes the set."""

import hashlib
from enum import StrEnum

import msgspec

from detectors.base import Finding
from detectors.events import Position, Stage

HUMAN = "human:"
DETECTOR = "detector:"
_STRENGTH = {stage: rank for rank, stage in enumerate(Stage)}


def stronger(a: Stage, b: Stage) -> bool:
    """Is `a` surer than `b`?

    >>> stronger(Stage.INCLUDED, Stage.PENDING), stronger(Stage.PENDING, Stage.PENDING)
    (True, False)
    """
    return _STRENGTH[a] > _STRENGTH[b]


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One reason not to use an integration, owned by its `source` (`detector:<name>` or `human:<who>`).

    `height` is the chain height when it was placed (or last upgraded); `position` the block its evidence stands in, None while
    pending. `until` on a human hold is a review deadline: it pages, the hold stays.
    """

    id: str
    integration: str
    source: str
    since: float
    reason: str
    confidence: float = 1.0
    stage: Stage = Stage.FINAL
    chain: str | None = None
    tx: str | None = None
    position: Position | None = None
    height: int = -1
    until: float | None = None

    @property
    def human(self) -> bool:
        """Placed by a person: only a person releases it."""
        return self.source.startswith(HUMAN)

    @property
    def pending(self) -> bool:
        """Founded on evidence no block holds yet."""
        return self.stage is Stage.PENDING


class State(StrEnum):
    """A breaker's state. The names are resilience4j's; forced ones are a person's doing."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class Mode(StrEnum):
    """`shadow` decides and reports, and leaves the flag alone; `enforce` turns it."""

    SHADOW = "shadow"
    ENFORCE = "enforce"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy or a person decided about one integration; applied to the fold only once the journal has it.

    `place` adds holds, or replaces those of the same id (an upgrade); `release` removes them by id. `share` is the traffic
    share allowed afterwards while half-open. `bypass_until` sets a forced_closed's end.
    """

    id: str
    integration: str
    before: State
    after: State
    at: float
    reason: str
    by: str
    findings: tuple[Finding, ...] = ()
    place: tuple[Hold, ...] = ()
    release: tuple[str, ...] = ()
    share: float | None = None
    bypass_until: float | None = None
    shadow: bool = False

    @property
    def pauses(self) -> bool:
        """Does it make the integration less usable than before?"""
        return bool(self.place) and self.after in {State.OPEN, State.FORCED_OPEN}


def decision_id(integration: str, at: float, *parts: str) -> str:
    """Deterministic, so that a replay gives the same ids.

    >>> decision_id("aave", 1.0, "open", "f1") == decision_id("aave", 1.0, "open", "f1")
    True
    """
    return hashlib.sha256("\0".join((integration, repr(at), *parts)).encode()).hexdigest()[:24]
