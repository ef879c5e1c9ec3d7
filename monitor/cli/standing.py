"""`seawall status`: how the daemon is, on one screen."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import daemon

if TYPE_CHECKING:
    from rich.table import Table

    from monitor.api.status import ChainStatus, Status

Url = Annotated[str | None, typer.Option("--url", help="The daemon's read address; also SEAWALL_URL.", metavar="URL")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    *, url: Url = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False
) -> None:
    """How the daemon is: version, chains and nodes, flags, journal, who is still to be told, detectors, fees.

    Exit 1 when its pipeline stands still. What each flag says, `seawall flags` shows; why, `seawall explain`.
    """
    facts = daemon.get(daemon.read_base(url), "/-/status")
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        _show(facts)
    if not facts.get("pipeline"):
        raise typer.Exit(1)


def _show(facts: daemon.Facts) -> None:
    import msgspec
    from rich.console import Console

    from alerts.text import plain
    from monitor.api.status import Status
    from monitor.errors import SeawallError

    try:
        told = msgspec.convert(facts, Status)
    except msgspec.ValidationError as error:
        raise SeawallError(f"GET /-/status: the answer is not one of this version ({error}); try --json") from None
    console = Console(highlight=False, markup=False)
    for line in _lines(told):
        console.print(plain(line, 400))
    console.print(_chains(told.chains))
    for line in _rest(told):
        console.print(plain(line, 400))


def _lines(told: "Status") -> Iterator[str]:
    state = "ready" if told.ready else "not ready yet"
    moving = "" if told.pipeline else ", THE PIPELINE STANDS STILL"
    yield f"Seawall {told.version}, up {told.uptime_seconds:,.0f} s, configuration {told.config}, {state}{moving}"
    flags = told.flags
    yield f"flags: run {flags.run}, pause {flags.pause}, unknown {flags.unknown}; {flags.shadow} in shadow"


def _chains(chains: "dict[str, ChainStatus]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from alerts.text import plain

    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("chain", "head", "age", "coverage", "behind", "node in the lead", "trouble"):
        table.add_column(column, overflow="fold")
    for name, chain in chains.items():
        lead = next((f"{node.name} {node.state}" for node in chain.nodes if node.leads), "none")
        shown = (
            name, _or_never(chain.head), "never" if chain.age_seconds is None else f"{chain.age_seconds:.0f} s",
            _or_never(chain.coverage), _or_never(chain.behind), lead, chain.trouble or chain.degraded or "",
        )  # fmt: skip
        table.add_row(*(Text(plain(str(one))) for one in shown))
    return table


def _or_never(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"


def _rest(told: "Status") -> Iterator[str]:
    journal, delivery = told.journal, told.delivery
    synced = (
        "nothing to keep yet" if journal.synced_at is None else f"synced {max(0.0, time.time() - journal.synced_at):.0f} s ago"
    )
    owed = f", {journal.owed} pauses owed" if journal.owed else ""
    trouble = f", {journal.trouble}" if journal.trouble else ""
    yield f"journal: {journal.sequence:,} records, {journal.bytes / 2**20:.1f} MiB, {synced}{owed}{trouble}"
    yield f"telling: {delivery.outbox} in the outbox, {delivery.dead_letters} given up"
    for name, channel in delivery.channels.items():
        if channel.failures or channel.waiting or channel.gone:
            gone = ", wants no more until a restart" if channel.gone else ""
            yield f"  {name}: {channel.waiting} waiting, {channel.failures} failures on end{gone}"
    if failed := {name: count for name, count in told.detectors.items() if count}:
        yield f"detectors that failed: {', '.join(f'{name} on {count} events' for name, count in failed.items())}"
    for name, gas in told.gas.items():
        yield f"fees of {name}: {gas.degraded or f'{gas.model}, from block {gas.block}'}"
