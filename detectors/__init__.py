"""Pure detection: events in, findings out. No I/O, no clock, no logging."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detectors.base import Detector

GROUP = "seawall.detectors"
"""The entry point group that a plug-in's detectors are found under."""

OURS = (
    "detectors.reentrancy:Reentrancy",
    "detectors.drain:Drain",
    "detectors.invariants:Invariants",
    "detectors.manipulation:Manipulation",
    "detectors.flows:Flows",
    "detectors.privileges:Privileges",
    "detectors.risk:Risk",
    "detectors.statistics:Statistics",
    "detectors.sanctions:Sanctions",
    "detectors.evasion:Evasion",
    "detectors.silence:Silence",
)
"""What comes in the house, known without an installed distribution."""


def discover() -> "dict[str, type[Detector]]":
    """Every detector class by its name: ours, then those of installed plug-ins (which cannot replace ours)."""
    found: dict[str, type[Detector]] = {}
    for path in OURS:
        module, _, name = path.partition(":")
        detector = getattr(import_module(module), name)
        found[detector.name] = detector
    for entry in entry_points(group=GROUP):
        if entry.value not in OURS:
            detector = entry.load()
            found.setdefault(detector.name, detector)
    return found
