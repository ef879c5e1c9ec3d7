"""The command line: one file per group of commands, one line per error, and exit codes a script can trust.

0 is success, 1 a failure, 2 wrong usage or a configuration that cannot be used. Importing this costs typer and nothing else:
every command imports what it needs when it runs.
"""

import sys

import typer

from monitor.cli import (
    alerting,
    auditing,
    checking,
    completion,
    examples,
    explaining,
    gas,
    granting,
    init,
    inspecting,
    operating,
    running,
    seasons,
    shadowing,
    showing,
    standing,
    taping,
)
from monitor.errors import ConfigError, SeawallError

GROUPS = (
    showing,
    init,
    running,
    checking,
    inspecting,
    taping,
    operating,
    standing,
    explaining,
    shadowing,
    auditing,
    granting,
    alerting,
    gas,
    seasons,
    completion,
)
"""The modules that have commands; each offers `register(app)`."""

app = typer.Typer(
    name="seawall",
    help="Pauses a DeFi integration before the money is gone.",
    epilog=examples.ENDING,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in GROUPS:
    group.register(app)
examples.show(app)


def main() -> None:
    """Run one command and exit. A SeawallError is one line on stderr and exit 1; configuration problems, a line each, exit 2."""
    try:
        app()
    except ConfigError as error:
        for line in error.problems:
            typer.echo(_line(line), err=True)
        sys.exit(2)
    except SeawallError as error:
        typer.echo(f"seawall: {_line(str(error))}", err=True)
        sys.exit(1)


def _line(text: str) -> str:
    r"""One line that moves no cursor: an error may quote a node.

    >>> _line("no such\nmethod: \x1b[2J")
    'no such method: �[2J'
    """
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))
