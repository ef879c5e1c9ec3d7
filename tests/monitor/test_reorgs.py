"""Whatever the chain takes back: in the end all is as though only the final chain had ever been. All detectors and the fold."""

import copy
import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors import discover
from detectors.events import Event, Reverted
from detectors.execution import Execution
from monitor.breaker.fold import Fold, Note, Noted
from monitor.breaker.holds import Decision, Mode
from monitor.breaker.machine import Retraction
from monitor.breaker.policy import Rules
from monitor.journal.base import encode
from monitor.pipeline import Pipeline, Watched
from tests.support.laid_open import laid_open
from tests.support.pools import CHAIN, place
from tests.support.worlds import BANK, LENDER, PAIR, THIEF, VAULT, WATCHED, World

RULES = Rules(min_open=1e9, max_open=1e9, reverted_hold=1e9, pending_budget=1e12, sender_budget=1e12, max_paused_share=1.0)
EXAMPLES = settings().max_examples if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 40
PHASES = [Phase.reuse, Phase.generate]
"""The seed says it all; shrinking is slow."""
CONTRACTS = {"bank": BANK, "pair": PAIR, "vault": VAULT, "lender": LENDER}


class Turn(NamedTuple):
    """The chain loses `depth` blocks and grows `growth` (more than it lost). `same`: with the transactions it had."""

    depth: int
    growth: int
    robbed: frozenset[int]
    same: bool


