"""The re-entrancy detector: the call tree first, storage order where the structure is suspicious."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from detectors.base import NOTHING, Detector, Finding, Registry, Want, Watch
from detectors.events import Event
from detectors.execution.frames import Execution
from detectors.execution.parties import cluster
from detectors.reentrancy import delegate, seen, unseen
from detectors.reentrancy.bundles import operations
from detectors.reentrancy.structure import Structure, glance
from detectors.reentrancy.telling import evidence, title
from detectors.reentrancy.verdict import Scale, Verdict


class Reentrancy(Detector):
    """A contract entered again, through somebody else's code, before it finished; and what that did to its books or its readers.

    Stateless between transactions, so pending ones cannot leave a trace. Confidence is structural 0.3 + conflict 0.4 +
    economics 0.3. `registry`: what is watched and trusted, by chain.

    A bank that pays before it writes, entered again by whom it pays:

    >>> from detectors.events import Stage
    >>> from detectors.execution.frames import CALL, Access, Frame
    >>> def frame(sender, to, value, parent):
    ...     return Frame(CALL, sender, to, to, value, None, "0x", True, True, parent, parent + 1)
    >>> chain = [("0xe1", "0xa0", 0), ("0xa0", "0xb0", 0), ("0xb0", "0xa0", 10), ("0xa0", "0xb0", 0), ("0xb0", "0xa0", 10)]
    >>> frames = [frame(*call, parent=i - 1) for i, call in enumerate(chain)]
    >>> pays_first = [
    ...     Access("sload", 1, 2, 0x6F, 10),
    ...     Access("sload", 3, 4, 0x6F, 10),
    ...     Access("sstore", 3, 5, 0x6F, 0),
    ...     Access("sstore", 1, 5, 0x6F, 0),
    ... ]
    >>> detector = Reentrancy({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> def judge(steps):
    ...     known = {"chain": "eip155:1", "at": 0.0, "tx": "0x1", "stage": Stage.PENDING, "storage": "ordered"}
    ...     found = detector.observe(Execution(frames=frames, steps=steps, **known))
    ...     return [(f.kind, f.subject, f.severity.value) for f in found]
    >>> judge(pays_first)
    [('same_contract', '0xb0', 'critical')]

    The same calls on a bank that writes before it pays are worth knowing, no more:

    >>> writes_first = [
    ...     Access("sload", 1, 2, 0x6F, 20),
    ...     Access("sstore", 1, 2, 0x6F, 10),
    ...     Access("sload", 3, 4, 0x6F, 10),
    ...     Access("sstore", 3, 4, 0x6F, 0),
    ... ]
    >>> judge(writes_first)
    [('same_contract', '0xb0', 'info')]
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
        watch = self.registry.get(event.chain, NOTHING)
        known = cluster(event, watch) if event.context.codes else ()
        if event.ordered or glance(event.frames, known):
            return self._judge(event, watch)
        return ()

    def _judge(self, event: Execution, watch: Watch) -> Iterator[Finding | Want]:
        best: dict[tuple[str, str], tuple[Structure, Verdict]] = {}
        suspicious = False
        for part in operations(event):
            structure = Structure(part, watch)
            suspicious |= structure.suspicious
            for verdict in _verdicts(structure):
                name = (verdict.kind, verdict.victims[0])
                if name not in best or verdict.grave > best[name][1].grave:
                    best[name] = structure, verdict
        for structure, verdict in best.values():
            yield self._finding(event, structure, verdict, watch)
        if suspicious and not event.ordered and not event.supersedes:
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
            watched=any(watch.watches(victim) for victim in verdict.pausable),
            tx=event.tx,
            position=event.position,
        )


def _verdicts(structure: Structure) -> Iterator[Verdict]:
    yield from delegate.verdicts(structure)
    if structure.suspicious:
        yield from (seen if structure.execution.ordered else unseen).verdicts(Scale(structure))
