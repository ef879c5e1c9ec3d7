"""Judging: every event through the pipeline, every proposal to the desk, every fact to the metrics. The shell around `step`."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import msgspec
import structlog

from detectors.events import Event
from detectors.execution import Execution
from monitor import metrics
from monitor.breaker.desk import Desk, Made
from monitor.breaker.holds import Decision
from monitor.breaker.machine import Noted
from monitor.errors import JournalError
from monitor.pipeline import Judged, Pipeline

log = structlog.get_logger()

DEAD_LETTERS_KEPT = 50


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a detector failed on, kept in full for whoever mends the detector."""

    detector: str
    error: str
    event: Event


class Judging:
    """One for all chains, since breakers are. `made_by` remembers nothing: the desk tells whoever asked to be told."""

    def __init__(self, pipeline: Pipeline, desk: Desk) -> None:
        self.pipeline = pipeline
        self.desk = desk
        self.dead_letters: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_KEPT)
        self._turn = asyncio.Lock()

    async def take(self, event: Event) -> tuple[Judged, list[Made]]:
        """Judge an event and carry out what follows. Pauses are shown before anything is awaited.

        The journal failing does not stop judging: pauses stay shown and are owed, releases and notes are off.
        """
        judged, proposed = self.pipeline.step(event)
        metrics.EVENTS.labels(event.chain, type(event).__name__).inc()
        self.desk.show(proposed.decisions)
        self._tell(event, judged)
        if not (proposed.decisions or proposed.notes):
            return judged, []
        made: list[Made] = []
        try:
            made = await self.desk.decide(lambda: self._again(event, judged))
        except JournalError:
            log.warning("decision_owed", integrations=[d.integration for d in proposed.decisions])
        if made:
            stage = event.stage if isinstance(event, Execution) else "included"
            metrics.DETECTION_LATENCY.labels(event.chain, stage).observe(max(0.0, time.time() - event.at))
        return judged, made

    def _again(self, event: Event, judged: Judged) -> tuple[Sequence[Decision], Sequence[Noted]]:
        proposed = self.pipeline.propose(event, judged)
        return proposed.decisions, proposed.notes

    def _tell(self, event: Event, judged: Judged) -> None:
        for finding in judged.findings:
            metrics.SIGNALS.labels(finding.detector, finding.chain, finding.severity).inc()
            log.info(
                "finding", detector=finding.detector, kind=finding.kind, confidence=finding.confidence, stage=finding.stage,
                subject=finding.subject, tx=finding.tx, finding=finding.id,
            )  # fmt: skip
        for detector, error in judged.failed:
            metrics.DETECTOR_ERRORS.labels(detector).inc()
            self.dead_letters.append(DeadLetter(detector, error, event))
            log.error("detector_failed", detector=detector, error=error, event=event.key)
