"""Holds and decisions: a pause is a set of holds, and a decision is the record that changes the set."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from detectors.base import Finding
from detectors.events import Position, Stage

HUMAN = "human:"
SERVICE = "service:"
DETECTOR = "detector:"
INTERNAL = "canary:"
"""How the integrations begin that are ours alone; no configured id can, and no door lists them."""
UNMINED = frozenset((Stage.PENDING, Stage.PRECONFIRMED))
"""Stages that no block vouches for."""
_STRENGTH = {stage: rank for rank, stage in enumerate(Stage)}


def stronger(a: Stage, b: Stage) -> bool:
    """Is `a` surer than `b`?

    >>> stronger(Stage.INCLUDED, Stage.PENDING), stronger(Stage.PENDING, Stage.PENDING)
    (True, False)
    """
    return _STRENGTH[a] > _STRENGTH[b]


class Level(StrEnum):
    """How much a hold takes away, mildest first: a cap on traffic, no way in but a way out, nothing at all."""

    THROTTLE = "throttle"
    EXITS_ONLY = "exits_only"
    PAUSE = "pause"


_SEVERITY = {level: rank for rank, level in enumerate(Level)}


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One reason not to use an integration, owned by its `source` (`detector:<name>`, `human:<who>` or `service:<token>`).

    `height` is the chain height when it was placed (or last upgraded); `position` the block its evidence stands in, None while
    pending. `until` on an ordered hold is a review deadline: it pages, the hold stays; on a detector's it says that its block was
    replaced, and until when that counts down. `share` is the traffic (0..1) that passes while it stands, `scope` what was ordered
    when that was more than one integration, `sender` who answers for the feared transaction: who sent it, or funded them.
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
    level: Level = Level.PAUSE
    share: float = 0.0
    scope: str = ""
    sender: str = ""

    @property
    def forced(self) -> bool:
        """Ordered by a person or a service: no detector and no clock releases it."""
        return self.source.startswith((HUMAN, SERVICE))

    @property
    def stops(self) -> bool:
        """Does it tell readers not to use the integration, rather than to use it less?"""
        return self.level is not Level.THROTTLE

    @property
    def pending(self) -> bool:
        """Founded on evidence no block holds yet."""
        return self.stage in UNMINED and not self.reverted

    @property
    def reverted(self) -> bool:
        """Its block was replaced: it counts down to `until`, whatever becomes of the transaction meanwhile."""
        return self.until is not None and not self.forced


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
    share allowed afterwards while half-open. `bypass_until` sets a forced_closed's end. `page` says why a person must look now,
    where the change of state alone does not.
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
    page: str = ""

    @property
    def pauses(self) -> bool:
        """Does it stop what may have been usable before?"""
        return any(hold.stops for hold in self.place) and self.after in {State.OPEN, State.FORCED_OPEN}


def internal(integration: str) -> bool:
    """Is this one of ours, which nobody is told of?

    >>> internal("canary:eip155:1"), internal("canary")
    (True, False)
    """
    return integration.startswith(INTERNAL)


def proof_of_life(chain: str) -> str:
    """The integration of a chain's canary; no configuration can name one so.

    >>> proof_of_life("eip155:1")
    'canary:eip155:1'
    """
    return INTERNAL + chain


def milder(a: Level, b: Level) -> bool:
    """Does `a` take away less than `b`?

    >>> milder(Level.THROTTLE, Level.PAUSE), milder(Level.PAUSE, Level.PAUSE)
    (True, False)
    """
    return _SEVERITY[a] < _SEVERITY[b]


def outdoes(stage: Stage, level: Level, standing: Hold | None) -> bool:
    """Would a hold at this stage and level say more than the one of its id that stands, if any?"""
    return standing is None or stronger(stage, standing.stage) or milder(standing.level, level)


def strictest(holds: Iterable[Hold]) -> Level | None:
    """The level that counts among these holds; None without any."""
    return max((hold.level for hold in holds), key=_SEVERITY.__getitem__, default=None)


def decision_id(integration: str, at: float, *parts: str) -> str:
    """Deterministic, so that a replay gives the same ids.

    >>> decision_id("aave", 1.0, "open", "f1") == decision_id("aave", 1.0, "open", "f1")
    True
    """
    return hashlib.sha256("\0".join((integration, repr(at), *parts)).encode()).hexdigest()[:24]
