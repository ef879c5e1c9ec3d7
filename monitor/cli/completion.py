"""`seawall completion`: the script that teaches a shell the commands and their options."""

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM, VARIABLE = "seawall", "_SEAWALL_COMPLETE"
"""Whom the shell asks, and by which variable it does."""


class Shell(StrEnum):
    """Which shell is taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("completion")(completion)


def completion(context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell that is to read it.")]) -> None:
    """Print a script that completes commands and options: for bash, `source <(seawall completion bash)` in ~/.bashrc.

    zsh: into a file _seawall in a folder of $fpath. fish: into ~/.config/fish/completions/seawall.fish. It asks this very
    program, so it knows every command and option of the version that is installed.
    """
    from typer.completion import shell_complete

    shell_complete(context.find_root().command, {}, PROGRAM, VARIABLE, f"source_{shell.value}")
