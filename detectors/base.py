"""The seam every detector plugs into: what it is handed, what it hands back, and how it forgets a reverted block."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar

import msgspec

from detectors.events import Event, Position, Stage

WARN_AT, PAUSE_AT = 0.5, 0.8
"""Confidence from which a finding warns, and from which one on a watched contract may pause."""

UNWATCHED_CAP = 0.79
"""The most confidence a finding can have whose victims are all unwatched."""


class Severity(StrEnum):
    """Follows from confidence: below 0.5 info, below 0.8 warning, else critical."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @classmethod
    def of(cls, confidence: float) -> "Severity":
        """The severity that a confidence (0..1) means.

        >>> Severity.of(0.49), Severity.of(0.5), Severity.of(0.8)
        (<Severity.INFO: 'info'>, <Severity.WARNING: 'warning'>, <Severity.CRITICAL: 'critical'>)
        """
        return cls.CRITICAL if confidence >= PAUSE_AT else cls.WARNING if confidence >= WARN_AT else cls.INFO


class Basis(StrEnum):
    """What a finding rests on: a mechanism may pause alone, statistics only corroborate, advice never pauses."""

    MECHANISM = "mechanism"
    STATISTICS = "statistics"
    ADVICE = "advice"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something a detector saw. `subject` is the contract it is about, `victims` all who lose (subject first).

    `evidence` maps a name to a number or a short text; amounts are decimal text where they exceed 2**53. `causes` are event
    keys. Text in here may come from the chain and is hostile: sinks neutralise it.
    """

    id: str
    detector: str
    kind: str
    subject: str
    victims: tuple[str, ...]
    chain: str
    at: float
    severity: Severity
    confidence: float
    title: str
    evidence: dict[str, str | int | float]
    causes: tuple[str, ...]
    stage: Stage
    basis: Basis = Basis.MECHANISM
    tx: str | None = None
    position: Position | None = None


class Want(msgspec.Struct, frozen=True):
    """A detector asks the shell for a transaction's ordered storage trace; it comes back as an Execution with `supersedes`."""

    chain: str
    tx: str
    stage: Stage
    why: str


class Watch(msgspec.Struct, frozen=True):
    """One chain's registry: `watched` contracts (None: every contract counts as watched) and `trusted` ones."""

    watched: frozenset[str] | None = None
    trusted: frozenset[str] = frozenset()
    kinds: dict[str, str] = {}

    def watches(self, address: str | None) -> bool:
        """May a finding about this address pause?"""
        return address is not None and (self.watched is None or address in self.watched)


Registry = dict[str, Watch]
"""Operator data by chain; a chain that is absent watches nothing."""

NOTHING = Watch(watched=frozenset())


def finding_id(detector: str, kind: str, subject: str, cause: str) -> str:
    """Deterministic: the same evidence on the same transaction (or block) is the same finding, in a replay too.

    >>> finding_id("drain", "outflow", "0xb0", "0xabc") == finding_id("drain", "outflow", "0xb0", "0xabc")
    True
    """
    return hashlib.sha256(f"{detector}\0{kind}\0{subject}\0{cause}".encode("utf-8", "replace")).hexdigest()[:24]


class Detector(ABC):
    """Events in, findings out. No I/O, no clock, no logging; constructor arguments are its configuration, all with defaults.

    State must pickle and continue identically. Keep block-scoped state in `_math.undo` maps: on `Block` open a level, on
    `Reverted` roll back, on `Committed` forget what is final. Pending executions never change state.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    wants: ClassVar[tuple[type[Event], ...]]
    kinds: ClassVar[dict[str, str]]
    """Every kind of finding it can make, with a sentence on its impact."""

    @abstractmethod
    def observe(self, event: Event) -> Iterable[Finding | Want]:
        """Judge one event. Raises nothing for any event of the types in `wants`, however hostile."""

    def find(
        self,
        event: Event,
        *,
        kind: str,
        victims: tuple[str, ...],
        confidence: float,
        title: str,
        evidence: dict[str, str | int | float],
        stage: Stage,
        watched: bool,
        tx: str | None = None,
        position: Position | None = None,
        basis: Basis = Basis.MECHANISM,
    ) -> Finding:
        """Build a finding: id from detector, kind, subject and cause; severity from confidence; unwatched victims capped."""
        capped = confidence if watched else min(confidence, UNWATCHED_CAP)
        return Finding(
            id=finding_id(self.name, kind, victims[0], tx or event.key),
            detector=self.name,
            kind=kind,
            subject=victims[0],
            victims=victims,
            chain=event.chain,
            at=event.at,
            severity=Severity.of(capped),
            confidence=round(capped, 4),
            title=title,
            evidence=evidence,
            causes=(event.key,),
            stage=stage,
            basis=basis,
            tx=tx,
            position=position,
        )
