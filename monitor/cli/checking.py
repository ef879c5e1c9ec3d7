"""Commands for whoever writes a configuration: check a file, print its JSON Schema."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.config import Config

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (check, schema):
        app.command()(command)


def check(
    file: Annotated[Path, typer.Argument(help="The configuration, with the environment it will run in.", metavar="FILE")],
    *,
    as_json: AsJson = False,
) -> None:
    """Is this configuration one that `seawall run` would take? Asks no node."""
    from monitor.config import load

    try:
        config = load(file)
        built(config)
    except ConfigError as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"ok": False, "problems": error.problems}))
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps({"ok": True, "hash": config.hash, **counts(config)}))
    else:
        typer.echo(summary(config))


def built(config: "Config") -> None:
    """Make every detector and channel as the daemon would, and let them go. Raises ConfigError with all that refuse."""
    from monitor.assembly import buildable

    buildable(config)


def schema() -> None:
    """The JSON Schema of the configuration file, for editors."""
    from monitor.config import schema as made

    typer.echo(json.dumps(made(), indent=2))


def counts(config: "Config") -> dict[str, int]:
    """How much of everything is configured."""
    integrations = config.integrations.values()
    return {
        "chains": len(config.chains),
        "nodes": sum(len(chain.nodes) for chain in config.chains.values()),
        "integrations": len(config.integrations),
        "shadow": sum(integration.mode == "shadow" for integration in integrations),
        "contracts": sum(len(integration.contracts) for integration in integrations),
        "receivers": len(config.alerts.receivers),
        "tokens": len(config.api.tokens),
    }


def summary(config: "Config") -> str:
    """One line: what a daemon with this configuration would watch and whom it would tell."""
    number = counts(config)
    shadow = f" ({number['shadow']} shadow)" if number["shadow"] else ""
    parts = [
        f"{_many(number['chains'], 'chain')} over {_many(number['nodes'], 'node')}",
        f"{_many(number['integrations'], 'integration')}{shadow} with {_many(number['contracts'], 'contract')}",
        _many(number["receivers"], "receiver"),
        _many(number["tokens"], "token"),
    ]
    return f"ok: {', '.join(parts)}; hash {config.hash}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
