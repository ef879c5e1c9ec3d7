"""The ledger's tables of time and price: how long before the block a flag turns, and what a false pause costs its author."""

from collections.abc import Iterator, Mapping, Sequence

from detectors.base import PAUSE_AT
from tests.scenarios.figures import percentile
from tests.scenarios.scenario import Scenario
from tests.scenarios.tables import ms, row, table
from tests.scenarios.tripping import Trip
from tests.scenarios.ways import PENDING, Outcome

LEADS = """
Announced → flag is from the moment the node told us of the transaction to the finding that pauses, second looks included. Flag →
mined is what was left: the corpus mines as soon as everybody has judged, so it is a floor. On a chain with a block every 12 s, a
transaction announced at a random moment is mined 6 s later on average: what the verdict leaves of that is the lead. An attack
through private order flow gives none; there the block is all there is to see.
"""

TRIPS = """
The smallest honest deed found to cause a pause: the share of a contract's holdings that must be one's own. It is tied up for a
block and comes back, so the cost is gas and the price of that money for a block.
"""

BY_CONSTRUCTION: Mapping[str, str] = {
    "flows": "no honest deed found: a watched router must charge owners at a stranger's word. Who lets it charge wallets of his"
    " own pays gas, and has shown a hole that is real.",
    "invariants": "no honest deed found: a promise of the pool's own arithmetic must break, and whoever holds its shares pays.",
    "manipulation": "no honest deed found: a price must be off by a twentieth when somebody else believes it, come back, and that"
    " one must have lost by it; or shares must pay more than they had cost. The pushes cost the pool's fee twice, the rest is the"
    " victim's loss.",
    "privileges": "the key: power must change hands, and a hundredth of the holdings go to who got it.",
    "sanctions": "a listed address of one's own, in a transaction with a watched contract: what the list is for.",
    "evasion, risk, silence, statistics": "never pause alone.",
}
"""What a detector that no honest deed was found to trip asks of whoever wants it to."""


def by_scenario(scenarios: Sequence[Scenario], alone: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Announced → flag → mined, for each attack that pauses while it is pending; `alone`: nothing else ran."""
    times = ("announced → flag, alone", "announced → flag, p50", "worst", "flag → mined, p50")
    yield from table("no.", "announced", "paused before mined", *times, "frames, most")
    for scenario in scenarios:
        mine = [o for o in outcomes if o.number == scenario.number and o.way == PENDING and o.attack]
        quiet = [o for o in alone if o.number == scenario.number]
        if mine:
            paused = sum(o.flag_ms is not None for o in mine)
            yield row(scenario.number, len(mine), paused, _times(quiet)[0], *_times(mine), max(o.frames for o in mine))


def by_detector(alone: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The same for each detector, over the attacks in which it was among those that pause."""
    times = ("announced → flag, alone", "announced → flag, p50", "worst", "flag → mined, p50")
    yield from table("detector", "paused while pending", *times)
    for name in sorted({name for o in outcomes for name, confidence in o.by if confidence >= PAUSE_AT}):
        mine, quiet = _of(name, outcomes), _of(name, alone)
        if mine:
            yield row(name, len(mine), _times(quiet)[0], *_times(mine))


def _of(name: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Attacks paused while they were pending, this detector among those that did."""
    seen = [o for o in outcomes if o.attack and o.way == PENDING and o.flag_ms is not None]
    return [o for o in seen if any(who == name and confidence >= PAUSE_AT for who, confidence in o.by)]


def _times(mine: Sequence[Outcome]) -> tuple[str, str, str]:
    flags, leads = ([t for o in mine if (t := getattr(o, name)) is not None] for name in ("flag_ms", "lead_ms"))
    if not flags:
        return "-", "-", "-"
    return ms(percentile(flags, 0.5)), ms(max(flags)), ms(percentile(leads, 0.5))


def prices(trips: Sequence[Trip]) -> Iterator[str]:
    """The cost to trip: what was found by searching, and what the other detectors ask by construction."""
    yield from TRIPS.strip().splitlines()
    yield ""
    yield from table("deed", "seen", "share of the holdings", "paused by")
    for trip in trips:
        share = "none up to 0.6" if trip.share is None else f"{trip.share:.3f}"
        yield row(trip.what, trip.stage, share, ", ".join(trip.by) or "-")
    yield ""
    yield from table("detector", "what it takes")
    for name, price in BY_CONSTRUCTION.items():
        yield row(name, price)


def only_warned(scenarios: Sequence[Scenario], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Attacks that nothing paused, and why that is meant."""
    for scenario in scenarios:
        mine = [o for o in outcomes if o.number == scenario.number and o.attack]
        if mine and not any(o.paused for o in mine):
            yield f"* {scenario.number}, {scenario.name}, is only warned of: {scenario.why or 'nobody has said why.'}"


def missing(scenarios: Sequence[Scenario]) -> list[int]:
    """Numbers of the matrix that nothing is staged for."""
    return sorted(set(range(1, 45)) - {scenario.order[0] for scenario in scenarios})
