"""A newcomer's first hour, by the clock: `python -m tests.newcomer` goes from a fresh clone to the first flag, as a person would.

It clones what is committed, installs it, starts the show until a flag can be read, and then walks the newcomer's own path
(`tests/test_newcomer.py`): a contract of one's own, `init`, the daemon, the first flag. Prints one JSON object with the seconds
of each step. Needs what `make setup` needs: an index for pip and npm.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
WITHIN = 1800.0
"""Seconds that installing may take."""

SHOWN_WITHIN = 180.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def main() -> int:
    """Walk it; exit 1 when a step does not hold."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="seawall-newcomer-") as folder:
        clone = Path(folder) / "seawall"
        steps: dict[str, Callable[[], object]] = {
            "clone": lambda: run("git", "clone", "--quiet", str(ROOT), str(clone), within=120),
            "setup": lambda: run("make", "setup", at=clone, within=WITHIN),
            "demo": lambda: show(clone),
            "own": lambda: run(".venv/bin/python", "-m", "pytest", "-q", "tests/test_newcomer.py", at=clone, within=300),
        }
        for name, step in steps.items():
            began = time.monotonic()
            try:
                told[name] = step() or {}
            except (subprocess.SubprocessError, AssertionError) as error:
                told["failed"] = {"step": name, "why": str(error), "output": str(getattr(error, "output", ""))[-2000:]}
                break
            finally:
                told[f"{name}_seconds"] = round(time.monotonic() - began, 1)
    told["seconds"] = round(sum(value for name, value in told.items() if name.endswith("_seconds")), 1)
    sys.stdout.write(json.dumps(told) + "\n")
    return int("failed" in told)


def run(*command: str, at: Path = ROOT, within: float) -> None:
    """A command as a person types it: no settings of Seawall's, nothing of this very checkout. Raises when it fails."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SEAWALL", "VIRTUAL_ENV", "PYTHON"))}
    subprocess.run(
        command, cwd=at, env=own, timeout=within, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def show(clone: Path) -> dict[str, Any]:
    """`make demo` until its flags can be read by plain HTTP, then Ctrl-C. Raises AssertionError when none can."""
    with subprocess.Popen(
        ["make", "demo"], cwd=clone, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        watch = time.monotonic()
        try:
            for line in demo.stdout:
                assert time.monotonic() - watch < SHOWN_WITHIN, "the show does not say where it is"
                if found := _ADDRESS.search(line):
                    with urllib.request.urlopen(f"{found[0]}/v1/flags", timeout=10) as answer:  # noqa: S310 - our own, on loopback
                        return {"flags": sorted(flag["integration"] for flag in json.loads(answer.read())["flags"])}
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            try:
                demo.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(demo.pid, signal.SIGKILL)
    raise AssertionError("the show ended before it said where its flags are")


if __name__ == "__main__":
    sys.exit(main())
