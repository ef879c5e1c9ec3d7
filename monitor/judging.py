"""Judging: every event through the pipeline, every proposal to the desk, every fact to the metrics. The shell around `step`."""

import time
from collections import deque
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from detectors.base import Detector
from detectors.events import Event, Position
from detectors.execution import Execution
from monitor import metrics, spans
from monitor.breaker.desk import Desk, Made
from monitor.breaker.fold import Note, Noted
from monitor.breaker.holds import Decision, internal
from monitor.breaker.sightings import sightings
from monitor.chains.recorder import Recorder
from monitor.chains.tape import Asked, Done, Mark, Proposed, Restored, Saved, Settled, Standing, Written
from monitor.effigy import BANK
from monitor.errors import JournalError
from monitor.journal.base import Record
from monitor.pipeline import Judged, Pipeline
from monitor.pipeline import Proposed as Proposal

log = structlog.get_logger()

DEAD_LETTERS_KEPT = 50


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a detector failed on, kept in full for whoever mends the detector."""

    detector: str
    error: str
    event: Event


class Judging:
    """One for all chains, since breakers are. `tape` is shown everything the pure part is shown, in the same order."""

    def __init__(self, pipeline: Pipeline, desk: Desk, tape: Recorder | None = None) -> None:
        self.pipeline = pipeline
        self.desk = desk
        self.tape = tape
        self.dead_letters: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_KEPT)
        if tape is not None:
            fold = desk.fold
            tape.mark(Standing(breakers=dict(fold.breakers), cursors=dict(fold.cursors), head=fold.head))
            desk.folded = self._folded

    async def take(self, event: Event) -> tuple[Judged, list[Made]]:
        """Judge an event and carry out what follows. Pauses are shown before anything is awaited.

        The journal failing does not stop judging: pauses stay shown and are owed, releases and notes are off.
        """
        number = self.tape.saw(event) if self.tape is not None else 0
        began = time.time() if spans.way is not None else 0.0
        judged, proposed = self.pipeline.step(event)
        metrics.EVENTS.labels(event.chain, type(event).__name__).inc()
        with self.desk.showing(proposed.decisions):
            shown_at = time.time()
            self._tell(event, judged)
            made = await self._decide(event, judged, proposed, number, shown_at)
        decided = [one.decision.integration for one in made if not internal(one.decision.integration)]
        if spans.way is not None:
            ended = time.time() if proposed.decisions or proposed.notes else shown_at
            spans.way.judged(event, (began, shown_at), len(judged.findings), decided, ended)
        if decided:
            stage = event.stage if isinstance(event, Execution) else "included"
            metrics.DETECTION_LATENCY.labels(event.chain, stage).observe(max(0.0, time.time() - event.at))
        return judged, made

    async def _decide(self, event: Event, judged: Judged, proposed: Proposal, number: int, shown_at: float) -> list[Made]:
        """Carry out what was proposed, if anything was."""
        if not (proposed.decisions or proposed.notes):
            return []
        self._mark(Proposed(number=number))
        refused = True
        try:
            made = await self.desk.decide(lambda: self._again(event, judged, number, shown_at))
            refused = False
        except JournalError:
            log.warning("decision_owed", integrations=[d.integration for d in proposed.decisions])
            return []
        finally:
            self._mark(Done(number=number, refused=refused))
        return made

    def restore(self, chain: str, detectors: Mapping[str, Detector], after: Position | None = None) -> None:
        """Give a chain these detectors: fresh ones, or those saved `after` a block."""
        self._mark(Restored(chain=chain, position=after))
        self.pipeline.restore(chain, detectors)

    def saved(self, chain: str, after: Position) -> Mapping[str, Detector]:
        """The chain's detectors as they stand, to be saved at once."""
        self._mark(Saved(chain=chain, position=after))
        return self.pipeline.detectors[chain]

    async def taped(self) -> None:
        """Wait until the tape holds all so far: what a cursor or a saved state makes needless to judge again is on it before."""
        if self.tape is not None:
            await self.tape.caught_up()

    def settle(self, chain: str, tx: str, how: str) -> None:
        """A transaction feared in an earlier life turned out not to hurt."""
        self._mark(Settled(chain=chain, tx=tx, how=how))
        self.pipeline.settle(chain, tx, how)

    def _folded(self, record: Record) -> None:
        self._mark(Written(kind=record.kind, body=msgspec.Raw(record.body)))

    def _mark(self, mark: Mark) -> None:
        if self.tape is not None:
            self.tape.mark(mark)

    def _again(self, event: Event, judged: Judged, number: int, shown_at: float) -> tuple[Sequence[Decision], Sequence[Note]]:
        self._mark(Asked(number=number))
        proposed = self.pipeline.propose(event, judged)
        found = [finding for decision in proposed.decisions for finding in decision.findings]
        found += [note.finding for note in proposed.notes if isinstance(note, Noted)]
        found = [finding for finding in found if finding.subject != BANK]
        return proposed.decisions, [*proposed.notes, *sightings(event, found, shown_at)]

    def _tell(self, event: Event, judged: Judged) -> None:
        for finding in judged.findings:
            if finding.subject == BANK:
                continue  # a proof of life is nobody's signal
            metrics.SIGNALS.labels(finding.detector, finding.chain, finding.severity).inc()
            log.info(
                "finding", detector=finding.detector, kind=finding.kind, confidence=finding.confidence, stage=finding.stage,
                subject=finding.subject, tx=finding.tx, finding=finding.id,
            )  # fmt: skip
        for detector, error in judged.failed:
            metrics.DETECTOR_ERRORS.labels(detector).inc()
            self.dead_letters.append(DeadLetter(detector, error, event))
            log.error("detector_failed", detector=detector, error=error, event=event.key)
