"""The thirteen real blocks, all honest as far as anybody knows: what is said of them."""

from collections import Counter
from pathlib import Path

import msgspec

from monitor.chains.traces import Words, allow_deep
from monitor.inspect import inspect
from tests.support.parts import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "blocks"


class Blocks(msgspec.Struct):
    """`verdicts` by kind, `said` at a warning or above; no files: the recordings are not beside the project."""

    files: int = 0
    transactions: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    said: Counter[str] = msgspec.field(default_factory=Counter)
    micros: list[float] = []


def judged(folder: Path = FOLDER) -> Blocks:
    """Judge every file as `seawall inspect` does, with every contract counting as watched."""
    made, words = Blocks(), Words()
    allow_deep()
    for path in sorted(folder.glob("*.json.gz")):
        made.files += 1
        for line in inspect(path, words):
            made.transactions += 1
            made.verdicts[line.verdict] += 1
            made.micros.append(line.micros)
            made.said.update(f"{shown.detector} {shown.kind}" for shown in line.findings if shown.severity != "info")
    return made
