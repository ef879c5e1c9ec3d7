"""`seawall record` and `seawall replay`: what the daemon saw, kept, and judged again bit for bit."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.chains.tape import Tape
    from monitor.config import Config
    from monitor.replay import Line, Replay, Tally

CONFIG = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.", show_default=False)]
PART_MIB = Annotated[
    float | None, typer.Option(help="Go on in another file when one has about so many MiB.", min=0.001, show_default=False)
]
PART_MINUTES = Annotated[
    float | None, typer.Option(help="Go on in another file after so many minutes.", min=0.001, show_default=False)
]
MOST_LINES = 20
"""Decisions shown to a person; `--json` gives all."""


class Parted(TypedDict):
    """As `Recorder` takes them: compressed bytes and seconds of one file, None for no limit."""

    most_bytes: int | None
    most_seconds: float | None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("record")(record)
    app.command("replay")(replay)


def record(
    config: CONFIG,
    output: Annotated[Path, typer.Option("-o", "--output", help="The tape; a taken name gets a number.", show_default=False)],
    *,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds; else on Ctrl-C.", min=0.0)] = None,
    part_mib: PART_MIB = None,
    part_minutes: PART_MINUTES = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> None:
    """Watch as `run` does and record it, beside the daemon or without one: no flags are served, nobody is told."""
    import asyncio
    import json
    import tempfile

    import msgspec

    from monitor.app import Seawall, listen_to_signals
    from monitor.assembly import header_of
    from monitor.chains.recorder import Recorder
    from monitor.chains.traces.words import allow_deep
    from monitor.config import Alerts, load
    from monitor.config.layout import JournalConfig
    from monitor.logs import start_logging

    loaded = load(config)
    start_logging(loaded.log.level, loaded.log.format)
    allow_deep()

    async def live(alone: "Config", tape: Recorder) -> None:
        seawall = Seawall(alone, tape=tape, listening=False)
        listen_to_signals(seawall)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, seawall.stop.set)
        await seawall.run()

    began = time.monotonic()
    recorder = Recorder(output, header_of(loaded), **parted(part_mib, part_minutes))
    with tempfile.TemporaryDirectory(prefix="seawall-record-") as folder, recorder as tape:
        journal = JournalConfig(path=str(Path(folder) / "journal.db"))
        asyncio.run(live(msgspec.structs.replace(loaded, journal=journal, alerts=Alerts(), sentry=None), tape))
    told = {
        "tape": str(tape.path), "files": len(tape.files), "events": tape.events, "lost": tape.lost, "trouble": tape.trouble,
        "seconds": round(time.monotonic() - began, 3), "bytes": sum(file.stat().st_size for file in tape.files),
    }  # fmt: skip
    typer.echo(json.dumps(told) if as_json else f"{tape.path}: {tape.events:,} events in {told['bytes']:,} bytes")
    if tape.trouble:
        typer.echo(f"seawall: the tape ends early: {tape.trouble}", err=True)
        raise typer.Exit(1)


def parted(mib: float | None, minutes: float | None) -> Parted:
    """The recorder's limits of one file."""
    return {
        "most_bytes": None if mib is None else round(mib * 1024 * 1024),
        "most_seconds": None if minutes is None else minutes * 60,
    }


