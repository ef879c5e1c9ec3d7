"""`seawall token create`: a token for somebody, shown once; the configuration gets its digest."""

import json
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from monitor.errors import ConfigError


class Scope(StrEnum):
    """What a token may be used for."""

    PAUSE = "pause"
    RESUME = "resume"
    AUDIT = "audit"
    RELOAD = "reload"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    token = typer.Typer(name="token", help="Tokens of the admin listener.", no_args_is_help=True)
    token.callback()(_group)
    token.command()(create)
    app.add_typer(token)


def _group() -> None:
    """Tokens of the admin listener."""


def create(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    *,
    scope: Annotated[list[Scope] | None, typer.Option("--scope", help="Several if repeated.", show_default="pause")] = None,
    days: Annotated[float | None, typer.Option("--days", help="How long it opens anything.", min=0.01, max=3660)] = None,
    automated: Annotated[bool, typer.Option("--automated", help="A service holds it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make a token. It is shown once and kept nowhere; put the line with its digest under `api.tokens`, and reload."""
    import re

    from monitor.api.tokens import digest_of, fresh
    from monitor.config.kinds import IDENTIFIER

    if not re.match(IDENTIFIER, name):
        raise ConfigError(
            [f"token create: not a name: {ascii(name)[1:61]}; use lower case letters, digits, dots, dashes, underscores"]
        )
    token = fresh()
    entry: dict[str, object] = {"name": name, "digest": f"sha256:{digest_of(token)}", "scopes": list(scope or [Scope.PAUSE])}
    if days is not None:
        entry["expires"] = datetime.fromtimestamp(time.time() + days * 86400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if automated:
        entry["automated"] = True
    if as_json:
        typer.echo(json.dumps({"token": token, "entry": entry}))
        return
    typer.echo(token)
    typer.echo(f"The token stands above, this once. In the configuration, under api.tokens:\n  - {json.dumps(entry)}", err=True)
