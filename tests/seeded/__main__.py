"""Plant each kept bug in a copy of the tree and see that the tests find it. `python -m tests.seeded [PART OF A NAME]`.

The scheme is etcd's: a harness that cannot find the old bugs again is not to be believed about new ones.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
_PARTS = ("monitor", "detectors", "alerts", "tests", "dashboards", "examples", "pyproject.toml", "seawall.schema.json")


class Bug(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One planted bug, and the test files (under tests/monitor) that must find it: few, fast, and starting no other program."""

    name: str
    file: str
    was: str
    becomes: str
    tests: list[str]


def bugs() -> list[Bug]:
    """All that are kept."""
    kept = tomllib.loads((Path(__file__).parent / "bugs.toml").read_text())
    return [msgspec.convert({"tests": kept["tests"][bug["file"]]} | bug, Bug) for bug in kept["bug"]]


def planted(bug: Bug) -> str:
    """The file with the bug in it. Raises ValueError when the code has moved on and the bug must be planted anew."""
    text = (ROOT / bug.file).read_text()
    if text.count(bug.was) != 1:
        raise ValueError(f"{bug.name}: its place in {bug.file} is there {text.count(bug.was)} times, once is needed")
    return text.replace(bug.was, bug.becomes)


def found(bug: Bug, tree: Path) -> bool:
    """Does a test fail with this bug in the copied tree?"""
    place = tree / bug.file
    honest = place.read_text()
    place.write_text(planted(bug))
    try:
        tests = [f"tests/monitor/{name}" for name in bug.tests]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=600, check=False)
    finally:
        place.write_text(honest)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{bug.name}: pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


def main() -> None:
    """Plant, test, tell; one JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wanted", nargs="?", default="", help="only the bugs whose names contain this")
    wanted = parser.parse_args().wanted
    alive = []
    chosen = [bug for bug in bugs() if wanted in bug.name]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in _PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, tree / part)
        for number, bug in enumerate(chosen, 1):
            began = time.monotonic()
            caught = found(bug, tree)
            alive += [] if caught else [bug.name]
            sys.stderr.write(
                f"{number}/{len(chosen)} {'found' if caught else 'ALIVE'} in {time.monotonic() - began:4.1f} s: {bug.name}\n"
            )
    sys.stdout.write(json.dumps({"bugs": len(chosen), "found": len(chosen) - len(alive), "alive": alive}) + "\n")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
