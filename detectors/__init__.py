"""Pure detection: events in, findings out. No I/O, no clock, no logging."""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
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


class PlugInError(Exception):
    """Installed plug-ins that cannot be used. `problems`: a line for each, which it is, why, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def discover() -> "dict[str, type[Detector]]":
    """Every detector class by its name: ours, then those of installed plug-ins (which cannot replace ours).

    Raises PlugInError: what somebody installed to watch, and does not, must not go unnoticed.
    """
    found: dict[str, type[Detector]] = {}
    for path in OURS:
        module, _, name = path.partition(":")
        detector = getattr(import_module(module), name)
        found[detector.name] = detector
    problems = []
    for entry in entry_points(group=GROUP):
        if entry.value in OURS:
            continue
        try:
            detector = entry.load()
        except Exception as error:  # noqa: BLE001 - importing foreign code can raise anything; it is told, by name
            problems.append(_refused(entry, f"cannot be imported: {type(error).__name__}: {error}"))
            continue
        if lacks := _lacks(detector):
            problems.append(_refused(entry, lacks))
        else:
            found.setdefault(detector.name, detector)
    if problems:
        raise PlugInError(problems)
    return found


def _refused(entry: EntryPoint, why: str) -> str:
    owner = f" of {entry.dist.name}" if entry.dist is not None else ""
    return f"plug-in {entry.name} ({entry.value}{owner}): {' '.join(why.split())[:400]}; mend or uninstall it"


def _lacks(detector: object) -> str:
    """What this is not, to be a detector; "" for nothing."""
    from detectors.base import Detector  # noqa: PLC0415 - whoever only wants this package's names need not wait for it

    if not (isinstance(detector, type) and issubclass(detector, Detector)):
        return "is no class derived from detectors.base.Detector"
    missing = [name for name in ("name", "summary", "wants", "kinds") if not hasattr(detector, name)]
    return f"says nothing of its {', '.join(missing)}" if missing else ""