def replay(
    tape: Annotated[
        Path,
        typer.Argument(help="A tape of `seawall record` or `seawall run --tape`, the first file of several.", metavar="TAPE"),
    ],
    config: CONFIG,
    *,
    against: Annotated[
        Path | None, typer.Option(help="What if: a second configuration; only what differs is printed.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the summary last.")] = False,
) -> None:
    """Judge a tape again: the same findings and decisions, bit for bit; or those of another configuration.

    Exit 1 when the tape is cut or damaged, or when its own configuration no longer gives the decisions on it.
    """
    import json

    from monitor.chains.tape import Tape
    from monitor.chains.traces.words import allow_deep
    from monitor.config import load
    from monitor.replay import Replay

    configs = [load(path) for path in (config, against) if path is not None]
    allow_deep()
    replays = [Replay(loaded) for loaded in configs]
    decided: list[list[Line]] = [[] for _ in replays]
    began = time.perf_counter()
    with Tape(tape) as opened:
        for number, line in _played(opened, replays, quiet=as_json):
            if line.kind == "decision":
                decided[number].append(line)
            if as_json and against is None:
                typer.echo(line.text)
    told = [_summary(opened, one, loaded, time.perf_counter() - began) for one, loaded in zip(replays, configs, strict=True)]
    if against is not None:
        alone = [_only(decided[0], decided[1]), _only(decided[1], decided[0])]
        differ = {"only": [len(lines) for lines in alone], "summaries": told}
        _print_difference(alone, (config, against), as_json=as_json)
        typer.echo(json.dumps(differ) if as_json else "\n".join(map(_sentence, told)))
    else:
        if not as_json:
            _print_decisions(decided[0])
        typer.echo(json.dumps(told[0]) if as_json else _sentence(told[0]))
    if opened.ended:
        typer.echo(f"seawall: {_plain(f'{tape}: {opened.ended}')}", err=True)
    if opened.ended or told[0]["identical"] is False:
        raise typer.Exit(1)


def _played(tape: "Tape", replays: "list[Replay]", *, quiet: bool) -> "Iterator[tuple[int, Line]]":
    """Every line with the number of the replay it comes from, under a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replaying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=tape.size)
        for entry in tape:
            if tape.position != progress.tasks[0].completed:
                progress.update(task, completed=tape.position, total=tape.size)
            for number, one in enumerate(replays):
                for line in one.take(entry):
                    yield number, line
        if not tape.ended:
            for number, one in enumerate(replays):
                for line in one.finish():
                    yield number, line


def _summary(tape: "Tape", replay: "Replay", config: "Config", seconds: float) -> dict[str, Any]:
    import msgspec

    tally: Tally = replay.tally
    same = config.hash == tape.header.config and not tally.inherited
    span = max(0.0, tally.last - tally.first)
    return {
        **msgspec.structs.asdict(tally),
        "config": config.hash, "recorded_config": tape.header.config, "recorded_by": tape.header.seawall,
        "identical": tally.differing == 0 if same else None, "ended": tape.ended,
        "span_seconds": round(span, 3), "seconds": round(seconds, 3),
        "events_per_second": round(tally.events / seconds) if seconds else 0,
        "times_real_time": round(span / seconds, 1) if seconds else 0.0,
    }  # fmt: skip


def _only(mine: "list[Line]", others: "list[Line]") -> "list[Line]":
    known = {line.id for line in others}
    return [line for line in mine if line.id not in known]


def _print_difference(alone: "list[list[Line]]", names: tuple[Path, Path], *, as_json: bool) -> None:
    for which, name, lines in zip(("only_a", "only_b"), names, alone, strict=True):
        if as_json:
            for line in lines:
                typer.echo(b'{"%s":%s}' % (which.encode(), line.body))
        elif lines:
            typer.echo(f"only with {name}:")
            _print_decisions(lines)
    if not as_json and not any(alone):
        typer.echo("the same decisions with both")


def _print_decisions(lines: "list[Line]") -> None:
    import msgspec
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from monitor.breaker.holds import Decision

    table = Table(box=None, pad_edge=False)
    for title in ("at", "integration", "change", "reason", "by"):
        table.add_column(title, overflow="fold")
    for line in lines[:MOST_LINES]:
        made = msgspec.json.decode(line.body, type=Decision)
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(made.at))
        cells = (at, made.integration, f"{made.before} → {made.after}", made.reason, made.by)
        table.add_row(*(Text(_plain(cell)) for cell in cells))
    if lines:
        Console().print(table)
    if len(lines) > MOST_LINES:
        typer.echo(f"… and {len(lines) - MOST_LINES:,} more; --json gives all")


def _sentence(told: dict[str, Any]) -> str:
    verdict = {True: "identical to the recording", False: "DIFFERENT from the recording", None: "another configuration or start"}
    return (
        f"{told['events']:,} events, {told['findings']:,} findings, {told['decisions']:,} decisions: "
        f"{verdict[told['identical']]}; {told['seconds']:g} s, {told['times_real_time']:,g} times real time; "
        f"digest {told['digest']}"
    )


def _plain(text: str) -> str:
    """Text that may come from a chain or a foreign file, on one line and without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)
