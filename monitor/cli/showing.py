"""`seawall demo`: the whole main job on one machine, in front of your eyes."""

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Exit after the show and print the report.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine output: the flags as the first line, the report as the last.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Port of the read listener and the page. Default: a free one.", min=1, max=65535)
    ] = None,
    attacks: Annotated[
        int, typer.Option(help="Public attacks, each on a fresh integration, kinds in turn.", min=1, max=2000)
    ] = 2,
    no_detectors: Annotated[
        bool, typer.Option("--no-detectors", help="Negative control: the same attacks, nobody watching.")
    ] = False,
) -> None:
    """Start a local chain with real Uniswap V2 and vulnerable protocols, watch it, attack it, and see the flag turn first."""
    import asyncio

    from monitor.demo.show import Show

    show = Show(attacks=attacks, detecting=not no_detectors, port=port, machine=as_json)
    try:
        report = asyncio.run(show.perform(once=once))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    if report is not None:
        typer.echo(json.dumps(report))
