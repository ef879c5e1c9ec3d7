"""The open ledger: every figure of one run as a document, timings apart, so that the same seed writes the same figures."""

from collections.abc import Iterator, Sequence

import msgspec

from monitor.inspect import Verdict
from tests.scenarios import leads
from tests.scenarios.blocks import Blocks
from tests.scenarios.figures import BLOCK_ONLY, SEEN, Family, bound, detectors, family, part, percentile
from tests.scenarios.progress import span
from tests.scenarios.scenario import DRAIN, REENTRANCY, Scenario
from tests.scenarios.speed import SWAPS, Speed
from tests.scenarios.tables import ms, row, table
from tests.scenarios.trial import Trial
from tests.scenarios.tripping import Trip
from tests.scenarios.ways import DEGRADED, PENDING, RENAMED, RENAMED_MINED, Outcome

GOALS = {REENTRANCY: (0.95, 0.95, 0.9), DRAIN: (0.9, 0.9, 0.8)}
"""Precision, recall, pause recall."""


PROSE = """
**Whoever wrote the rules wrote this corpus.** A staged scenario proves that a mechanism is implemented, and keeps it so; it does
not say how many of tomorrow's attacks will be seen. Compare these figures with those of others only loosely.

Each scenario is staged on a real anvil, on published bytecode where npm ships it (Uniswap V1, V2 and V3, OpenZeppelin's ERC-777,
1155, 721, 4626 and proxy, WETH9, Aave V3, the ERC-4337 EntryPoint), and on clones of ours where it does not (banks, a Curve-like
pool, a comptroller, a V4-like singleton, the ERC-1820 registry). Seeded dice vary amounts, depth, order, the split over
transactions and blocks, and whether the attacker's contract stands for itself, is driven by a second through a third, or is made
in the attack.

The daemon's own feeds, tracers, detectors and policy judge it: as **pending**, as **mined**, after a **reorg** onto another fork,
**degraded** (two times in three without storage order, else without any tracer), and **renamed** (the attacker's selectors
changed, its contracts split in three), which is judged announced and mined. Detected is a warning or more by the right family on
what is guilty; paused is a pause over it by any detector. Anything said at a warning or above of an honest transaction is false,
save without tracers, where a warning is all that can be said.
"""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    scenarios: Sequence[Scenario]
    outcomes: Sequence[Outcome]
    blocks: Blocks
    trial: Trial
    trips: Sequence[Trip]
    speed: Speed
    command: str
    date: str
    seed: int
    failed: Sequence[str] = ()
    seconds: float = 0.0
    """The whole run took."""


def document(run: Run) -> str:
    """`docs/accuracy.md`."""
    parts = (
        _head(run),
        _summary(run),
        _attacks(run),
        _benign(run),
        _by_detector(run),
        _real(run),
        _honest(run),
        _trips(run),
        _timings(run),
    )
    return "\n".join("\n".join(part) for part in parts)


def _head(run: Run) -> Iterator[str]:
    yield "# Accuracy"
    yield ""
    yield f"Written by `{run.command}`. The same seed writes the same figures; what a clock measures is in the last section."
    yield ""
    yield from PROSE.strip().splitlines()
    yield ""


