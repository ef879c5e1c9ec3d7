"""Commands for the person on call: read the flags, pause, resume, ask after the daemon's health."""

import json
import sys
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import daemon
from monitor.errors import SeawallError

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"run": "green", "pause": "bold red", "unknown": "bold yellow"}
TRIES_AGAIN_AFTER = 2.0

Url = Annotated[str | None, typer.Option("--url", help="The daemon's read address; also SEAWALL_URL.", metavar="URL")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the journal and shown to every reader.")]
Actor = Annotated[str | None, typer.Option("--as", help="Who orders it, if not the token's owner.", metavar="NAME")]
Integration = Annotated[str, typer.Argument(help="The integration's id.")]
Scope = Annotated[str, typer.Argument(help="The integration's id; or chain:ID, contract:ADDRESS, everything.")]
Seen = Annotated[int | None, typer.Option("--revision", help="Only if this is still the flag's revision.")]
Glass = Annotated[bool, typer.Option("--break-glass", help="Alone, though it takes two; everybody is paged.")]
Share = Annotated[float, typer.Option("--share", help="Traffic that passes under throttle.", min=0, max=1)]


class Level(StrEnum):
    """How much a pause takes away: the breaker's own levels, too much to load for a help text; a test holds them equal."""

    THROTTLE = "throttle"
    EXITS_ONLY = "exits_only"
    PAUSE = "pause"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (flags, pause, resume, override, approve, ack, health):
        app.command()(command)


def flags(
    *,
    url: Url = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow every change.")] = False,
    as_json: AsJson = False,
) -> None:
    """May each integration be used right now?"""
    base = daemon.read_base(url)
    if not watch:
        _show_flags(daemon.get(base, "/v1/flags"), as_json=as_json)
        return
    while True:
        try:
            for _ in daemon.changes(base):
                _show_flags(daemon.get(base, "/v1/flags"), as_json=as_json)
        except SeawallError as error:
            typer.echo(f"seawall: out of sight, every flag is unknown: {_plain(str(error))}; trying again", err=True)
        time.sleep(TRIES_AGAIN_AFTER)


def pause(
    integration: Scope,
    *,
    reason: Reason,
    level: Annotated[Level, typer.Option("--level", help="How much is taken away.")] = Level.PAUSE,
    share: Share = 0.1,
    ttl: Annotated[float | None, typer.Option("--ttl", help="Seconds after which it must be reviewed.", min=1, max=86400)] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Pause an integration, a chain or everything now; only a person can release it."""
    body: dict[str, object] = {"reason": reason, "ttl": ttl, "actor": actor, "level": level, "share": share}
    _show_done("pause", daemon.order(integration, "pause", body), as_json=as_json)


def resume(
    integration: Scope,
    *,
    reason: Reason,
    revision: Seen = None,
    actor: Actor = None,
    glass: Glass = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Release every hold on an integration; refused if its state changes in between. A critical one takes a second person."""
    seen = None if revision is None and _wide(integration) else _revision("resume", integration, revision, url)
    body = {"reason": reason, "actor": actor, "break_glass": glass}
    _show_done("resume", daemon.order(integration, "resume", body, seen), as_json=as_json)


def override(
    integration: Integration,
    *,
    reason: Reason,
    ttl: Annotated[float, typer.Option("--ttl", help="Seconds until the protection is back.", min=1, max=86400)],
    revision: Seen = None,
    actor: Actor = None,
    glass: Glass = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Bypass the protection of an integration for a while: what detectors find is told, and pauses nothing."""
    seen = _revision("override", integration, revision, url)
    body = {"reason": reason, "ttl": ttl, "actor": actor, "break_glass": glass}
    _show_done("override", daemon.order(integration, "override", body, seen), as_json=as_json)


def approve(
    request: Annotated[str, typer.Argument(help="What resume or override printed when it asked for a second person.")],
    *,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Be the second person of a resume or an override; the token must be another one."""
    _show_done("approve", daemon.approve(request, {"actor": actor}), as_json=as_json)


def ack(
    incident: Annotated[str, typer.Argument(help="The incident's id, as the alert or /v1/incidents names it.")],
    *,
    note: Annotated[str, typer.Option("--note", help="What you are about to do.")] = "",
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Take up an incident: it changes no flag, and how long it took is counted. Whoever is first stays named."""
    done = daemon.acknowledge(incident, {"actor": actor, "note": note})
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(_plain(f"ack: {done.get('integration')} was taken up by {done.get('by')}"))


def health(
    *,
    url: Url = None,
    ready: Annotated[bool, typer.Option("--ready", help="Ask also whether it is ready to serve.")] = False,
    as_json: AsJson = False,
) -> None:
    """Is the daemon alive? Exit 0 if so. Blind is alive: its flags say unknown."""
    base = daemon.read_base(url)
    report = {name: _asked(base, name) for name in (("healthy", "ready") if ready else ("healthy",))}
    if as_json:
        typer.echo(json.dumps(report))
    else:
        for name, facts in report.items():
            rest = ", ".join(f"{key} {value}" for key, value in facts.items() if key != "ok")
            typer.echo(_plain(f"{name if facts.get('ok') else 'not ' + name}{': ' + rest if rest else ''}"))
    if not all(facts.get("ok") for facts in report.values()):
        raise typer.Exit(1)


def _wide(scope: str) -> bool:
    """Is this more than one integration?"""
    return scope == "everything" or ":" in scope


def _revision(action: str, integration: str, given: int | None, url: str | None) -> int:
    """The revision an order is for: the one given, else the one the daemon shows now."""
    if given is not None:
        return given
    known = {flag.get("integration"): flag for flag in _flags_of(daemon.get(daemon.read_base(url), "/v1/flags"))}
    if integration not in known:
        raise SeawallError(f"{action} {integration}: no such integration; known: {', '.join(map(str, known)) or 'none'}")
    return int(known[integration]["revision"])


def _asked(base: str, name: str) -> daemon.Facts:
    """A health report; the daemon says 503 when the answer is no, and the report is then the answer all the same."""
    try:
        return daemon.get(base, f"/-/{name}")
    except daemon.Refused as refused:
        if refused.status == 503 and "ok" in refused.facts:
            return refused.facts
        raise


def _flags_of(facts: daemon.Facts) -> list[daemon.Facts]:
    flags = facts.get("flags")
    if not isinstance(flags, list):
        raise SeawallError("GET /v1/flags: no list of flags came back; is this Seawall?")
    return [flag for flag in flags if isinstance(flag, dict)]


def _show_flags(facts: daemon.Facts, *, as_json: bool) -> None:
    shown = _flags_of(facts)
    if as_json:
        typer.echo(json.dumps(facts))
        sys.stdout.flush()
        return
    from rich.console import Console

    Console().print(_table(shown, time.time()))


def _table(shown: Iterable[daemon.Facts], now: float) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("integration", "state", "for", "revision", "head", "reason"):
        table.add_column(column, overflow="fold")
    for flag in shown:
        state, head = str(flag.get("state")), flag.get("observed_block") or {}
        table.add_row(
            Text(_plain(str(flag.get("integration")))),
            Text(_plain(state), style=COLOURS.get(state, "bold yellow")),
            _age(now - float(flag["since"])) if flag.get("since") else "",
            str(flag.get("revision")),
            f"{head.get('number', '')}",
            Text(_plain(str(flag.get("reason") or ""))),
        )
    return table


def _show_done(action: str, done: daemon.Facts, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done))
        return
    if "approval" in done:
        left = float(done["expires_at"]) - time.time()
        typer.echo(_plain(f"{action}: {done['integration']} is critical and takes a second person, within {_age(left)}:"))
        typer.echo(_plain(f"  seawall approve {done['approval']}"))
        return
    if "scope" in done:
        for one in done["integrations"]:
            _show_done(action, one, as_json=False)
        return
    owed = "; shown to every reader, not yet in the journal" if done.get("pending") else ""
    typer.echo(_plain(f"{action}: {done.get('integration')} says {done.get('state')}, revision {done.get('revision')}{owed}"))


def _age(seconds: float) -> str:
    """How long something has lasted, in the largest unit that fits.

    >>> _age(5.2), _age(600), _age(7300), _age(1e6)
    ('5 s', '10 min', '2 h', '11 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _plain(text: str) -> str:
    """Text that cannot move a terminal's cursor: reasons may quote a chain."""
    from alerts.text import plain

    return plain(text, 2000)
