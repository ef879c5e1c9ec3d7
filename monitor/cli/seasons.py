"""Fit a day's rhythm from tapes, for the statistics to compare with: `seawall seasons`."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.waiting import bar


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(seasons)


def seasons(
    tapes: Annotated[list[Path], typer.Argument(help="Tapes of four days at least, oldest first.")],
) -> None:
    """Print the seasons of every recorded reserve, as YAML for `detectors.statistics`. Exit 1 when none can be fitted."""
    from detectors._math.seasons import fit, hourly
    from detectors.events import PoolState
    from monitor.chains.tape import Tape

    samples: dict[tuple[str, str], list[tuple[float, int]]] = {}
    with bar("reading tapes", len(tapes)) as advance:
        for path in tapes:
            with Tape(path) as tape:
                for entry in tape:
                    if isinstance(entry, PoolState):
                        for asset, amount in entry.reserves.items():
                            samples.setdefault((entry.pool, asset), []).append((entry.at, amount))
            advance()
    fitted: dict[str, dict[str, list[list[float]]]] = {}
    for (pool, asset), told in sorted(samples.items()):
        try:
            season = fit(*hourly(told))
        except ValueError as error:
            typer.echo(f"seawall: {pool} {asset}: {error}", err=True)
            continue
        fitted.setdefault(pool, {})[asset] = [[round(v, 6) for v in season.usual], [round(v, 6) for v in season.spread]]
    if not fitted:
        raise typer.Exit(1)
    import yaml

    typer.echo(yaml.safe_dump({"seasons": fitted}, default_flow_style=None, width=120), nl=False)
