"""What shadow would have done, from the journal alone: how often it would have paused, what that costs, what it would have saved.

Two things tell of it: decisions of integrations that are in shadow as a whole, and notes of single detectors that are. Pure.
"""

from collections.abc import Iterable

import msgspec

from detectors.base import Finding
from monitor.breaker.fold import Fold
from monitor.breaker.holds import DETECTOR, UNMINED, Decision
from monitor.breaker.machine import Breaker, Retraction
from monitor.breaker.shadows import WouldPause
from monitor.journal.base import Record

DAY = 86_400.0
ENOUGH = 7.0
"""Days of shadow below which nothing is recommended but to wait."""

FORGOTTEN = 3600.0
"""Seconds after which a feared transaction that no block took counts as not borne out."""

MOST_SHOWN = 20

Key = tuple[str, str]
"""Integration and detector."""


class Loss(msgspec.Struct, frozen=True):
    """What a would-be pause was about: `out` of `asset` left in `tx`, a `share` of what was there (None: not told).

    `lead`: seconds between the would-be pause and the block that took the transaction; None where it was seen in a block only,
    so that a pause keeps out later payments but not that one.
    """

    finding: str
    tx: str | None
    at: float
    asset: str
    out: str
    share: float | None
    lead: float | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One detector on one integration. Times in seconds; `seconds_lost` is all traffic that enforcing would have kept out."""

    integration: str
    detector: str
    would_pause: int
    per_day: float
    seconds_lost: float
    borne_out: int
    not_borne_out: int
    undecided: int
    seen_pending: int
    saved: tuple[Loss, ...]
    recommendation: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """From the first to the last record of a journal (unix seconds), all that was in shadow."""

    first: float
    last: float
    days: float
    rows: tuple[Row, ...]


class _Case(msgspec.Struct):
    """One finding that would have paused."""

    finding: Finding
    began: float
    mined: float | None = None
    seconds: float = 0.0
    gone: bool = False


class Shadows:
    """Take every record of a journal in order, then ask for the report. `quiet`: shadowed pairs that may have found nothing."""

    def __init__(self, quiet: Iterable[Key] = ()) -> None:
        self._fold = Fold({})
        self._cases: dict[Key, dict[str, _Case]] = {key: {} for key in quiet}
        self._lost: dict[Key, float] = {}
        self._open: dict[str, float] = {}
        """Integrations in shadow that would be paused just now, and since when that was last reckoned."""
        self._span: tuple[float, float] | None = None

    def take(self, record: Record) -> None:
        """One record. Raises as `Fold.apply_record`."""
        first = record.at if self._span is None else min(self._span[0], record.at)
        self._span = (first, record.at if self._span is None else max(self._span[1], record.at))
        if record.kind == WouldPause.kind:
            note = record.read(WouldPause)
            self._case(note.integration, note.finding, note.seconds)
        if record.kind == "decision":
            self._reckon(record.read(Decision).integration, record.at)
        made = self._fold.apply_record(record.kind, record.body, record.sequence)
        if isinstance(made, Decision):
            self._decided(made, self._fold.breaker(made.integration))
        elif isinstance(made, Retraction):
            self._gone(made.integration, made.finding.id)

    def report(self) -> Report:
        """All that was taken so far."""
        first, last = self._span or (0.0, 0.0)
        for integration in list(self._open):
            self._reckon(integration, last)
        days = max(0.0, last - first) / DAY
        rows = tuple(self._row(key, list(cases.values()), last, days) for key, cases in sorted(self._cases.items()))
        return Report(first=first, last=last, days=round(days, 4), rows=rows)

    def _case(self, integration: str, finding: Finding, seconds: float) -> None:
        cases = self._cases.setdefault((integration, finding.detector), {})
        case = cases.setdefault(finding.id, _Case(finding, finding.at))
        if finding.stage not in UNMINED and case.mined is None:
            case.mined, case.finding = finding.at, finding
        case.seconds, case.gone = max(case.seconds, seconds), False

    def _decided(self, decision: Decision, breaker: Breaker) -> None:
        found = {finding.id: finding for finding in decision.findings}
        for hold in decision.place:
            if decision.shadow and hold.id in found and hold.source.startswith(DETECTOR):
                self._case(decision.integration, found[hold.id], 0.0)
        for key in decision.release:
            self._gone(decision.integration, key, pending=True)
        if decision.shadow:
            self._open[decision.integration] = decision.at
        elif breaker.forced or not breaker.holds:
            self._open.pop(decision.integration, None)

    def _gone(self, integration: str, finding: str, *, pending: bool = False) -> None:
        """It was taken back; or its hold was released while nothing but pending evidence stood."""
        for (owner, _), cases in self._cases.items():
            case = cases.get(finding)
            if owner == integration and case is not None and (case.mined is None or not pending):
                case.gone = True

    def _reckon(self, integration: str, now: float) -> None:
        """Add up what the holds that stand would have kept out since the last time."""
        since = self._open.get(integration)
        if since is None:
            return
        breaker = self._fold.breaker(integration)
        lost = max(0.0, now - since) * (1.0 - breaker.allowed)
        for detector in {hold.source.removeprefix(DETECTOR) for hold in breaker.automatic}:
            key = (integration, detector)
            self._lost[key] = self._lost.get(key, 0.0) + lost
        self._open[integration] = now

    def _row(self, key: Key, cases: list[_Case], last: float, days: float) -> Row:
        gone = [case for case in cases if case.gone or (case.mined is None and last - case.began > FORGOTTEN)]
        borne = [case for case in cases if case.mined is not None and not case.gone]
        spans = [(case.mined, case.mined + case.seconds) for case in borne if case.mined is not None]
        saved = [_loss(case) for case in borne]
        return Row(
            integration=key[0],
            detector=key[1],
            would_pause=len(cases),
            per_day=round(len(cases) / days, 4) if days else float(len(cases)),
            seconds_lost=round(self._lost.get(key, 0.0) + _covered(spans), 3),
            borne_out=len(borne),
            not_borne_out=len(gone),
            undecided=len(cases) - len(borne) - len(gone),
            seen_pending=sum(one.lead is not None for one in saved),
            saved=tuple(saved[-MOST_SHOWN:]),
            recommendation=recommended(days, len(cases), len(borne), len(gone)),
        )


def _loss(case: _Case) -> Loss:
    evidence = case.finding.evidence
    share = evidence.get("share", evidence.get("outflow_share"))
    return Loss(
        finding=case.finding.id,
        tx=case.finding.tx,
        at=case.began,
        asset=str(evidence.get("asset", "")),
        out=str(evidence.get("out", evidence.get("gain", "unknown"))),
        share=float(share) if isinstance(share, int | float) else None,
        lead=round(case.mined - case.began, 3) if case.mined is not None and case.mined > case.began else None,
    )


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that lie in any of these stretches.

    >>> _covered([(0.0, 10.0), (5.0, 12.0), (20.0, 21.0)])
    13.0
    """
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def recommended(days: float, count: int, borne: int, gone: int) -> str:
    """What to do with this detector here, in words.

    >>> recommended(9.0, 2, 2, 0)
    'enforce: all 2 would-be pauses were borne out by a block'
    >>> recommended(2.0, 0, 0, 0)
    'wait: 2.0 of 7 days seen'
    """
    if gone:
        return f"keep in shadow: {gone} of {count} would-be pauses were not borne out; look at them first"
    if days < ENOUGH:
        return f"wait: {days:.1f} of {ENOUGH:g} days seen" + (f", {borne} of {count} would-be pauses borne out" if count else "")
    if not count:
        return f"enforce if that is rare enough: quiet for {days:.1f} days, so under {3 / days:.2g} false pauses a day (95 %)"
    if borne < count:
        return f"wait: {count - borne} of {count} would-be pauses are not decided yet"
    return f"enforce: all {count} would-be pauses were borne out by a block"
