"""Makes the committed Grafana dashboards and the list of metrics: `python -m dashboards.generate`. The JSON is the artefact."""

import sys
from collections.abc import Iterator
from pathlib import Path

from dashboards import breaker, chains, detectors, gas, itself, overview, reference
from dashboards.layout import Board, made

BOARDS: tuple[Board, ...] = (overview.BOARD, detectors.BOARD, breaker.BOARD, gas.BOARD, chains.BOARD, itself.BOARD)


def artefacts() -> Iterator[tuple[Path, str]]:
    """Every committed file that is made here, with what it must hold."""
    for board in BOARDS:
        yield board.path, made(board)
    yield reference.PATH, reference.page(BOARDS)


def main() -> None:
    """Write the files; with `--check` only say whether they are up to date."""
    for path, text in artefacts():
        if "--check" not in sys.argv:
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"{path.name} is out of date: run `make docs`")


if __name__ == "__main__":
    main()
