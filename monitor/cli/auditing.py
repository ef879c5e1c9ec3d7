"""`seawall audit`: is the journal what was written, what is in it, and putting the old part of it away."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.journal.base import Draft, Record

BIG = 20_000
"""Records from which a person waits long enough to want to see how far it is."""

File = Annotated[
    Path | None, typer.Argument(help="The journal; by default the configuration's.", metavar="JOURNAL", show_default=False)
]
ConfigFile = Annotated[Path | None, typer.Option("-c", "--config", help="The configuration file.", show_default=False)]
Key = Annotated[
    str | None, typer.Option("--key", help="Public key (hex) that checkpoints must be signed with.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Report = Callable[[int, int], None]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    audit = typer.Typer(name="audit", help="The journal: verify it, export it, archive it.", no_args_is_help=True)
    audit.callback()(_group)
    for command in (verify, export, archive):
        audit.command()(command)
    app.add_typer(audit)


def _group() -> None:
    """The journal: verify it, export it, archive it."""


def verify(
    journal: File = None,
    *,
    config: ConfigFile = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Checkpoints kept elsewhere; by default those beside the journal.", show_default=False)
    ] = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash and compare it with every checkpoint. Only reads; the daemon may run. Exit 1 if it is broken."""
    import msgspec

    from monitor.journal import audit
    from monitor.journal import checkpoints as kept

    path, public = _place(journal, config), _public(key, config)
    lines = kept.read(checkpoints or kept.file(path))
    with _progress(quiet=as_json) as progress:
        report = audit.verify(path, lines, _genuine(public), progress)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    elif report.ok:
        signed = "" if report.signed is None else " signed by the key"
        typer.echo(
            f"ok: {report.records} records, {report.first} to {report.head}, {report.checkpoints} checkpoints{signed}; "
            f"the last hash is {report.hash}"
        )
    else:
        from alerts.text import plain

        typer.echo(f"broken: {plain(report.problem, 500)}", err=True)
    if not report.ok:
        raise typer.Exit(1)


def export(
    journal: File = None,
    *,
    config: ConfigFile = None,
    start: Annotated[int, typer.Option("--from", help="First sequence.", min=0)] = 0,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Only these kinds.", show_default=False)] = None,
) -> None:
    """Every record as a line of JSON on stdout, its body as it was hashed; verifies on the way. Exit 1 if it is broken."""
    import msgspec

    from monitor.api.audit import shape
    from monitor.journal import audit
    from monitor.journal.base import follow

    def written(records: Iterable["Record"]) -> "Iterator[Record]":
        for record in records:
            if record.sequence >= start and (not kind or record.kind in kind):
                sys.stdout.buffer.write(msgspec.json.encode(shape(record)) + b"\n")
            yield record

    with audit.opened(_place(journal, config)) as reading, _progress(quiet=sys.stdout.isatty()) as progress:
        follow(written(reading.records(0, progress)), reading.epoch, reading.base)
    sys.stdout.buffer.flush()


def archive(
    *,
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="The archive's name; it must not exist.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Put all records away under another name and go on behind them. The daemon must not run meanwhile."""
    from monitor.config import load
    from monitor.journal.archive import archive as put_away
    from monitor.opening import signer_of

    loaded = load(config)
    signer = signer_of(loaded)
    sign = signer.document if signer is not None else _unsigned
    records, line = put_away(Path(loaded.journal.path), to, lambda old: _state(loaded, old), time.time(), sign)
    if as_json:
        typer.echo(json.dumps({"archived": records, "to": str(to), "checkpoint": json.loads(line)}))
    else:
        typer.echo(f"archived {records} records to {to}; keep this with it: {line.decode()}")


def _unsigned(document: bytes) -> bytes:
    return document


def _state(config: "Config", records: "Iterable[Record]") -> "Draft":
    """All of them folded, as the one record that the journal goes on from."""
    from monitor.breaker.fold import Fold, Whole
    from monitor.breaker.holds import Mode
    from monitor.journal.base import Draft, encode

    fold = Fold({name: Mode.ENFORCE if one.enforced else Mode.SHADOW for name, one in config.integrations.items()})
    for record in records:
        fold.apply_record(record.kind, record.body, record.sequence)
    return Draft(kind=Whole.kind, at=time.time(), by="archive", body=encode(fold.whole()))


def _place(journal: Path | None, config: Path | None) -> Path:
    from monitor.config import load

    if journal is not None:
        return journal
    if config is None:
        raise ConfigError(["audit: name the journal's file, or a configuration with -c"])
    return Path(load(config).journal.path)


def _public(key: str | None, config: Path | None) -> bytes | None:
    """The key that is trusted: the one given, else the configuration's own."""
    from monitor.config import load
    from monitor.opening import signer_of

    if key is not None:
        try:
            public = bytes.fromhex(key)
        except ValueError:
            public = b""
        if len(public) != 32:
            raise ConfigError([f"--key: a public key is 32 bytes in hex, as GET /v1/keys tells it; not {len(key)} characters"])
        return public
    signer = signer_of(load(config)) if config is not None else None
    return signer.public if signer is not None else None


def _genuine(public: bytes | None) -> Callable[[bytes], bool] | None:
    from monitor.api.signing import genuine

    return None if public is None else lambda line: genuine(line, public)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Report]:
    """A bar on a terminal's stderr for a big file; nothing otherwise."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("records", total=None, visible=False)
        yield lambda done, every: bars.update(bar, completed=done, total=every, visible=every >= BIG)
