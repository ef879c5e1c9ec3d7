"""`seawall shadow report`: what detectors and integrations in shadow would have done, and whether to trust them now."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.waiting import bar

if TYPE_CHECKING:
    from monitor.shadow import Key, Report

PATH = Annotated[Path | None, typer.Option(help="The journal's file; else that of the configuration.", show_default=False)]
CONFIG = Annotated[
    Path | None, typer.Option("-c", "--config", help="Names what is in shadow and found nothing, too.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    shadow = typer.Typer(name="shadow", help="What is in shadow: what it would have done.", no_args_is_help=True)
    shadow.callback()(_group)
    shadow.command()(report)
    app.add_typer(shadow)


def _group() -> None:
    """What is in shadow: what it would have done."""


def report(
    *,
    journal: PATH = None,
    config: CONFIG = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Would-be pauses a day, payment traffic they would have cost, what they would have saved, and whether to enforce."""
    import msgspec

    from monitor.errors import ConfigError
    from monitor.journal.copies import records_of
    from monitor.shadow import Shadows

    quiet: list[Key] = []
    if config is not None:
        path, quiet = _configured(config)
        journal = journal or path
    if journal is None:
        raise ConfigError(["shadow report: name the journal, with --journal FILE or with -c FILE"])
    shadows = Shadows(quiet)
    with bar("reading the journal", None, quiet=as_json) as advance, records_of(journal) as records:
        for record in records:
            shadows.take(record)
            advance()
    made = shadows.report()
    if as_json:
        typer.echo(json.dumps({"journal": str(journal), **msgspec.to_builtins(made)}))
        return
    _show(made)


def _configured(path: Path) -> "tuple[Path, list[Key]]":
    """The journal that a configuration names, and every pair that it has in shadow."""
    from monitor.assembly import known_detectors
    from monitor.config import load

    config, known = load(path), known_detectors()
    quiet = [
        (name, detector)
        for name, one in config.integrations.items()
        for detector in (sorted(one.shadowed(known)) if one.enforced else sorted(known))
    ]
    return Path(config.journal.path), quiet


def _show(made: "Report") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from alerts.text import from_chain, plain

    console = Console(highlight=False, markup=False)
    console.print(f"{made.days:.2f} days of journal")
    if not made.rows:
        console.print("Nothing in shadow would have paused anything.")
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("integration", "detector", "would pause", "a day", "traffic lost", "borne out", "not", "seen pending", "then"):
        table.add_column(column, overflow="fold")
    for row in made.rows:
        numbers = (row.would_pause, f"{row.per_day:.2f}", f"{row.seconds_lost:.0f} s", row.borne_out, row.not_borne_out)
        shown = (row.integration, row.detector, *numbers, row.seen_pending, row.recommendation)
        table.add_row(*(Text(plain(str(value))) for value in shown))
    console.print(table)
    for row in made.rows:
        for loss in row.saved:
            lead = f"{loss.lead:.1f} s before its block" if loss.lead is not None else "in its block only"
            share = f", {loss.share:.1%}" if loss.share is not None else ""
            what = f"{from_chain(loss.out)} of {from_chain(loss.asset) or 'unknown'}{share}, seen {lead}"
            console.print(Text(f"{row.integration} {row.detector}: {what} ({from_chain(loss.tx or loss.finding)})"))
