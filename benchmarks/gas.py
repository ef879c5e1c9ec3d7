"""Back-test of the gas forecasts against their plain linear baseline, in one run. `python -m benchmarks.gas [--full] [--write]`.

Two `seawall gas replay` processes are fed the same headers, one at a time: the next is not sent before both have answered, so
neither can look ahead. The default window takes a few minutes and prints one JSON object; `--full` learns on 220,000 blocks and
scores 200,000 more; `--write` renders docs/gas.md and its picture. A second, synthetic chain has today's fees, gas limit and
blobs; a third part starts from nothing several times over.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet  # type: ignore[import-untyped] # ships no types
from rich.console import Console
from rich.progress import Progress

from benchmarks.backtest.cold import cold_report
from benchmarks.backtest.held import held_report
from benchmarks.backtest.page import page, picture
from benchmarks.backtest.today import BLOBS_EVERY, blob_report, today_like
from detectors.gas.exact import next_base_fee
from detectors.gas.features import Header
from monitor.gas.score import Tally

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "gas" / "eth_blocks_18320000_19199999.parquet"
COLUMNS = ["block_number", "timestamp", "base_fee_wei", "gas_used", "gas_limit"]
QUICK, FULL = (477_000, 50_000, 9_000), (460_000, 220_000, 200_000)
"""First row, rows to learn on, rows to score."""

FIELDS = ("number", "timestamp", "base_fee", "gas_used", "gas_limit")
MODELS: dict[str, list[str]] = {"seawall": [], "plain": ["--plain"]}
SYNTHETIC = (20_000, 20_000)
PICTURED = 600


def main() -> None:
    """Run, print, and write the document where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--full", action="store_true", help="220,000 blocks to learn on, 200,000 to score")
    parser.add_argument("--write", action="store_true", help="render docs/gas.md and docs/gas.svg")
    given = parser.parse_args()
    if not given.data.exists():
        sys.exit(f"no block headers at {given.data}; name a parquet file with columns {', '.join(COLUMNS)}")
    start, learn, score = FULL if given.full else QUICK
    table = parquet.read_table(given.data, columns=COLUMNS).slice(start, learn + score)
    headers = [Header(*row) for row in zip(*(table[column].to_pylist() for column in COLUMNS), strict=True)]
    begun, worked = time.monotonic(), cpu_seconds()
    mainnet = run("mainnet", headers, learn)
    took = {"seconds": round(time.monotonic() - begun), "cpu_seconds": round(cpu_seconds() - worked)}
    modern, blobs = today_like(sum(SYNTHETIC))
    today = run("today", modern, SYNTHETIC[0], {"seawall": []})
    report = {
        "benchmark": "gas", "first_block": headers[0].number, "learned": learn, "scored": score,
        "command": "python -m benchmarks.gas" + " --full" * given.full, "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "mainnet": mainnet.report, "misrecorded": misrecorded(headers[learn - 1 :]), **took, "answer_ms": mainnet.latency,
        "today": today.report["seawall"], "blobs": rounded(blob_report(blobs, today.sampled)),
        "cold": rounded(cold_report(headers)), "held": held_report(headers),
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")
    if given.write:
        (ROOT / "docs" / "gas.svg").write_text(picture(mainnet.pictured))
        (ROOT / "docs" / "gas.md").write_text(page(report))


class Run:
    """What one chain gave: reports by model, milliseconds an answer took, a stretch to draw, and some answers by row."""

    def __init__(
        self, report: dict[str, Any], latency: dict[str, float], pictured: list[list[float]], sampled: dict[int, Any]
    ) -> None:
        self.report, self.latency, self.pictured, self.sampled = report, latency, np.array(pictured), sampled


def run(name: str, headers: Sequence[Header], learn: int, models: dict[str, list[str]] = MODELS) -> Run:
    """Feed every model the same headers in lock-step: all are asked, then all answer."""
    children = {model: child(options) for model, options in models.items()}
    tallies = {model: Tally(len(headers)) for model in models}
    took = np.full(len(headers), np.nan)
    pictured: list[list[float]] = []
    sampled: dict[int, Any] = {}
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task(name, total=len(headers))
        for row, header in enumerate(headers):
            line = json.dumps(dict(zip(FIELDS, fields(header), strict=True)))
            asked = time.perf_counter()
            for process in children.values():
                ask(process, line)
            for model, process in children.items():
                answer = told(process, line)
                if model == "seawall":
                    took[row] = 1e3 * (time.perf_counter() - asked)
                if row >= learn:
                    parsed = json.loads(answer)
                    tallies[model].take(row, parsed)
                    if model == "seawall" and len(pictured) < PICTURED:
                        pictured.append([header.base_fee / 1e9, *parsed["f"]["50"]])
                    if model == "seawall" and row % BLOBS_EVERY == 0:
                        sampled[row] = parsed
            if row % 500 == 0:
                progress.update(bar, completed=row)
    for process in children.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
    fee = np.array([header.base_fee / 1e9 for header in headers])
    reports = {model: rounded(tally.report(fee, learn)) for model, tally in tallies.items()}
    latency = {str(q): round(float(np.quantile(took[learn:], q)), 3) for q in (0.5, 0.99)}
    return Run(reports, latency, pictured, sampled)


def misrecorded(headers: Sequence[Header]) -> int:
    """Headers from which no gas limit within a 1,024th of their parents' leads to the fee of their child (the last has none)."""
    count = 0
    for parent, header, child in zip(headers, headers[1:], headers[2:], strict=False):
        room = parent.gas_limit // 1_024
        most, least = (next_base_fee(header.base_fee, header.gas_used, parent.gas_limit + step) for step in (-room, room))
        count += not least <= child.base_fee <= most
    return count


def cpu_seconds() -> float:
    """Of this process and all that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def child(options: list[str]) -> subprocess.Popen[str]:
    """A `seawall gas replay` that reads and writes lines."""
    return subprocess.Popen(
        [sys.executable, "-m", "monitor", "gas", "replay", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip


def ask(process: subprocess.Popen[str], line: str) -> None:
    """One line there."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def told(process: subprocess.Popen[str], line: str) -> str:
    """One line back."""
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        sys.exit(f"seawall gas replay ended ({process.poll()}) before it had answered {line}")
    return answer


def fields(header: Header) -> tuple[int, ...]:
    """In the order of the protocol."""
    return header.number, header.timestamp, header.base_fee, header.gas_used, header.gas_limit


def rounded(value: Any) -> Any:  # noqa: ANN401 - a tree of numbers
    """Four digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
