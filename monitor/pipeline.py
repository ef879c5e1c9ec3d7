"""The pipeline: one event in; findings, wants and proposed decisions out. Synchronous and pure: no await, no I/O, no clock."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from detectors.base import PAUSE_AT, WARN_AT, Basis, Detector, Finding, Want
from detectors.events import Block, Committed, Dropped, Event, Reverted, Tick
from detectors.execution import Execution
from detectors.execution.reruns import Rerun
from monitor.breaker.evidence import orphaned, retracted, staged
from monitor.breaker.fold import Fold, Note, Noted
from monitor.breaker.funders import Funders
from monitor.breaker.holds import UNMINED, Decision, internal
from monitor.breaker.limits import room
from monitor.breaker.machine import Breaker
from monitor.breaker.policy import Around, Rules, Settled, judge, settle, tick, unroll
from monitor.breaker.shadows import would_pause
from monitor.mined import Mined

QUARANTINE_AFTER = 3
"""Failures on end after which a detector is left out, loudly."""

HARMLESS = "mined and judged harmless"
"""How a feared transaction ended that its block shows not to hurt."""

SECOND_LOOKS = 4096
"""Transactions whose second look may be outstanding; beyond, the oldest is forgotten (the shell's deadline is far shorter)."""


class Judged(msgspec.Struct):
    """What detectors made of one event. `failed` names those that raised, with the error; their event is a dead letter.

    `aside`: the detectors that are in shadow for some integration of the chain.
    """

    findings: list[Finding] = []
    wants: list[Want] = []
    asking: list[str] = []
    failed: list[tuple[str, str]] = []
    aside: frozenset[str] = frozenset()

    @property
    def trips(self) -> bool:
        """Is there a finding already that pauses by itself? A costly second look would change no flag then."""
        return any(
            finding.confidence >= PAUSE_AT and finding.basis is Basis.MECHANISM and finding.detector not in self.aside
            for finding in self.findings
        )


class Proposed(msgspec.Struct):
    """What policy makes of it, on the fold as it stands: decisions, and what is worth a note though it changes no flag."""

    decisions: list[Decision] = []
    notes: list[Note] = []


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """An integration as the pipeline sees it: its chain, its contracts, its rules.

    `finality` is what releases wait for: `finalized`, `safe`, or `latest`, which is nothing but time and the nodes' agreement.
    `shadowed` are the detectors whose findings pause nothing here: what they would have done is noted.
    """

    integration: str
    chain: str
    contracts: tuple[str, ...]
    rules: Rules
    policy: str = "default"
    finality: str = "finalized"
    shadowed: frozenset[str] = frozenset()


class Pipeline:
    """Each chain's detectors, and policy, over one fold. The dispatch tables are built once; the fold is only read here."""

    def __init__(self, detectors: Mapping[str, Iterable[Detector]], integrations: Iterable[Watched], fold: Fold) -> None:
        self.detectors = {chain: {detector.name: detector for detector in mine} for chain, mine in detectors.items()}
        self.watched = {watched.integration: watched for watched in integrations}
        self.fold = fold
        self.funders = {chain: Funders() for chain in self.detectors}
        self.mined = {chain: Mined() for chain in self.detectors}
        self.heights: dict[str, int] = {chain: position.height for chain, position in fold.cursors.items()}
        self.finalized: dict[str, int] = {}
        self.safe: dict[str, int] = {}
        self.agreed: dict[str, int] = {}
        self.settled: dict[str, dict[str, Settled]] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._asked: dict[str, set[str]] = {}
        self._dispatch: dict[tuple[str, type[Event]], list[Detector]] = {}
        self._about: dict[tuple[str, str], list[Watched]] = {}
        self._aside: dict[str, frozenset[str]] = {}
        for chain in self.detectors:
            self._build(chain)
        for watched in self.watched.values():
            self._aside[watched.chain] = self._aside.get(watched.chain, frozenset()) | watched.shadowed
            for contract in watched.contracts:
                self._about.setdefault((watched.chain, contract), []).append(watched)

    @property
    def quarantined(self) -> list[tuple[str, str]]:
        """(chain, detector) left out because they kept failing."""
        return [who for who, count in self._failures.items() if count >= QUARANTINE_AFTER]

    def restore(self, chain: str, detectors: Mapping[str, Detector]) -> None:
        """Take these for the chain's detectors, fresh ones or those of an earlier life; one that is not given stays as it is."""
        self.detectors[chain] = self.detectors[chain] | dict(detectors)
        self._build(chain)

    def step(self, event: Event) -> tuple[Judged, Proposed]:
        """Observe one event and propose what follows from it. `event.at` is the time it is judged at."""
        judged = self.observe(event)
        return judged, self.propose(event, judged)

    def observe(self, event: Event) -> Judged:
        """Show one event to the detectors that want it; once an event, since it may change their state."""
        judged = Judged(aside=self._aside.get(event.chain, frozenset()))
        if isinstance(event, Execution | Rerun) and event.stage in UNMINED and self.outlived(event.chain, event.tx):
            return judged
        for detector in self._dispatch.get((event.chain, type(event)), ()):
            self._observe(detector, event, judged)
        if event.chain in self.funders:
            self.funders[event.chain].observe(event)
        if type(event) is Execution:
            self._ask(event, judged)
            if event.stage not in UNMINED:
                self._mined(event, judged)
        elif type(event) is Block:
            self.heights[event.chain] = event.position.height
        elif type(event) is Reverted:
            self.heights[event.chain] = event.first.height - 1
            self._reverted(event)
        elif type(event) is Committed:
            self.finalized[event.chain] = max(self.finalized.get(event.chain, -1), event.finalized)
            self.safe[event.chain] = event.safe
            self.agreed[event.chain] = event.last.height if event.agreed is None else event.agreed
        elif type(event) is Dropped:
            self.settle(event.chain, event.id, event.reason)
        return judged

    def propose(self, event: Event, judged: Judged) -> Proposed:
        """What follows, on the fold as it stands; changes nothing, so it can be asked again after a lost race."""
        proposed = Proposed()
        if judged.findings:
            self._judge(judged, event, proposed)
        if type(event) is Committed:
            self._settle(event, proposed)
            self._unroll(event, proposed)
            self._outlast(event, proposed)
        elif type(event) is Reverted:
            self._unroll(event, proposed)
        elif type(event) is Tick:
            self._tick(event, proposed)
        return proposed

    def integrations_of(self, chain: str, contracts: Iterable[str]) -> list[Watched]:
        """The integrations that any of these contracts belongs to."""
        found = {w.integration: w for contract in contracts for w in self._about.get((chain, contract), ())}
        return list(found.values())

    def pending_holds(self) -> Mapping[str, set[str]]:
        """Chain -> transactions that some pending hold rests on: the shell keeps an eye on their fate."""
        found: dict[str, set[str]] = {}
        for breaker in self.fold.breakers.values():
            for hold in breaker.automatic:
                if hold.pending and hold.tx and hold.chain:
                    found.setdefault(hold.chain, set()).add(hold.tx)
        return found

    def outlived(self, chain: str, tx: str) -> bool:
        """Has the block of this transaction been judged, and does it stand? Then nobody asks what it would do."""
        return chain in self.mined and tx in self.mined[chain]

    def fears(self, chain: str) -> frozenset[str]:
        """Transactions on which a pending hold rests, and which no judged block shows to be harmless."""
        mined = self.mined[chain]
        return frozenset(tx for tx in self.pending_holds().get(chain, ()) if not mined.harmless(tx))

    def settle(self, chain: str, tx: str, how: str) -> None:
        """A feared pending transaction turned out not to hurt; its holds end when the next blocks are committed."""
        self.settled.setdefault(chain, {})[tx] = Settled(tx, how)

    def _build(self, chain: str) -> None:
        """Make the dispatch table of one chain."""
        for key in [key for key in self._dispatch if key[0] == chain]:
            del self._dispatch[key]
        for detector in self.detectors[chain].values():
            for kind in detector.wants:
                self._dispatch.setdefault((chain, kind), []).append(detector)

    def _observe(self, detector: Detector, event: Event, judged: Judged) -> None:
        who = (event.chain, detector.name)
        if self._failures.get(who, 0) >= QUARANTINE_AFTER:
            return
        if isinstance(event, Execution) and event.supersedes and detector.name not in self._asked.get(event.tx, ()):
            return
        try:
            for made in detector.observe(event):
                if isinstance(made, Want):
                    judged.wants.append(made)
                    judged.asking.append(detector.name)
                else:
                    judged.findings.append(made)
        except Exception as error:  # noqa: BLE001 - the one place that may decide: a failing detector changes nothing for the others
            self._failures[who] = self._failures.get(who, 0) + 1
            judged.failed.append((detector.name, f"{type(error).__name__}: {error}"))
        else:
            self._failures.pop(who, None)

    def _ask(self, event: Execution, judged: Judged) -> None:
        """Remember who asked for a second look at this transaction; only they will be shown it."""
        if event.supersedes:
            self._asked.pop(event.tx, None)
        elif judged.asking:
            self._asked[event.tx] = set(judged.asking)
            while len(self._asked) > SECOND_LOOKS:
                del self._asked[next(iter(self._asked))]

    def _judge(self, judged: Judged, event: Event, proposed: Proposed) -> None:
        concerned: dict[str, tuple[Watched, list[Finding]]] = {}
        for finding in judged.findings:
            for watched in self.integrations_of(finding.chain, finding.victims):
                concerned.setdefault(watched.integration, (watched, []))[1].append(finding)
        sender = self.funders[event.chain].root(event.sender or "") if type(event) is Execution else ""
        stopping = 0
        for watched, told in concerned.values():
            breaker = self.fold.breaker(watched.integration)
            findings = [finding for finding in told if finding.detector not in watched.shadowed]
            if len(findings) < len(told):
                aside = [finding for finding in told if finding.detector in watched.shadowed]
                standing = (*breaker.findings, *findings)
                proposed.notes += would_pause(breaker.integration, breaker.shadowed, standing, aside, watched.rules)
            if not findings:
                continue
            height = self.heights.get(watched.chain, -1)
            ours = internal(watched.integration)
            others = (self.fold.breaker(name) for name in self.watched if not internal(name))
            around = Around(ours or room(others, watched.rules.max_paused_share, stopping), sender)
            decision, notes = judge(breaker, findings, watched.rules, event.at, height, watched.policy, around)
            if decision is not None:
                proposed.decisions.append(decision)
                stopping += decision.pauses and not decision.shadow and not breaker.paused and not ours
            proposed.notes += [Noted(watched.integration, note) for note in notes]

    def _mined(self, event: Execution, judged: Judged) -> None:
        """What its block says of it. Nothing yet, while a second look is wanted, or where a detector failed on it."""
        feared = any(finding.confidence >= WARN_AT for finding in judged.findings)
        if feared or not (judged.wants or judged.failed):
            height = self.heights.get(event.chain, -1) if event.position is None else event.position.height
            self.mined[event.chain].judged(event.tx, height, harmless=not feared, again=event.supersedes)

    def _reverted(self, event: Reverted) -> None:
        """Whom these blocks cleared may be pending again, and hurt."""
        if event.chain in self.mined:
            for tx in self.mined[event.chain].reverted(event.first.height):
                self.settled.get(event.chain, {}).pop(tx, None)

    def _settle(self, event: Committed, proposed: Proposed) -> None:
        """Holds on a pending transaction end once its block was judged and shows it harmless, whichever came first."""
        resting = self.pending_holds().get(event.chain, set())
        settled = {tx: how for tx, how in self.settled.get(event.chain, {}).items() if tx in resting}
        if (mined := self.mined.get(event.chain)) is not None:
            settled |= {tx: Settled(tx, HARMLESS) for tx in sorted(resting) if tx not in settled and mined.harmless(tx)}
        self.settled[event.chain] = settled
        if not settled:
            return
        for watched, breaker in self._on(event.chain):
            decision = settle(breaker, settled.values(), watched.rules, event.at, event.last.height, watched.policy)
            proposed.decisions += [decision] if decision else []

    def _unroll(self, event: Reverted | Committed, proposed: Proposed) -> None:
        """What stood in blocks that are not on the chain any more."""
        for watched, breaker in self._on(event.chain):
            decision = unroll(breaker, event, watched.rules, watched.policy)
            proposed.decisions += [decision] if decision else []
            lost = orphaned(breaker, event, watched.rules.pending_hold_blocks)
            proposed.notes += [lost] if lost else []

    def _outlast(self, event: Committed, proposed: Proposed) -> None:
        """What a commit makes surer, and what it proves not to have come back."""
        for _, breaker in self._on(event.chain):
            surer = staged(breaker, event)
            proposed.notes += [surer] if surer else []
            proposed.notes += retracted(breaker, event)

    def _certain(self, watched: Watched) -> dict[str, int]:
        """The height on which the integration may be released."""
        chain = watched.chain
        final = self.finalized.get(chain, -1)
        if watched.finality == "latest":
            final = min(self.heights.get(chain, -1), self.agreed.get(chain, -1))
        elif watched.finality == "safe":
            final = max(final, self.safe.get(chain, -1))
        return {chain: final}

    def _tick(self, event: Tick, proposed: Proposed) -> None:
        for watched in self.watched.values():
            breaker = self.fold.breaker(watched.integration)
            decision = tick(breaker, watched.rules, event.at, self._certain(watched), watched.policy)
            proposed.decisions += [decision] if decision else []

    def _on(self, chain: str) -> Iterator[tuple[Watched, Breaker]]:
        """The integrations of one chain that hold or know anything, with their breakers."""
        for watched in self.watched.values():
            breaker = self.fold.breaker(watched.integration)
            if watched.chain == chain and (breaker.holds or breaker.findings):
                yield watched, breaker