def _summary(run: Run) -> Iterator[str]:
    outcomes = run.outcomes
    yield "## Summary"
    yield ""
    yield from table(
        "family",
        "runs",
        "precision",
        "recall",
        "PAUSE recall, pending",
        "PAUSE recall, block only",
        "right contract named",
        "all victims named",
        "degraded: not clean",
    )
    for name in (REENTRANCY, DRAIN):
        made: Family = family(name, run.scenarios, outcomes)
        if made.recall.all:
            yield row(
                name,
                made.recall.all,
                made.precision,
                made.recall,
                made.announced,
                made.blocks,
                made.named,
                made.all_named,
                made.degraded,
            )
            goals = GOALS[name]
            yield row("*goal*", "", f"≥ {goals[0]}", f"≥ {goals[1]}", f"≥ {goals[2]}", f"≥ {goals[2]}", "≥ 0.9", "", "1")
    benign = [o for o in outcomes if not o.attack]
    sees, dim = [o for o in benign if o.way in SEEN], [o for o in benign if o.way == DEGRADED]
    yield ""
    yield from table("honest", "n", "WARN", "PAUSE", "95 % bound on the PAUSE rate (3/n)")
    rows = (
        ("benign scenarios, every tracer (runs)", len(sees), _count(sees, Verdict.WARN), _count(sees, Verdict.PAUSE)),
        ("benign scenarios, degraded (runs)", len(dim), _count(dim, Verdict.WARN), _count(dim, Verdict.PAUSE)),
        (
            "honest traffic, storage in order (transactions)",
            run.trial.ordered,
            run.trial.verdicts.get(Verdict.WARN, 0),
            run.trial.verdicts.get(Verdict.PAUSE, 0),
        ),
        (
            "real blocks (transactions)",
            run.blocks.transactions,
            run.blocks.verdicts[Verdict.WARN],
            run.blocks.verdicts[Verdict.PAUSE],
        ),
    )
    for name, count, warns, pauses in rows:
        yield row(name, count, warns, pauses, bound(count) if not pauses else f"observed {pauses / count:.2e}")
    beside = [o for o in outcomes if o.attack and o.way in SEEN]
    honest = sum(o.honest for o in beside)
    wrong = sum(o.false in {Verdict.WARN, Verdict.PAUSE} for o in beside)
    yield ""
    yield f"Beside the attacks, {honest} judgements of honest transactions: {wrong} runs with a false warning or pause."
    if run.failed:
        yield ""
        yield f"**Not judged**, since staging failed: {', '.join(run.failed)}."
    yield ""


def _count(outcomes: Sequence[Outcome], verdict: Verdict) -> int:
    return sum(o.false == verdict for o in outcomes)


def _attacks(run: Run) -> Iterator[str]:
    yield "## Attacks, by scenario"
    yield ""
    yield "Shares of runs. Block only: as mined, reorged and renamed-as-mined together."
    yield ""
    yield from table(
        "no.",
        "scenario",
        "runs",
        "detected",
        "kind right",
        "paused pending",
        "paused block only",
        "paused renamed",
        "degraded: not clean",
        "named",
        "all named",
    )
    for scenario in run.scenarios:
        mine = [o for o in run.outcomes if o.number == scenario.number]
        if not scenario.attacks or not mine:
            continue
        seen = [o for o in mine if o.way in SEEN]
        hits = [o for o in seen if o.detected]
        yield row(
            scenario.number,
            scenario.name,
            len(mine),
            _share(seen, "detected"),
            _share(hits, "kind_right"),
            _share([o for o in mine if o.way == PENDING], "paused"),
            _share([o for o in mine if o.way in BLOCK_ONLY], "paused"),
            _share([o for o in mine if o.way in {RENAMED, RENAMED_MINED}], "paused"),
            f"{part([o for o in mine if o.way == DEGRADED], lambda o: o.verdict not in {Verdict.CLEAR, Verdict.INFO}).share:.2f}",
            _share(hits, "named"),
            _share(hits, "all_named"),
        )
    yield ""
    told = [*leads.only_warned(run.scenarios, run.outcomes)]
    yield from [*told, ""] if told else ()
    left = ", ".join(map(str, leads.missing(run.scenarios)))
    yield f"Of the matrix's 44 scenarios {f'these are not staged here: {left}' if left else 'all are staged'}."
    yield ""


def _share(outcomes: Sequence[Outcome], field: str) -> str:
    return f"{part(outcomes, lambda o: bool(getattr(o, field))).share:.2f}" if outcomes else "-"


def _benign(run: Run) -> Iterator[str]:
    yield "## Honest doubles, by scenario"
    yield ""
    yield from table(
        "no.", "scenario", "runs", "strongest verdict", "WARN", "PAUSE", "degraded: WARN", "degraded: PAUSE", "what was said"
    )
    for scenario in run.scenarios:
        mine = [o for o in run.outcomes if o.number == scenario.number]
        if scenario.attacks or not mine:
            continue
        seen, dim = [o for o in mine if o.way in SEEN], [o for o in mine if o.way == DEGRADED]
        worst = max((o.false for o in seen), key=list(Verdict).index, default=Verdict.CLEAR)
        said = sorted({f"{who} {confidence:.2f}" for o in mine for who, confidence in o.false_by})
        yield row(
            scenario.number, scenario.name, len(mine), worst, _count(seen, Verdict.WARN), _count(seen, Verdict.PAUSE),
            _count(dim, Verdict.WARN), _count(dim, Verdict.PAUSE), ", ".join(said) or "-",
        )  # fmt: skip
    yield ""


