"""Waiting: a bar for the person at a terminal, and not one byte for whoever reads the output by machine."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from monitor.demo.anvil import free_port
from tests.support.parts import ROOT, need

CHAIN = '{{id: "eip155:1", nodes: [{{name: first, ws: "ws://127.0.0.1:{port}"}}]}}'


def seen(arguments: list[str], *, terminal: bool) -> tuple[str, str]:
    """Standard output, and what standard error showed, as a terminal or as a pipe."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [need("seawall"), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    told, shown = b"", b""
    with process:
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # a terminal whose other end is gone
            pass
        assert process.stdout is not None
        told = process.stdout.read()
    os.close(ours)
    return told.decode(), shown.decode()


@pytest.mark.slow
@pytest.mark.parametrize(("terminal", "options"), [(True, []), (True, ["--json"]), (False, [])])
def test_the_doctor_shows_how_far_it_is_to_a_person_alone(tmp_path: Path, *, terminal: bool, options: list[str]) -> None:
    config = tmp_path / "seawall.yaml"
    config.write_text(f"version: 1\nchains: {{main: {CHAIN.format(port=free_port())}}}\n")
    told, shown = seen(["doctor", "-c", str(config), *options], terminal=terminal)
    assert "first" in told
    assert ("asking nodes" in shown) is (terminal and not options)
    assert shown == "" or terminal
