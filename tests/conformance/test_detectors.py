"""What every detector promises, checked on each one that is found, ours or a plug-in's."""

import copy
import inspect
import pickle
import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from detectors import discover
from detectors.base import Detector, Finding, Registry, Severity, Watch
from detectors.events import Event
from tests.support.laid_open import laid_open
from tests.support.pools import CHAIN, reverted
from tests.support.worlds import WATCHED, World

FOUND = discover()
EVERYONE = {CHAIN: Watch()}
each = pytest.mark.parametrize("kind", FOUND.values(), ids=list(FOUND))


def build(kind: type[Detector], registry: Registry | None = None) -> Detector:
    """With its defaults, and the registry where it takes one."""
    takes = "registry" in inspect.signature(kind).parameters
    return kind(registry=registry) if takes and registry is not None else kind()  # type: ignore[call-arg]


def show(detector: Detector, events: Iterable[Event]) -> list[object]:
    """Everything it hands back, as the pipeline would ask for it: only event types it wants."""
    return [made for event in events if isinstance(event, detector.wants) for made in detector.observe(event)]


def life(blocks: int, *, seed: int = 0, robbed: frozenset[int] = frozenset()) -> list[Event]:
    """Blocks and rumours of one world."""
    world = World(seed)
    return [e for height in range(1, blocks + 1) for e in [*world.rumours(), *world.events(height, attack=height in robbed)]]


EVENTFUL = life(60, robbed=frozenset((7, 20, 21, 40)))
HONEST = life(150, seed=3)


@each
def test_it_explains_itself(kind: type[Detector]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.name)
    assert kind.summary.endswith(".")
    assert ">>>" in (kind.__doc__ or ""), "a doctest shows it fire, and hold its peace"
    assert kind.kinds
    assert kind.wants
    assert all(issubclass(event, Event) for event in kind.wants)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and impact.endswith(".") for name, impact in kind.kinds.items())
    assert all(p.default is not p.empty for p in inspect.signature(kind).parameters.values() if p.kind is not p.VAR_KEYWORD)


@each
def test_what_it_finds_is_of_a_kind_it_explained_and_well_formed(kind: type[Detector]) -> None:
    for made in show(build(kind, WATCHED), EVENTFUL):
        if not isinstance(made, Finding):
            continue
        assert made.detector == kind.name
        assert made.kind in kind.kinds
        assert 0.0 <= made.confidence <= 1.0
        assert made.severity is Severity.of(made.confidence)
        assert made.subject == made.victims[0]
        assert made.causes
        assert msgspec.json.decode(msgspec.json.encode(made), type=Finding) == made, "it crosses a wire unchanged"


@each
@pytest.mark.parametrize("registry", [None, WATCHED, EVERYONE], ids=["defaults", "watched", "everyone"])
def test_it_works_with_its_defaults(kind: type[Detector], registry: Registry | None) -> None:
    show(build(kind, registry), EVENTFUL)


@each
def test_the_same_events_give_the_same_findings(kind: type[Detector]) -> None:
    first, second = (show(build(kind, WATCHED), copy.deepcopy(EVENTFUL)) for _ in range(2))
    assert first == second


@each
@pytest.mark.parametrize("cut", [0, 1, 57, 200])
def test_it_pickles_mid_stream_and_continues_identically(kind: type[Detector], cut: int) -> None:
    one = build(kind, WATCHED)
    show(one, EVENTFUL[:cut])
    two = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    assert show(one, EVENTFUL[cut:]) == show(two, EVENTFUL[cut:])


@each
def test_what_it_does_not_want_it_ignores(kind: type[Detector]) -> None:
    detector = build(kind, WATCHED)
    show(detector, EVENTFUL)
    before = pickle.dumps(detector)
    unwanted = [event for event in EVENTFUL if not isinstance(event, kind.wants)]
    assert [made for event in unwanted for made in detector.observe(event)] == []
    assert pickle.dumps(detector) == before


@each
def test_rumours_leave_no_trace(kind: type[Detector]) -> None:
    detector, world = build(kind, WATCHED), World(5)
    show(detector, world.events(1))
    before = pickle.dumps(detector)
    for _ in range(20):
        show(detector, world.rumours())
    assert pickle.dumps(detector) == before


@each
def test_its_memory_is_bounded(kind: type[Detector]) -> None:
    """Two thousand blocks in which everyone is new: what it keeps after the second thousand is what it kept after the first."""
    detector, world, sizes = build(kind, WATCHED), World(11), []
    for height in range(1, 2001):
        show(detector, world.events(height, attack=height % 50 == 0))
        if height in {1000, 2000}:
            sizes.append(len(pickle.dumps(detector)))
    assert sizes[1] <= 1.25 * sizes[0] + 4096


def after(kind: type[Detector], kept: int, seed: int, gone: int, robbed: frozenset[int]) -> tuple[list[object], Detector]:
    """Live `kept` blocks, then `gone` more that a reorg takes back (none: a fresh run), then live on on another branch."""
    detector, world = build(kind, WATCHED), World(seed)
    for height in range(1, kept + 1):
        show(detector, world.events(height))
    other = copy.deepcopy(world)
    for height in range(kept + 1, kept + gone + 1):
        show(detector, other.events(height, attack=height in robbed))
    if gone:
        show(detector, [reverted(kept + 1, kept + gone)])
    world.random.seed(seed + 1)
    rest = [e for height in range(kept + 1, kept + 6) for e in world.events(height, attack=height == kept + 4, fork="f")]
    return show(detector, rest), detector


@each
@given(kept=st.integers(1, 6), seed=st.integers(0, 99), gone=st.integers(1, 6), robbed=st.frozensets(st.integers(2, 12)))
@settings(max_examples=15, deadline=None, phases=[Phase.reuse, Phase.generate])  # a failure's seed says it all; shrinking is slow
def test_a_reverted_range_leaves_no_trace(
    *, kind: type[Detector], kept: int, seed: int, gone: int, robbed: frozenset[int]
) -> None:
    found, detector = after(kind, kept, seed, gone, robbed)
    expected, fresh = after(kind, kept, seed, 0, robbed)
    assert found == expected
    assert laid_open(detector) == laid_open(fresh)


@each
@pytest.mark.parametrize("registry", [WATCHED, EVERYONE], ids=["watched", "everyone"])
def test_honest_blocks_give_nothing_critical(kind: type[Detector], registry: Registry) -> None:
    mined = [event for event in HONEST if getattr(event, "stage", None) != "pending"]
    findings = [made for made in show(build(kind, registry), mined) if isinstance(made, Finding)]
    assert [made for made in findings if made.severity is Severity.CRITICAL] == []


def test_the_world_s_attacks_are_seen_by_somebody() -> None:
    detectors = [build(kind, WATCHED) for kind in FOUND.values()]
    for seed in range(6):
        world = World(seed)
        critical = {
            (made.tx or "", made.stage)
            for event in [*world.events(1), *world.events(2, attack=True)]
            for detector in detectors
            for made in show(detector, [event])
            if isinstance(made, Finding) and made.severity is Severity.CRITICAL
        }
        assert critical, seed
