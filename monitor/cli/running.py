"""`seawall run` and `seawall doctor`: the daemon, and a look at everything it depends on."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.taping import PART_MIB, PART_MINUTES, parted
from monitor.cli.waiting import bar

CONFIG = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.", show_default=False)]


PROMPT = 0.0005
"""Seconds for which the loading thread may keep the loop's from a turn; an answer takes several, of Python's own 0.005 each."""


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
    import sys

    from monitor.config import load
    from monitor.loop import fair
    from monitor.opening import Opening

    loaded = load(config)
    limits = parted(part_mib, part_minutes)

    async def live() -> None:
        async with Opening(loaded) as opened:
            often = sys.getswitchinterval()
            sys.setswitchinterval(PROMPT)
            await asyncio.to_thread(_load_the_rest)  # in a thread, since flags are asked for meanwhile
            sys.setswitchinterval(often)
            from monitor.app import Seawall, listen_to_signals
            from monitor.assembly import header_of
            from monitor.chains.recorder import Recorder
            from monitor.chains.traces.words import allow_deep
            from monitor.logs import start_logging

            start_logging(loaded.log.level, loaded.log.format)
            allow_deep()
            with contextlib.nullcontext() if tape is None else Recorder(tape, header_of(loaded), **limits) as recorder:
                seawall = Seawall(loaded, tape=recorder)
                listen_to_signals(seawall)
                gc.collect()
                gc.freeze()  # what the start made lives on; later collections need not look at it
                await seawall.take_over(opened)

    with asyncio.Runner(loop_factory=fair) as runner:
        runner.run(live())


def _load_the_rest() -> None:
    """Everything but the opening: most of a second, while pauses are answered already."""
    import monitor.app  # noqa: F401


def doctor(config: CONFIG, *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Probe every node: what it offers, what is missing, what follows and how to mend it, and what it will cost in calls a day.

    Every watched contract is read once as what it is configured to be. Exit 1 when a node is out of reach, refused, unable to
    judge, or cannot read a contract.
    """
    import asyncio
    import json

    from monitor.config import load
    from monitor.doctor import examine, told

    loaded = load(config)
    with bar("asking nodes", sum(len(chain.nodes) for chain in loaded.chains.values()), quiet=as_json) as advance:
        report = asyncio.run(examine(loaded, advance))
    typer.echo(json.dumps(report) if as_json else told(report))
    if not report["ok"]:
        raise typer.Exit(1)
