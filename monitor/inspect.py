"""Judge recorded executions with the detectors of the daemon, no node needed: files in, one verdict a transaction out."""

import gzip
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from detectors import discover
from detectors.base import PAUSE_AT, WARN_AT, Basis, Detector, Finding, Watch
from detectors.events import Block, Event, Position
from detectors.execution import Execution
from detectors.execution.holdings import with_holdings
from detectors.execution.trusted import trusted
from monitor.chains.traces import Unreadable, Words, read
from monitor.errors import SeawallError

MOST_BYTES = 1 << 30
"""Larger documents (unpacked) are refused: a small .gz can hold any amount, and a device has no end."""

_GZIP = b"\x1f\x8b"


class Verdict(StrEnum):
    """What becomes of a transaction; `unjudged` is never clean."""

    CLEAR = "clear"
    INFO = "info"
    WARN = "warn"
    PAUSE = "pause"
    UNJUDGED = "unjudged"


class Shown(msgspec.Struct, frozen=True):
    """A finding as `inspect` prints it."""

    detector: str
    kind: str
    severity: str
    confidence: float
    victims: tuple[str, ...]
    title: str
    evidence: dict[str, str | int | float]


class Line(msgspec.Struct, omit_defaults=True):
    """One transaction's verdict. `micros` is CPU time of its judgement and its share of the parsing, without gunzip."""

    source: str
    tx: str | None
    verdict: Verdict
    findings: list[Shown]
    frames: int
    micros: float
    reason: str = ""


class Unread(SeawallError):
    """A file that holds no execution, or cannot be opened."""


def unpacked(path: Path) -> bytes:
    """A file's bytes, unpacked if they are gzip's. Raises Unread."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size or MOST_BYTES  # a device has none, and may never end
            data = file.read(min(size, MOST_BYTES) + 1)
        if data[:2] == _GZIP:
            with gzip.open(path) as packed:
                data = packed.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unread(f"{path}: not whole gzip data: {error}") from None
    except OSError as error:
        raise Unread(f"{path}: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise Unread(f"{path}: more than {MOST_BYTES:,} bytes")
    return data


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The strongest finding decides; only a mechanism pauses, statistics and advice at most warn."""
    worst = Verdict.CLEAR
    for finding in findings:
        if finding.confidence >= PAUSE_AT and finding.basis is Basis.MECHANISM:
            return Verdict.PAUSE
        if finding.confidence >= WARN_AT:
            worst = Verdict.WARN
        elif worst is Verdict.CLEAR:
            worst = Verdict.INFO
    return worst


class Bench:
    """Detectors over one chain's executions. Executions of one block share state; one without a block stands alone."""

    def __init__(self, classes: Iterable[type[Detector]], watched: frozenset[str] | None) -> None:
        self.classes = tuple(classes)
        self.watched = watched
        self._chain = ""
        self._position: Position | None = None
        self._index = -1
        self._dispatch: dict[type[Event], list[Detector]] = {}

    def judge(self, execution: Execution) -> list[Finding]:
        """All that any detector finds in the execution."""
        position, index = execution.position, execution.index or 0
        here = position is not None and (position is self._position or position == self._position)
        if not here or index <= self._index or execution.chain != self._chain:
            self._begin(execution)
        self._index = index
        # Without logs nobody knows what had moved by the time a balance was read, so nothing is inferred from it.
        return self._observe(with_holdings(execution) if execution.logged else execution)

    def _begin(self, execution: Execution) -> None:
        self._chain, self._position = execution.chain, execution.position
        registry = {execution.chain: Watch(watched=self.watched, trusted=trusted(execution.chain))}
        self._dispatch = {}
        for make in self.classes:
            detector = make(registry)  # type: ignore[call-arg]  # every detector takes its registry first
            for kind in detector.wants:
                self._dispatch.setdefault(kind, []).append(detector)
        if (position := execution.position) is not None:
            self._observe(Block(chain=execution.chain, at=execution.at, position=position, timestamp=execution.at))

    def _observe(self, event: Event) -> list[Finding]:
        return [
            made
            for detector in self._dispatch.get(type(event), ())
            for made in detector.observe(event)
            if isinstance(made, Finding)
        ]


def inspect(
    path: Path, words: Words, watched: frozenset[str] | None = None, classes: Iterable[type[Detector]] | None = None
) -> Iterator[Line]:
    """Every verdict on one file, in its order. `watched` None: every contract counts as watched.

    Call `monitor.chains.traces.allow_deep()` once before. Raises Unread at the end, when the file (or some line of it) holds no
    execution at all.
    """
    data, source = unpacked(path), str(path)
    bench = Bench(discover().values() if classes is None else classes, watched)
    lines: list[Line] = []
    foreign: list[str] = []
    began, spent = time.perf_counter(), time.thread_time()
    parsed = last = began
    for reading in read(data, source, words):
        if last == began:
            parsed = last = time.perf_counter()  # by the first reading the document has been decoded
        if isinstance(reading, Execution):
            lines.append(_line(bench, reading, source))
        elif reading.execution:
            lines.append(_unjudged(source, reading))
        else:
            foreign.append(f"{source}: {reading.reason}")
            continue
        now = time.perf_counter()
        lines[-1].micros, last = now - last, now
    _share(lines, parsed - began, time.thread_time() - spent)
    yield from lines
    if foreign:
        more = f" (and {len(foreign) - 1} more like it)" if len(foreign) > 1 else ""
        raise Unread(foreign[0] + more)


def _share(lines: list[Line], parsing: float, spent: float) -> None:
    """Turn wall seconds into CPU microseconds: parsing shared by frames, all of it scaled to the CPU seconds really `spent`."""
    frames = max(1, sum(line.frames for line in lines))
    wall = parsing + sum(line.micros for line in lines)
    scale = 1e6 * spent / wall if wall > 0 else 0.0
    for line in lines:
        line.micros = round(scale * (line.micros + parsing * line.frames / frames), 1)


def _line(bench: Bench, execution: Execution, source: str) -> Line:
    tx = None if execution.tx == source else execution.tx
    frames = len(execution.frames)
    try:
        findings = bench.judge(execution)
    except Exception as error:  # noqa: BLE001 - the one place that may decide here: a detector that fails leaves it unjudged, said aloud
        return Line(source, tx, Verdict.UNJUDGED, [], frames, 0.0, f"a detector failed: {type(error).__name__}: {error}")
    reached = verdict(findings)
    if not execution.complete and reached in {Verdict.CLEAR, Verdict.INFO}:
        return Line(source, tx, Verdict.UNJUDGED, _shown(findings), frames, 0.0, "the trace was cut by its producer")
    return Line(source, tx, reached, _shown(findings) if findings else [], frames, 0.0)


def _unjudged(source: str, reading: Unreadable) -> Line:
    tx = None if reading.tx == source else reading.tx
    return Line(source, tx, Verdict.UNJUDGED, [], 0, 0.0, reading.reason)


def _shown(findings: Iterable[Finding]) -> list[Shown]:
    return [Shown(f.detector, f.kind, f.severity, f.confidence, f.victims, f.title, f.evidence) for f in findings]
