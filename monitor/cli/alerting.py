"""Commands about alerts: does this channel really reach somebody?"""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from monitor.errors import SeawallError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    alerts = typer.Typer(help="Alerts: try a channel before it is needed.", no_args_is_help=True)
    alerts.command("test")(try_out)
    app.add_typer(alerts, name="alerts")


def try_out(
    receiver: Annotated[str, typer.Argument(help="A receiver of the configuration, by its name.", metavar="CHANNEL")],
    *,
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration, with the environment it will run in.")],
    as_json: AsJson = False,
) -> None:
    """Send one message that is plainly a test, without a daemon, and say what the receiver answered."""
    import asyncio

    from alerts.base import DeliveryFailed
    from alerts.render import trial
    from monitor.assembly import build_channels
    from monitor.config import load

    channels = build_channels(load(config))
    if receiver not in channels:
        raise SeawallError(f"alerts test {receiver}: no receiver is called that; there are: {', '.join(channels) or 'none'}")
    channel = channels[receiver]

    async def send() -> str:
        try:
            return await channel.send(trial(time.time())) or ""
        finally:
            await channel.close()

    began = time.monotonic()
    try:
        said = asyncio.run(send())
    except DeliveryFailed as failure:
        raise SeawallError(
            f"alerts test {receiver}: {failure}; {'correct it, trying again cannot help' if failure.permanent else 'try again'}"
        ) from None
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        typer.echo(json.dumps({"receiver": receiver, "delivered": True, "seconds": seconds, "said": said}))
    else:
        typer.echo(f"alerts test: {receiver} took it in {seconds:g} s{f' ({said})' if said else ''}")
