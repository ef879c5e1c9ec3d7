"""Kill -9, again and again: at every failpoint and at any moment, on a disk with room and on a full one; what was said must hold.

`python -m tests.support.kills --rounds 200` prints one JSON object. A round is one life of a desk (`ordered_desk`) on the journal
of the rounds before; every fourth has its disk filled while it runs, and its successor begins on the full disk.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from monitor.journal import failpoints
from monitor.journal.sqlite import SqliteJournal
from tests.support.ordered_desk import NAMES
from tests.support.parts import ROOT, missing

DISK = "4m"
ENOUGH = 1_500_000
"""Bytes after which a fresh journal is begun: the disk is to be full when a round says so, not by itself."""

AT_START = frozenset(("journal.made", "journal.tidied", "mark.drafted", "mark.renamed"))
ON_FULL = frozenset(("reserve.written", "reserve.kept"))


class Tally(msgspec.Struct):
    """What the rounds came to. `lost` are pauses that were acknowledged and gone; every list must stay empty."""

    rounds: int = 0
    acknowledged: int = 0
    on_full_disk: int = 0
    points: dict[str, int] = {}
    lost: list[str] = []
    false_run: list[str] = []
    revisions_back: list[str] = []


class Model:
    """What may be gone, by what was asked and said: holds that must stand, by integration, and revisions that must not sink."""

    def __init__(self) -> None:
        self.must: dict[str, set[str]] = {name: set() for name in NAMES}
        self.revision = dict.fromkeys(NAMES, 0)

    def hear(self, line: dict[str, Any]) -> None:
        """One line of a life."""
        if line.get("asked") == "resume":
            self.must[line["name"]] -= set(line["holds"])
        if line.get("refused") == "resume":
            return
        if line.get("acked") == "pause":
            self.must[line["name"]].add(line["hold"])
        if "acked" in line:
            self.revision[line["name"]] = max(self.revision[line["name"]], line["revision"])

    def judge(self, first: dict[str, Any], tally: Tally) -> None:
        """The first thing that a life says, against all earlier ones."""
        for name, (state, revision) in first["flags"].items():
            there = {*first["holds"][name], *first["owed"]}
            tally.lost += sorted(self.must[name] - there)
            if self.must[name] and state != "pause":
                tally.false_run.append(f"{name}: {state}")
            if revision < self.revision[name]:
                tally.revisions_back.append(f"{name}: {revision} after {self.revision[name]}")


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of four megabytes; needs root."""
    if os.geteuid() != 0:
        missing("root, for a small disk of the test's own; run as root")
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> None:
    """Leave no block free."""
    with (place / "ballast").open("ab", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * size)


def life(path: Path, seed: int, model: Model, tally: Tally, *, full: bool) -> None:
    """One life and its end."""
    chance = random.Random(seed)
    names = sorted(failpoints.NAMES - {"journal.made"} if full else failpoints.NAMES - ON_FULL - {"journal.made"})
    point = names[seed % (len(names) + 3)] if seed % (len(names) + 3) < len(names) else ""
    number = 1 if point in AT_START else chance.randrange(1, 8 if point in ON_FULL else 25)
    env = {**os.environ, failpoints.VARIABLE: f"{point}@{number}"} if point else dict(os.environ)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.ordered_desk", str(path), str(seed)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, cwd=ROOT,
    )  # fmt: skip
    try:
        listen(child, path, chance, model, tally, full=full, patient=bool(point))
    finally:
        child.kill()
        child.wait()
    tally.rounds += 1
    tally.points[point or "any"] = tally.points.get(point or "any", 0) + 1


def listen(
    child: "subprocess.Popen[bytes]", path: Path, chance: random.Random, model: Model, tally: Tally, *, full: bool, patient: bool
) -> None:
    """Hear a life to its end, and bring that about where no failpoint does."""
    assert child.stdout is not None
    heard, last = 0, chance.randrange(3, 60)
    while line := child.stdout.readline():
        if not line.endswith(b"\n"):
            break
        facts = json.loads(line)
        if "flags" in facts:
            model.judge(facts, tally)
        model.hear(facts)
        heard += 1
        tally.acknowledged += facts.get("acked") == "pause"
        tally.on_full_disk += facts.get("acked") == "pause" and not facts["recorded"]
        if full and heard == 4:
            fill(path.parent)
        if heard == (400 if patient else last):
            child.kill()
    child.stdout.close()


def rounds(place: Path, count: int, first: int = 0) -> Tally:
    """So many lives on one journal in this folder of a small disk; then the journal must verify."""
    path, model, tally = place / "journal.db", Model(), Tally()
    for seed in range(first, first + count):
        if seed % 4 != 3:
            (place / "ballast").unlink(missing_ok=True)
        if sum(one.stat().st_size for one in place.glob("journal.db*")) > ENOUGH:
            for old in place.iterdir():
                old.unlink()
            model = Model()
        life(path, seed, model, tally, full=seed % 4 == 2)
    (place / "ballast").unlink(missing_ok=True)
    journal = SqliteJournal.open(path)
    journal.verify()
    journal.close()
    return tally


def main() -> None:
    """Rounds from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder) / "disk") as place:
        tally = rounds(place, given.rounds, given.first)
    sys.stdout.buffer.write(msgspec.json.encode(tally) + b"\n")
    sys.exit(bool(tally.lost or tally.false_run or tally.revisions_back))


if __name__ == "__main__":
    main()
