"""`seawall init`: a configuration drafted from addresses and a node, so that the first flag is minutes away."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.waiting import bar
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.survey import Draft, Setting, Wanted

MOST = 500
"""Addresses in one draft."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    addresses: Annotated[
        list[str] | None, typer.Argument(help="Contracts to watch, as ADDRESS or NAME=ADDRESS.", metavar="[NAME=]ADDRESS")
    ] = None,
    *,
    node: Annotated[
        str | None,
        typer.Option(help="The node's WebSocket URL; one that carries a key as ${VARIABLE} or file:PATH.", metavar="URL"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="More addresses, one a line, # begins a comment; - is standard input.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The configuration's file; - is standard output.")] = Path(
        "seawall.yaml"
    ),
    chain: Annotated[
        str | None, typer.Option(help="Which chain the node must serve, like eip155:1; else whichever it serves.")
    ] = None,
    mode: Annotated[Literal["shadow", "enforce"], typer.Option(help="Decide only, or turn the flag too.")] = "shadow",
    read: Annotated[str, typer.Option(help="Where flags are to be read.", metavar="HOST:PORT")] = "127.0.0.1:8080",
    admin: Annotated[str, typer.Option(help="Where orders are to be taken.", metavar="HOST:PORT")] = "127.0.0.1:8081",
    journal: Annotated[
        Path | None, typer.Option(help="The journal's file; else seawall-data/journal.db beside the output.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write a commented configuration for these contracts: what each is, by whom it can be exchanged, what it holds.

    The node is asked at one block; nothing is sent. A pair or pool of Uniswap V2 and V3, a pool of Curve, an ERC-4626 vault,
    an ERC-20 token, and proxies (EIP-1967, beacons, EIP-1822, minimal) with whoever may exchange their code are recognised;
    what is not is said and watched for what it holds. The result passes `seawall check`.
    """
    import asyncio

    from monitor.errors import NodeError
    from monitor.survey import Places, draft, visit

    place, url = _node(node or _asked("The node's WebSocket URL", "--node"), chain, output.parent)
    wanted = _wanted([*(addresses or ()), *_listed(file)] or _asked("Addresses to watch", "ADDRESS").split())
    _free(output, force=force)
    try:
        with bar("looking at contracts", len(wanted), quiet=as_json) as advance:
            setting, found = asyncio.run(visit(url, wanted, chain=chain, done=lambda _: advance()))
    except NodeError as error:
        raise ConfigError([f"--node: {error}"]) from None
    if not any(one.watchable for one in found):
        raise ConfigError([f"{one.address}: {'; '.join(one.notes)}" for one in found])
    hidden = place is None
    place = place or f"${{{setting.name.upper().replace('-', '_')}_WS}}"
    kept = journal or (Path() if output == Path("-") else output.parent) / "seawall-data" / "journal.db"
    places = Places(node=place, journal=str(kept.absolute()), read=read, admin=admin, mode=mode)
    made = draft(setting, found, places, [one.name for one in wanted])
    _proven(made.text, output, place, url)
    _write(made.text, output, force=force)
    _tell(setting, made, output, place, hidden=hidden, as_json=as_json)


def _asked(what: str, flag: str) -> str:
    """Ask whoever sits there; nobody there is an error. Raises ConfigError."""
    if not sys.stdin.isatty():
        raise ConfigError([f"{flag}: missing, and nobody is there to be asked; seawall init --help has examples"])
    return str(typer.prompt(what))


def _node(text: str, chain: str | None, folder: Path) -> tuple[str | None, str]:
    """How the configuration is to name the node (None: by a variable, since it may carry a key), and its URL."""
    import re

    from monitor.config.kinds import CHAIN_ID, NodeUrl, Sources

    if chain is not None and not re.match(CHAIN_ID, chain):
        raise ConfigError([f"--chain: not a chain id: {ascii(chain)[1:61]}; write it as CAIP-2 does, like eip155:1"])
    sources = Sources(os.environ, folder)
    try:
        return text, NodeUrl.read(text, sources).reveal()
    except ValueError as error:
        if "may carry a key" in str(error):
            return None, text
        advice = "; Seawall needs the node's WebSocket, often the same host with ws(s)://" if text.startswith("http") else ""
        raise ConfigError([f"--node: {error}{advice}"]) from None


def _listed(file: Path | None) -> Iterator[str]:
    if file is None:
        return
    try:
        text = sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"--file {file}: cannot be read: {why}"]) from error
    yield from (word for line in text.splitlines() for word in line.partition("#")[0].split())


def _wanted(words: Sequence[str]) -> "list[Wanted]":
    """The addresses, each once. Raises ConfigError with every one that is none."""
    import re

    from monitor.config.checks import VIEWS
    from monitor.config.kinds import IDENTIFIER, address
    from monitor.survey import Wanted

    found: dict[str, Wanted] = {}
    problems, names = [], set[str]()
    for word in words:
        name, _, text = word.rpartition("=")
        try:
            place = address(text)
        except ValueError as error:
            problems.append(f"ADDRESS: {error}")
            continue
        if name and (not re.match(IDENTIFIER, name) or name.rpartition(".")[2] in VIEWS):
            problems.append(
                f"ADDRESS: not a name: {ascii(name)[1:61]}; use lower case letters, digits, dots, dashes, underscores"
            )
        elif name in names:
            problems.append(f"ADDRESS: two are called {name}")
        elif place in found and found[place].name != name:
            problems.append(f"ADDRESS: {place} stands twice, under two names")
        found[place] = Wanted(place, name)
        names |= {name} - {""}
    if len(found) > MOST:
        problems.append(f"ADDRESS: {len(found)} addresses; {MOST} at most in one draft")
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def _free(output: Path, *, force: bool) -> None:
    """May it be written? Asked before the node is, so that nobody waits for a no. Raises ConfigError."""
    if output == Path("-"):
        return
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ConfigError([f"--output {output}: {'a folder' if output.is_dir() else 'its folder does not exist'}; name a file"])
    if output.exists() and not force:
        raise ConfigError([f"--output {output}: there is one already; name another, or write over it with --force"])


def _proven(text: str, output: Path, place: str, url: str) -> None:
    """What is not a configuration that `run` would take is never written."""
    from monitor.cli.checking import built
    from monitor.config import parse
    from monitor.errors import SeawallError

    known = {**os.environ, place[2:-1]: url} if place.startswith("${") else os.environ
    try:
        built(parse(text, str(output.absolute()), known))
    except ConfigError as error:
        raise SeawallError(
            f"init: the draft is no configuration, which is a mistake of ours: {'; '.join(error.problems)}"
        ) from error


def _write(text: str, output: Path, *, force: bool) -> None:
    if output == Path("-"):
        typer.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        _free(output, force=False)
    except OSError as error:
        raise ConfigError([f"--output {output}: cannot be written: {error.strerror}"]) from error


def _tell(setting: "Setting", made: "Draft", output: Path, place: str, *, hidden: bool, as_json: bool) -> None:
    """What was found, on stderr where the draft itself is on stdout."""
    import msgspec

    aside = output == Path("-")
    if as_json:
        integrations = {name: msgspec.to_builtins(one) for name, one in made.integrations.items()}
        left = [msgspec.to_builtins(one) for one in made.left_out]
        facts = {"output": str(output), "chain": setting.id, "block": setting.at.height, "node": place}
        typer.echo(json.dumps({**facts, "integrations": integrations, "left_out": left}), err=aside)
        return
    for name, one in made.integrations.items():
        typer.echo(f"{'?' if one.unknown else ' '} {name}: {one.kind} {one.address}", err=aside)
        typer.echo("".join(f"      {note}\n" for note in one.notes), nl=False, err=aside)
    for one in made.left_out:
        typer.echo(f"! left out: {one.address}: {'; '.join(one.notes)}", err=aside)
    if hidden:
        typer.echo(f"  the node's URL stands nowhere: it may carry a key. Set {place[2:-1]} before you go on.", err=True)
    if not aside:
        typer.echo(f"{output} is written. Next: seawall check {output}; seawall doctor -c {output}; seawall run -c {output}")
