"""Waiting: a bar for the person at a terminal, and not one byte of it where the output is for a machine."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from monitor.cli.waiting import bar
from monitor.demo.anvil import free_port
from tests.support.parts import ROOT, need

CHAIN = '{{id: "eip155:1", nodes: [{{name: first, ws: "ws://127.0.0.1:{port}"}}]}}'


def seen(*arguments: str) -> tuple[str, str]:
    """Standard output, and what standard error showed on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [need("seawall"), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with process:
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the other end is gone
            pass
        assert process.stdout is not None
        told = process.stdout.read()
    os.close(ours)
    return told.decode(), shown.decode()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_doctor_shows_a_person_at_a_terminal_how_far_it_is(tmp_path: Path, options: list[str]) -> None:
    config = tmp_path / "seawall.yaml"
    config.write_text(f"version: 1\nchains: {{main: {CHAIN.format(port=free_port())}}}\n")
    told, shown = seen("doctor", "-c", str(config), *options)
    assert "first" in told
    assert ("asking nodes" in shown) is (not options)


def test_where_standard_error_is_no_terminal_nothing_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with bar("waiting", 3) as advance:
        for _ in range(3):
            advance()
    assert capfd.readouterr() == ("", "")
