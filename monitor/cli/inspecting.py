"""Judge recorded executions: `seawall inspect`."""

import gc
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.waiting import bar
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.inspect import Line


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(inspect)


def inspect(
    files: Annotated[list[Path], typer.Argument(help="callTracer, trace_block or seawall.execution JSON; .gz too.")],
    *,
    watch: Annotated[
        list[str] | None, typer.Option(help="A contract that may pause; without any, every contract counts.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a transaction.")] = False,
) -> None:
    """Judge recorded executions with the daemon's own detectors, no node needed. Exit 1 when something could not be judged."""
    from detectors import PlugInError, discover
    from monitor.chains.traces import Words, allow_deep
    from monitor.inspect import Unread, Verdict
    from monitor.inspect import inspect as judge

    watched = _addresses(watch or [])
    allow_deep()
    gc.freeze()  # what was imported outlives every trace; without this each collection walks it again
    gc.set_threshold(500_000)  # traces hold no cycles: they go when they are done with
    try:
        classes = list(discover().values())
    except PlugInError as error:
        raise ConfigError(error.problems) from None
    words, failed = Words(), False
    counts = dict.fromkeys(Verdict, 0)
    with bar("judging", len(files), quiet=sys.stdout.isatty()) as advance:
        for path in files:
            try:
                for line in judge(path, words, watched, classes):
                    counts[line.verdict] += 1
                    failed |= line.verdict is Verdict.UNJUDGED
                    _print(line, as_json=as_json)
            except Unread as error:
                failed = True
                typer.echo(f"seawall: {_plain(str(error))}", err=True)
            advance()
    if not as_json and (total := sum(counts.values())):
        typer.echo(f"{total:,} transactions: " + ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items() if count))
    if failed:
        raise typer.Exit(1)


def _addresses(given: Iterable[str]) -> frozenset[str] | None:
    from monitor.chains.traces.words import is_hex

    wrong = [f"--watch: not an address: {text[:60]!r}" for text in given if len(text) != 42 or not is_hex(text)]
    if wrong:
        raise ConfigError(wrong)
    return frozenset(text.lower() for text in given) or None


def _print(line: "Line", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(line))
        return
    if line.verdict == "clear":
        return
    place = f"{line.frames:7,} frames  {_plain(Path(line.source).name)}  {_plain(line.reason)}"
    typer.echo(f"{line.verdict.upper():9}{_plain(line.tx or '-'):68}{place}".rstrip())
    for found in line.findings:
        typer.echo(f"         {found.confidence:.2f} {found.detector}/{found.kind}: {_plain(found.title)}")
        numbers = ", ".join(f"{_plain(name)} {_plain(str(value))}" for name, value in found.evidence.items())
        typer.echo(f"              victims {', '.join(found.victims)}; {numbers}")


def _plain(text: str) -> str:
    """Text that may come from a chain, on one line and without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)
