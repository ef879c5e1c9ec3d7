"""The oracle: what the daemon processed over all its lives, from its own tapes and journal, against the clean node's chain."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detectors.events import Block, Committed, Event, Gap, Position, Reverted, Stage, Unjudged
from detectors.execution import Execution, Log
from monitor.breaker.fold import Cursor
from monitor.breaker.holds import Decision
from monitor.chains.tape import Entry, Restored, Standing, Tape, Written
from monitor.journal.sqlite import SqliteJournal

Place = tuple[str, str, int]
"""Block hash, transaction, and which of its logs: as good as (block hash, log index), whatever befell its neighbours."""
Said = tuple[str, tuple[str, ...], str]
"""A log's address, topics and data."""


def lives(tape: Path) -> list[Path]:
    """The tapes of a daemon's lives in their order: each that found the name taken got a number."""
    stem, _, suffixes = tape.name.partition(".")
    numbered = tape.parent.glob(f"{stem}-*.{suffixes}")
    return [tape, *sorted(numbered, key=lambda path: int(path.name.partition(".")[0].rpartition("-")[2]))]


class Processed(NamedTuple):
    """A block that was closed: its logs, and the transactions that were told to be unjudged."""

    position: Position
    logs: dict[Place, Said]
    unjudged: set[str]


class Trail:
    """Folds the tapes of one daemon in their order. A new life forgets what its predecessor did after the state it takes up."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.blocks: dict[int, Processed] = {}
        self.orphans: list[Processed] = []
        self.closed: dict[str, list[float]] = {}
        """When each block was closed (unix seconds), every time."""
        self.first: int | None = None
        self.twice = self.lives = self.reverts = self.gaps = 0
        self._open: Processed | None = None
        self._cursor: Position | None = None
        self._resumes: Position | None = None
        self._began = False

    def read(self, tapes: Iterable[Path]) -> None:
        """One tape a life."""
        for path in tapes:
            with Tape(path) as tape:
                for entry in tape:
                    self.take(entry)

    def take(self, entry: Entry) -> None:
        """One entry."""
        if isinstance(entry, Standing):
            self.lives += 1
            self._cursor = entry.cursors.get(self.chain)
        elif isinstance(entry, Restored):
            self._began, self._resumes = True, entry.position or self._cursor
        elif isinstance(entry, Written) and entry.kind == "cursor":
            self._cursor = msgspec.json.decode(bytes(entry.body), type=Cursor).position
        elif isinstance(entry, Event) and entry.chain == self.chain:
            self._event(entry)

    def _event(self, event: Event) -> None:
        if self._began and isinstance(event, Block | Reverted):
            self._began, self._open = False, None
            if self._resumes is not None:
                self._cut(self._resumes.height)
        if isinstance(event, Block):
            self._open = Processed(event.position, {}, set())
        elif isinstance(event, Execution):
            self._executed(event)
        elif isinstance(event, Unjudged) and self._open is not None and event.position == self._open.position:
            self._open.unjudged.add(event.id)
        elif isinstance(event, Committed):
            self._close(event)
        elif isinstance(event, Reverted):
            self.reverts += 1
            self._cut(event.first.height - 1)
        elif isinstance(event, Gap):
            self.gaps += event.feed == "heads"

    def _executed(self, event: Execution) -> None:
        if event.stage is Stage.PENDING or event.supersedes or self._open is None or event.position != self._open.position:
            return
        logs = (step for step in event.steps if isinstance(step, Log) and event.frames[step.frame].alive)
        for number, entry in enumerate(logs):
            place = self._open.position.id, event.tx, number
            self.twice += place in self._open.logs
            self._open.logs[place] = entry.address, entry.topics, entry.data or ""

    def _close(self, event: Committed) -> None:
        done, self._open = self._open, None
        if done is None or done.position.id != event.last.id:
            return
        height = done.position.height
        self.first = height if self.first is None else self.first
        if (replaced := self.blocks.get(height)) is not None:
            self.orphans.append(replaced)
            self.twice += 1
        self.blocks[height] = done
        self.closed.setdefault(done.position.id, []).append(event.at)

    def _cut(self, last: int) -> None:
        for height in [height for height in self.blocks if height > last]:
            del self.blocks[height]


class Verdict(NamedTuple):
    """Logs of the clean chain: in all, processed, lost, told to be unjudged; and processed ones that it has not, or not so."""

    events: int
    processed: int
    lost: int
    unjudged: int
    phantom: int
    altered: int
    missing: list[Place]


def compared(trail: Trail, logs: Iterable[dict[str, Any]]) -> Verdict:
    """The clean node's logs, as `eth_getLogs` gives them from the first processed block on, against the trail."""
    canonical: dict[Place, Said] = {}
    count: dict[tuple[str, str], int] = {}
    for entry in logs:
        where = entry["blockHash"], entry["transactionHash"]
        number = count[where] = count.get(where, -1) + 1
        canonical[*where, number] = entry["address"].lower(), tuple(entry["topics"]), entry["data"]
    done: dict[Place, Said] = {}
    unjudged: set[str] = set()
    for block in (*trail.blocks.values(), *trail.orphans):
        done |= block.logs
        unjudged |= {f"{block.position.id} {tx}" for tx in block.unjudged}
    missing = sorted(canonical.keys() - done.keys())
    told = [place for place in missing if f"{place[0]} {place[1]}" in unjudged]
    return Verdict(
        events=len(canonical),
        processed=len(done),
        lost=len(missing) - len(told),
        unjudged=len(told),
        phantom=len(done.keys() - canonical.keys()),
        altered=sum(done[place] != said for place, said in canonical.items() if place in done),
        missing=[place for place in missing if place not in told],
    )


class Effects(NamedTuple):
    """Decisions in the journal, and what was done twice: an id decided again, a hold placed that stood just so."""

    decisions: int
    duplicates: int


def effects(journal: Path) -> Effects:
    """Read the journal of a daemon that has ended."""
    opened = SqliteJournal.open(journal)
    try:
        made = [record.read(Decision) for record in opened.read(1) if record.kind == "decision"]
    finally:
        opened.close()
    ids: set[str] = set()
    standing: dict[str, tuple[str, str]] = {}
    duplicates = 0
    for decision in made:
        duplicates += decision.id in ids
        ids.add(decision.id)
        for gone in decision.release:
            standing.pop(gone, None)
        for hold in decision.place:
            what = hold.stage, hold.position.id if hold.position else ""
            duplicates += standing.get(hold.id) == what
            standing[hold.id] = what
    return Effects(len(made), duplicates)
