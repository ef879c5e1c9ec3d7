"""Commands about alerts: does this channel really reach somebody, and what did nobody get?"""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from monitor.errors import SeawallError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    alerts = typer.Typer(help="Alerts: try a channel before it is needed, read what no receiver took.", no_args_is_help=True)
    alerts.command("test")(try_out)
    alerts.command("letters")(letters)
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


def letters(
    *,
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration; the outbox lies beside its journal.")],
    most: Annotated[int, typer.Option("--most", min=1, help="So many of the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Read the dead letters: what a receiver refused for good or was dropped in a storm, newest first; the daemon may run."""
    from alerts.outbox import OutboxError, SqliteOutbox
    from alerts.render import clock
    from alerts.text import plain
    from monitor.config import load

    path = Path(load(config).journal.path).parent / "outbox.db"
    box = SqliteOutbox(path)
    try:
        found = box.dead()[:most] if path.exists() else []
    except OutboxError as error:
        raise SeawallError(f"alerts letters: {error}") from None
    finally:
        box.close()
    told = [
        {
            "at": clock(one.entry.notification.at), "receiver": one.entry.receiver, "severity": one.entry.notification.severity,
            "title": one.entry.notification.title, "why": one.why, "attempts": one.entry.attempts,
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"letters": told}))
        return
    for one in told:
        typer.echo(f"{one['at']} {one['receiver']} ({one['severity']}): {plain(str(one['title']))}")
        typer.echo(f"  not delivered: {plain(str(one['why']))}")
    if not told:
        typer.echo("alerts letters: none; every receiver took what it was sent, or is still to")
