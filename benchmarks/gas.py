"""Back-test of the gas forecasts against their plain linear baseline, in one run. `python -m benchmarks.gas [--full] [--write]`.

Two `seawall gas replay` processes are fed the same headers, one at a time: the next is not sent before both have answered, so
neither can look ahead. The default window takes a few minutes and prints one JSON object; `--full` learns on 400,000 blocks and
scores 200,000; `--write` renders docs/gas.md and its picture. A second, synthetic chain has today's fees and gas limit.
"""

import argparse
import json
import math
import os
import random
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

from benchmarks.backtest.page import page, picture
from detectors.gas.exact import MAINNET_BLOBS, blob_base_fee, next_base_fee, next_excess_blob_gas
from detectors.gas.features import Header
from monitor.gas.score import Tally

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "gas" / "eth_blocks_18320000_19199999.parquet"
COLUMNS = ["block_number", "timestamp", "base_fee_wei", "gas_used", "gas_limit"]
QUICK, FULL = (477_000, 50_000, 9_000), (280_000, 400_000, 200_000)
"""First row, rows to learn on, rows to score."""

MODELS = {"seawall": [], "plain": ["--plain"]}
SYNTHETIC = (30_000, 10_000)
PICTURED = 600


def main() -> None:
    """Run, print, and write the document where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--full", action="store_true", help="400,000 blocks to learn on, 200,000 to score")
    parser.add_argument("--write", action="store_true", help="render docs/gas.md and docs/gas.svg")
    given = parser.parse_args()
    if not given.data.exists():
        sys.exit(f"no block headers at {given.data}; name a parquet file with columns {', '.join(COLUMNS)}")
    start, learn, score = FULL if given.full else QUICK
    table = parquet.read_table(given.data, columns=COLUMNS).slice(start, learn + score)
    headers = [Header(*row) for row in zip(*(table[column].to_pylist() for column in COLUMNS), strict=True)]
    mainnet = run("mainnet", headers, learn)
    today = run("today", today_like(sum(SYNTHETIC)), SYNTHETIC[0])
    report = {
        "benchmark": "gas", "first_block": headers[0].number, "learned": learn, "scored": score,
        "mainnet": mainnet.report, "seconds": mainnet.seconds, "answer_ms": mainnet.latency, "today": today.report["seawall"],
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")
    if given.write:
        (ROOT / "docs" / "gas.svg").write_text(picture(mainnet.pictured))
        (ROOT / "docs" / "gas.md").write_text(page(report))


class Run:
    """What one chain gave: reports by model, seconds in all, milliseconds an answer took, and a stretch to draw."""

    def __init__(self, report: dict[str, Any], seconds: float, latency: dict[str, float], pictured: np.ndarray) -> None:
        self.report, self.seconds, self.latency, self.pictured = report, round(seconds), latency, pictured


def run(name: str, headers: Sequence[Header], learn: int) -> Run:
    """Feed every model the same headers in lock-step."""
    begun = time.monotonic()
    children = {model: child(options) for model, options in MODELS.items()}
    tallies = {model: Tally(len(headers)) for model in MODELS}
    took = np.full(len(headers), np.nan)
    pictured: list[list[float]] = []
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task(name, total=len(headers))
        for row, header in enumerate(headers):
            line = json.dumps(
                dict(zip(("number", "timestamp", "base_fee", "gas_used", "gas_limit"), fields(header), strict=True))
            )
            for model, process in children.items():
                asked = time.perf_counter()
                answer = told(process, line)
                if model == "seawall":
                    took[row] = 1e3 * (time.perf_counter() - asked)
                if row >= learn:
                    parsed = json.loads(answer)
                    tallies[model].take(row, parsed)
                    if model == "seawall" and len(pictured) < PICTURED:
                        pictured.append([header.base_fee / 1e9, *parsed["f"]["50"]])
            if row % 500 == 0:
                progress.update(bar, completed=row)
    for process in children.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
    fee = np.array([header.base_fee / 1e9 for header in headers])
    reports = {model: rounded(tally.report(fee, learn)) for model, tally in tallies.items()}
    latency = {str(q): round(float(np.quantile(took[learn:], q)), 3) for q in (0.5, 0.99)}
    return Run(reports, time.monotonic() - begun, latency, np.array(pictured))


def child(options: list[str]) -> subprocess.Popen[str]:
    """A `seawall gas replay` that reads and writes lines."""
    return subprocess.Popen(
        [sys.executable, "-m", "monitor", "gas", "replay", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip


def told(process: subprocess.Popen[str], line: str) -> str:
    """One line there, one line back."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit(f"seawall gas replay ended ({process.poll()}) before it had answered {line}")
    return answer


def fields(header: Header) -> tuple[int, ...]:
    """In the order of the protocol."""
    return header.number, header.timestamp, header.base_fee, header.gas_used, header.gas_limit


def today_like(count: int, seed: int = 0) -> list[Header]:
    """A seeded chain with a base fee under 1 gwei, a gas limit of 60 M and blob fees after EIP-7918, quiet and busy in turns."""
    draw, out = random.Random(seed), []
    fee, limit, busy, demand = 300_000_000, 60_000_000, 0.0, math.log(3e8)
    params, excess = MAINNET_BLOBS[-1], 0
    for number in range(24_000_000, 24_000_000 + count):
        at = 1_770_000_000 + 12 * (number - 24_000_000)
        if draw.random() < 0.003:
            busy = draw.expovariate(1.5)
        busy *= 0.99
        demand += draw.gauss(0, 0.01) + 0.001 * (math.log(3e8) - demand)
        pull = 0.5 + 0.5 * (demand + busy - math.log(fee)) + 0.15 * (number % 25 == 0) + draw.gauss(0, 0.18)
        used = int(limit * min(max(pull, 0.0), 1.0))
        out.append(Header(number, at, fee, used, limit))
        excess = next_excess_blob_gas(excess, draw.randint(0, params.most) * 2**17, fee, params)
        assert blob_base_fee(excess, params) >= 1
        fee = next_base_fee(fee, used, limit)
    return out


def rounded(value: Any) -> Any:  # noqa: ANN401 - a tree of numbers
    """Four digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
