"""`seawall explain ID`: one incident as the person paged at 3 a.m. wants it, from the daemon or from its journal."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from monitor.cli import daemon
from monitor.cli.waiting import bar
from monitor.errors import SeawallError

Url = Annotated[str | None, typer.Option("--url", help="The daemon's read address; also SEAWALL_URL.", metavar="URL")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    which: Annotated[str, typer.Argument(metavar="ID", help="A decision's or a finding's id, as alerts and `flags` show it.")],
    *,
    journal: Annotated[
        Path | None, typer.Option(help="Read this journal's file instead of asking the daemon.", show_default=False)
    ] = None,
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """What happened, what left and from whom, on which call path, what Seawall did and when, and what to do now."""
    if journal is None:
        incident = daemon.get(daemon.read_base(url), f"/v1/incidents/{quote(which, safe='')}")
    else:
        incident = _of_journal(journal, which)
    if as_json:
        typer.echo(json.dumps(incident))
        return
    from rich.console import Console

    from monitor.cli.telling import told

    console = Console(highlight=False, markup=False)
    for part in told(incident):
        console.print(part, soft_wrap=False)


def _of_journal(path: Path, which: str) -> dict[str, Any]:
    """The incident as the journal's records tell it. Raises JournalError, and SeawallError when they do not name it."""
    import msgspec

    from monitor.api.views import look_up, noted
    from monitor.breaker.desk import Made
    from monitor.breaker.fold import Fold, Noted
    from monitor.breaker.holds import Decision
    from monitor.breaker.timing import Acknowledged, GivenBack, Timings
    from monitor.journal.copies import records_of

    fold, made, notes, timings = Fold({}), list[Made](), dict[str, Noted](), Timings()
    with bar("reading the journal", None) as advance, records_of(path) as records:
        for record in records:
            advance()
            decision = fold.apply_record(record.kind, record.body, record.sequence)
            if isinstance(decision, Decision):
                made.append(Made(decision, fold.breaker(decision.integration), record.sequence))
            elif record.kind == Noted.kind:
                one = record.read(Noted)
                notes[one.finding.id] = one
            elif record.kind == Acknowledged.kind:
                timings.acknowledged(record.read(Acknowledged))
            elif record.kind == GivenBack.kind:
                timings.given_back(record.read(GivenBack))
    found = look_up(which, made, fold.breakers, fold.sightings)
    if found is None and (note := notes.get(which)) is not None:
        found = noted(note.finding, fold.breaker(note.integration), fold.sightings)
    if found is None:
        raise SeawallError(f"explain {which}: no decision and no finding of that id in {path}")
    plain: dict[str, Any] = msgspec.to_builtins(found | {"acknowledged": timings.taken_up(str(found["id"]))})
    return plain
