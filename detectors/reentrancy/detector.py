"""The re-entrancy detector: the call tree first, storage order where the structure is suspicious."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from detectors.base import NOTHING, Detector, Finding, Registry, Want, Watch
from detectors.events import Event
from detectors.execution.frames import Execution
from detectors.reentrancy import delegate, seen, unseen
from detectors.reentrancy.structure import Structure, glance
from detectors.reentrancy.telling import evidence, title
from detectors.reentrancy.verdict import Scale, Verdict


class Reentrancy(Detector):
    """A contract entered again, through somebody else's code, before it finished; and what that did to its books or its readers.

    Stateless between transactions, so pending ones cannot leave a trace. Confidence is structural 0.3 + conflict 0.4 +
    economics 0.3. `registry`: what is watched and trusted, by chain.
    """

    name: ClassVar[str] = "reentrancy"
    summary: ClassVar[str] = "A contract is called again while it waits, and acts on books that no longer say what happened."
    wants: ClassVar[tuple[type[Event], ...]] = (Execution,)
    kinds: ClassVar[dict[str, str]] = {
        "same_contract": "The contract pays or credits more than once for one entry in its books: its holdings can be emptied.",
        "cross_contract": "Another contract uses the books before they are settled: what both hold can be taken.",
        "read_only": "A consumer acts on a price or balance that is wrong for a moment: it lends or pays too much.",
        "balance": "A holding used as state is counted in the middle of a payment: the pool is traded at a wrong price.",
        "create": "A constructor comes back before its creator has settled: limits for one are used many times.",
        "delegate": "Foreign code runs in, or installs itself into, the contract's own storage: all of it can be taken.",
        "blocked": "Somebody tried to re-enter and a lock refused: nothing was lost.",
    }

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry or {}

    def observe(self, event: Event) -> Iterable[Finding | Want]:
        """Judge one execution: nothing for nearly all, else findings, and a wish for storage order where it is missing."""
        if not isinstance(event, Execution) or len(event.frames) < 2:
            return ()
        if event.ordered or glance(event.frames, codes=bool(event.context.codes)):
            return self._judge(event)
        return ()

    def _judge(self, event: Execution) -> Iterator[Finding | Want]:
        watch = self.registry.get(event.chain, NOTHING)
        structure = Structure(event, watch)
        best: dict[tuple[str, str], Verdict] = {}
        for verdict in _verdicts(structure):
            name = (verdict.kind, verdict.victims[0])
            if name not in best or verdict.confidence > best[name].confidence:
                best[name] = verdict
        for verdict in best.values():
            yield self._finding(event, structure, verdict, watch)
        if structure.suspicious and not event.ordered and not event.supersedes:
            yield Want(event.chain, event.tx, event.stage, "re-entered through foreign code; storage order decides")

    def _finding(self, event: Execution, structure: Structure, verdict: Verdict, watch: Watch) -> Finding:
        return self.find(
            event,
            kind=verdict.kind,
            victims=verdict.victims,
            confidence=verdict.confidence,
            title=title(structure, verdict),
            evidence=evidence(structure, verdict),
            stage=event.stage,
            watched=any(watch.watches(victim) for victim in verdict.losers),
            tx=event.tx,
            position=event.position,
        )


def _verdicts(structure: Structure) -> Iterator[Verdict]:
    yield from delegate.verdicts(structure)
    if structure.suspicious:
        yield from (seen if structure.execution.ordered else unseen).verdicts(Scale(structure))