def _by_detector(run: Run) -> Iterator[str]:
    yield "## By detector"
    yield ""
    yield "Runs with every tracer in which it warned, and paused, over what is guilty and over what is honest."
    yield ""
    yield from table(
        "detector", "warned rightly", "paused rightly", "warned falsely", "paused falsely", "precision of its pauses"
    )
    for name, (warned, paused, false, worse) in detectors(run.outcomes).items():
        yield row(name, warned, paused, false, worse, f"{paused / (paused + worse):.3f}" if paused + worse else "-")
    yield ""


def _real(run: Run) -> Iterator[str]:
    blocks = run.blocks
    yield "## Real blocks"
    yield ""
    if not blocks.files:
        yield "The recordings of real blocks are not beside this checkout: not judged."
    else:
        counts = ", ".join(f"{verdict} {blocks.verdicts[verdict]}" for verdict in Verdict)
        yield f"{blocks.files} mainnet blocks, {blocks.transactions} transactions, as call trees without logs: {counts}."
        yield f"Every contract counts as watched. Said at a warning or above: {_counted(blocks.said)}."
    yield ""


def _honest(run: Run) -> Iterator[str]:
    trial = run.trial
    yield "## Honest traffic"
    yield ""
    yield f"{trial.transactions} transactions made on real bytecode and mined, {trial.ordered} traced with storage in order,"
    yield f"{trial.reverted} reverted. Every contract counts as watched, and balances are only what the traces tell."
    yield ""
    yield from table("judged", "clear", "info", "warn", "pause")
    for name, verdicts in (
        ("storage in order, everything watched", trial.verdicts),
        ("storage in order, the town's contracts watched", trial.watched),
        ("call tree alone, everything watched, no balance known", trial.trees),
    ):
        yield row(name, *(verdicts.get(verdict, 0) for verdict in ("clear", "info", "warn", "pause")))
    yield ""
    yield f"Said at a warning or above: {_counted(trial.suspected)}."
    yield ""
    yield from table("what was done", "transactions")
    for kind, count in sorted(trial.kinds.items()):
        yield row(kind, count)
    yield ""


def _counted(said: dict[str, int]) -> str:
    return "; ".join(f"{what} ({count})" for what, count in sorted(said.items())) or "nothing"


def _trips(run: Run) -> Iterator[str]:
    yield "## Cost to trip"
    yield ""
    yield from leads.prices(run.trips)
    yield ""


def _timings(run: Run) -> Iterator[str]:
    alone = [o.judged_ms for o in run.speed.alone if 0 < o.frames <= 200]
    pending = [o.judged_ms for o in run.outcomes if o.way == PENDING and 0 < o.frames <= 200]
    left = [o.lead_ms for o in run.outcomes if o.way == PENDING and o.lead_ms is not None]
    micros, real = ([one / 1000 for one in times] for times in (run.trial.micros, run.blocks.micros))
    yield "## Timings of this run"
    yield ""
    yield f"{run.date}, in {span(run.seconds)}, on whatever else the machine was doing. Everything below varies from run to run."
    yield ""
    yield from table("measure", "n", "p50", "p99", "goal")
    for measure, times, goal in (
        ("announced → verdict, attacks of ≤ 200 frames, second looks included: one at a time", alone, "p99 ≤ 300 ms"),
        ("the same beside everything else of this run, on cores that have nothing to spare", pending, ""),
        ("our own share of a verdict: CPU, both looks parsed, judged thrice", micros, "p50 ≤ 20 ms"),
        ("the same on real blocks, call trees", real, ""),
        ("flag → mined (the corpus mines as soon as everybody has judged)", left, ""),
    ):
        yield row(measure, len(times), ms(percentile(times, 0.5)), ms(percentile(times, 0.99)), goal)
    blocks = sorted(run.speed.blocks)
    if blocks:
        yield row(
            f"a block of {SWAPS} traced swaps, mined → judged (of which the node alone traces {ms(1000 * min(run.speed.node))})",
            len(blocks),
            ms(1000 * percentile(blocks, 0.5)),
            ms(1000 * blocks[-1]),
            "≤ 1 s",
        )
    yield ""
    yield "### Lead time, by scenario"
    yield ""
    yield from leads.LEADS.strip().splitlines()
    yield ""
    yield from leads.by_scenario(run.scenarios, run.speed.alone, run.outcomes)
    yield ""
    yield "### Lead time, by detector"
    yield ""
    yield from leads.by_detector(run.speed.alone, run.outcomes)
