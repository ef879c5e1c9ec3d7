"""The command line explains itself: every command says what it does, gives examples that hold, and completes in a real shell."""

import ast
import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli import app, daemon
from monitor.cli.completion import Shell
from monitor.cli.examples import EXAMPLES
from tests.support.parts import ROOT, need


def commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own
    """Every command of the tree by its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name)), command


TREE = dict(commands(typer.main.get_group(app)))
every_command = pytest.mark.parametrize("name", TREE)


@every_command
def test_every_command_and_each_of_its_options_is_explained_with_an_example(name: str) -> None:
    command = TREE[name]
    assert len(command.help or "") > 20
    assert [parameter.name for parameter in command.params if not parameter.help] == []
    assert EXAMPLES.get(name), f"give `seawall {name}` an example in monitor/cli/examples.py"
    assert all(f"$ {line}" in command.epilog for line in EXAMPLES[name])


@every_command
def test_examples_are_taken_as_they_stand(name: str) -> None:
    for line in EXAMPLES[name]:
        words = shlex.split(line)
        known = len(name.split())
        assert words[: 1 + known] == ["seawall", *name.split()]
        TREE[name].make_context(name, words[1 + known :])  # raises a usage error for an option or value that there is not


def test_no_example_is_left_of_a_command_that_is_gone() -> None:
    assert EXAMPLES.keys() == TREE.keys()


def test_help_shows_examples_a_line_each() -> None:
    told = subprocess.run(
        [need("seawall"), "pause", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={"COLUMNS": "120", "TERM": "dumb"},
    )
    lines = [line.strip() for line in told.stdout.splitlines()]
    assert [f"$ {line}" for line in EXAMPLES["pause"] if f"$ {line}" in lines] == [f"$ {line}" for line in EXAMPLES["pause"]]


def test_the_whole_help_names_the_environment_and_the_exit_codes() -> None:
    told = subprocess.run([need("seawall"), "--help"], capture_output=True, text=True, check=True, timeout=30)
    assert {daemon.READ_URL, daemon.ADMIN_URL, daemon.TOKEN} <= set(re.findall(r"SEAWALL_[A-Z_]+", told.stdout))
    assert "2 wrong usage or configuration" in " ".join(told.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [("seawall in", {"init", "inspect"}), ("seawall audit ve", {"verify"}), ("seawall init --outp", {"--output"})],
)
def test_bash_completes_commands_and_options(line: str, offered: set[str]) -> None:
    words = line.split()
    script = f"""
        source <(seawall completion bash)
        COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}
        _seawall_completion seawall
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin"
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30, env={"PATH": path})
    assert set(told.stdout.split()) == offered, told.stderr


@pytest.mark.parametrize("shell", Shell)
def test_each_shell_takes_its_script(shell: Shell, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    made = subprocess.run([need("seawall"), "completion", shell], capture_output=True, text=True, check=True, timeout=30)
    script.write_text(made.stdout)
    assert "_SEAWALL_COMPLETE" in made.stdout
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n", str(script)], check=True, capture_output=True, timeout=30)


def late_imports() -> list[tuple[str, str, str]]:
    """(file, module, name) of every import that a command makes only when it runs."""
    return [
        (path.name, node.module or "", alias.name)
        for path in sorted((ROOT / "monitor" / "cli").glob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def test_what_a_command_imports_when_it_runs_is_there() -> None:
    gone = []
    for file, module, name in late_imports():
        found = importlib.import_module(module)
        if not hasattr(found, name) and importlib.util.find_spec(f"{module}.{name}") is None:
            gone.append((file, module, name))
    assert gone == []
