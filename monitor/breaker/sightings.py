"""Sightings: when a finding's event was seen and its pause shown, and the call path it rests on. Pure; kept beside the decision.

No flag depends on one. It is for whoever is paged: without it the path is gone as soon as the node has forgotten the trace.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

from detectors.base import WARN_AT, Finding
from detectors.events import Event
from detectors.execution import Execution
from detectors.execution.path import CallTree, call_tree

MOST_AT_ONCE = 4
"""Findings of one event whose path is kept, the most confident first: an attacker decides how many there are."""

KEPT = 512
"""Newest sightings held in memory; the journal has the older ones."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one finding (by id). `seen_at`: its event reached us; `shown_at`: readers were told (unix seconds).

    `tree` is None for a finding that rests on no execution.
    """

    kind: ClassVar[str] = "sighting"
    by: ClassVar[str] = "shell"
    durable: ClassVar[bool] = False

    finding: str
    seen_at: float
    shown_at: float
    tree: CallTree | None = None

    @property
    def at(self) -> float:
        """When readers were told, unix seconds."""
        return self.shown_at


def sightings(event: Event, findings: Iterable[Finding], shown_at: float) -> Iterator[Sighting]:
    """Of the findings that warn at least, each once."""
    worst = sorted({f.id: f for f in findings if f.confidence >= WARN_AT}.values(), key=lambda f: (-f.confidence, f.id))
    for finding in worst[:MOST_AT_ONCE]:
        tree = call_tree(event, finding.victims, finding.evidence) if isinstance(event, Execution) else None
        yield Sighting(finding=finding.id, seen_at=event.at, shown_at=shown_at, tree=tree)


def keep(kept: dict[str, Sighting], news: Sighting) -> None:
    """Put it among those kept, by finding. The first sighting of a finding keeps its times, the most telling one its tree."""
    first = kept.pop(news.finding, None)
    if first is not None:
        better = news.tree if _telling(news.tree) >= _telling(first.tree) else first.tree
        news = msgspec.structs.replace(first, tree=better)
    kept[news.finding] = news
    while len(kept) > KEPT:
        del kept[next(iter(kept))]


def _telling(tree: CallTree | None) -> int:
    """How many reasons a tree shows."""
    return -1 if tree is None else sum(len(call.marks) for call in tree.calls)
