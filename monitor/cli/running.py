"""`seawall run` and `seawall doctor`: the daemon, and a look at everything it depends on."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.taping import PART_MIB, PART_MINUTES, parted

CONFIG = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("doctor")(doctor)


def run(
    config: CONFIG,
    *,
    tape: Annotated[
        Path | None, typer.Option(help="Record all that is judged on this tape, for `seawall replay`.", show_default=False)
    ] = None,
    part_mib: PART_MIB = None,
    part_minutes: PART_MINUTES = None,
) -> None:
    """Watch the configured chains and serve the flags until SIGTERM."""
    import asyncio
    import contextlib
    import gc

    from monitor.app import Seawall, listen_to_signals
    from monitor.assembly import header_of
    from monitor.chains.recorder import Recorder
    from monitor.chains.traces.words import allow_deep
    from monitor.config import load
    from monitor.logs import start_logging

    loaded = load(config)
    start_logging(loaded.log.level, loaded.log.format)
    allow_deep()

    async def live(recorder: Recorder | None) -> None:
        seawall = Seawall(loaded, tape=recorder)
        listen_to_signals(seawall)
        gc.collect()
        gc.freeze()  # what the start made lives on; later collections need not look at it
        await seawall.run()

    limits = parted(part_mib, part_minutes)
    with contextlib.nullcontext() if tape is None else Recorder(tape, header_of(loaded), **limits) as recorder:
        asyncio.run(live(recorder))


def doctor(config: CONFIG, *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Probe every node and capability, and say what is missing and what follows from that."""
    import asyncio
    import json

    from monitor.config import load
    from monitor.doctor import examine, told

    report = asyncio.run(examine(load(config)))
    typer.echo(json.dumps(report) if as_json else told(report))
    if not report["ok"]:
        raise typer.Exit(1)