TURNS = st.lists(
    st.builds(
        Turn, depth=st.integers(1, 6), growth=st.integers(1, 4),
        robbed=st.frozensets(st.integers(0, 9), max_size=3), same=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


class Shore:
    """Every detector there is, the pipeline, and a fold whose journal is a list."""

    def __init__(self) -> None:
        self.fold = Fold(dict.fromkeys(CONTRACTS, Mode.ENFORCE))
        watched = [Watched(integration=name, chain=CHAIN, contracts=(one,), rules=RULES) for name, one in CONTRACTS.items()]
        self.pipeline = Pipeline({CHAIN: [kind(WATCHED) for kind in discover().values()]}, watched, self.fold)  # type: ignore[call-arg]
        self.retracted: list[Retraction] = []
        self.story: dict[tuple[str, str], list[str]] = {}

    def see(self, events: Sequence[Event]) -> None:
        for event in events:
            judged, proposed = self.pipeline.step(event)
            assert judged.failed == []
            drafts: list[tuple[str, Decision | Note]] = [("decision", one) for one in proposed.decisions] + [
                (one.kind, one) for one in proposed.notes
            ]
            for kind, one in drafts:
                self.fold.apply_record(kind, encode(one), self.fold.head + 1)
                self._tell(one)

    def _tell(self, one: Decision | Note) -> None:
        """The story of each finding of each integration: in a block, retracted, and perhaps in a block again."""
        if isinstance(one, Retraction):
            self.retracted.append(one)
            self.story.setdefault((one.integration, one.finding.id), []).append("retracted")
        elif isinstance(one, Decision | Noted):
            found = one.findings if isinstance(one, Decision) else (one.finding,)
            for finding in found:
                if finding.position is not None:
                    self.story.setdefault((one.integration, finding.id), []).append("found")

    @property
    def found(self) -> dict[str, list[tuple[object, ...]]]:
        """Per integration, the findings and holds that rest on blocks."""
        return {
            name: sorted(
                [("finding", f.id, f.position, f.stage, f.confidence) for f in breaker.findings if f.position is not None]
                + [("hold", h.id, h.position, h.stage, h.level) for h in breaker.automatic if h.position is not None],
                key=repr,
            )
            for name, breaker in self.fold.breakers.items()
        }

    @property
    def detectors(self) -> object:
        return laid_open(dict(self.pipeline.detectors[CHAIN]))


class Chain:
    """A world whose chain forks: the blocks that stand, and the world after each."""

    def __init__(self, seed: int) -> None:
        self.worlds = [World(seed)]
        self.blocks: list[list[Event]] = []
        self.forks = 0

    def grow(self, *, attack: bool, reseed: int | None, fork: str) -> list[Event]:
        height = len(self.blocks) + 1
        world = copy.deepcopy(self.worlds[-1])
        if reseed is not None:
            world.random.seed(reseed)
        made = [self._named(event, height) for event in world.events(height, attack=attack, fork=fork)]
        self.worlds.append(world)
        self.blocks.append(made)
        return made

    def lose(self, depth: int) -> tuple[Reverted, list[list[Event]]]:
        first, last = len(self.blocks) - depth, len(self.blocks)
        gone = self.blocks[first:]
        opening = gone[0][0], gone[-1][0]
        del self.blocks[first:], self.worlds[first + 1 :]
        firsts, lasts = (one.position for one in opening)  # type: ignore[attr-defined]  # a block opens with its Block
        return Reverted(chain=CHAIN, at=12.0 * last, first=firsts, last=lasts), gone

    @staticmethod
    def _named(event: Event, height: int) -> Event:
        """A transaction has the same id in whatever fork it is mined."""
        if not isinstance(event, Execution):
            return event
        return replace(event, tx=f"{event.frames[0].sender}-{event.tx.partition('-')[0]}-{height}-{event.index}")


def lived(seed: int, turns: Sequence[Turn]) -> tuple[Shore, Chain, list[list[Event]]]:
    """The life of a daemon through all of it, to well beyond the tallest branch; the blocks that did not stay."""
    shore, chain, gone, tallest = Shore(), Chain(seed), list[list[Event]](), 0
    for height in range(1, 8):
        shore.see([*chain.worlds[-1].rumours(), *chain.grow(attack=height % 3 == 0, reseed=None, fork="")])
    for number, turn in enumerate(turns, 1):
        depth = min(turn.depth, len(chain.blocks) - 1)
        reverted, lost = chain.lose(depth)
        tallest = max(tallest, reverted.last.height)
        gone += lost
        shore.see([reverted])
        for n in range(depth + turn.growth):
            reseed = None if turn.same else 1000 * number + n
            attack = any(_robs(block) for block in lost[n : n + 1]) if turn.same else n in turn.robbed
            shore.see(chain.grow(attack=attack, reseed=reseed, fork="abcdef"[number]))
    while len(chain.blocks) < tallest + RULES.pending_hold_blocks + 1:
        shore.see(chain.grow(attack=False, reseed=None, fork="f"))
    return shore, chain, gone


def _robs(block: list[Event]) -> bool:
    return any(isinstance(event, Execution) and event.frames and event.frames[0].to == THIEF for event in block)


@pytest.mark.timeout(1800)
@given(seed=st.integers(0, 9999), turns=TURNS)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_after_any_reorgs_all_is_as_on_the_final_chain_alone(seed: int, turns: list[Turn]) -> None:
    shore, chain, _ = lived(seed, turns)
    fresh = Shore()
    for block in chain.blocks:
        fresh.see(block)
    assert shore.detectors == fresh.detectors
    assert shore.found == fresh.found
    assert shore.pipeline.heights == fresh.pipeline.heights
    standing = {(name, row[1]) for name, rows in shore.found.items() for row in rows if row[0] == "finding"}
    for whose, story in shore.story.items():
        assert ("retracted", "retracted") not in set(pairwise(story)), "once, unless it was found again in between"
        assert (story[-1] == "found") == (whose in standing), "what stands was not taken back, and everything else was"
    assert all(not breaker.orphans for breaker in shore.fold.breakers.values())


def test_one_retraction_for_each_finding_that_did_not_come_back_and_none_for_one_that_did() -> None:
    """Three robbed blocks are replaced; one transaction of the three is mined again in the new branch, one block later."""
    shore, chain = Shore(), Chain(3)
    for height in range(1, 6):
        shore.see(chain.grow(attack=height > 2, reseed=None, fork=""))
    before = {row[1] for rows in shore.found.values() for row in rows}
    reverted, lost = chain.lose(3)
    theft = next(event for event in lost[0] if isinstance(event, Execution) and _robs([event]))
    shore.see([reverted])
    assert shore.retracted == [], "not at once: it may come back"
    holds = {name: len(breaker.holds) for name, breaker in shore.fold.breakers.items()}
    for n in range(9):
        made = chain.grow(attack=False, reseed=n, fork="f")
        again = replace(theft, position=place(len(chain.blocks), "f"), at=12.0 * len(chain.blocks))
        shore.see([*made[:1], *([again] if n == 1 else []), *made[1:]])
    counts = Counter((one.integration, one.finding.id) for one in shore.retracted)
    assert set(counts.values()) == {1}
    kept = {row[1] for rows in shore.found.values() for row in rows if row[0] == "finding"}
    came_back = {one for one in before if one in kept}
    assert came_back, "the one that was mined again is the same finding"
    assert {key for _, key in counts} == {one for one in before if one not in came_back}
    assert {name: len(breaker.holds) for name, breaker in shore.fold.breakers.items()} == holds, "no flag flipped"
