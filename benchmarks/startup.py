"""What starting the streaming process costs, against importing everything the project depends on. `python -m benchmarks.startup`.

Both are fresh interpreters, alternated; CPU seconds (user + system) and peak memory come from the operating system's own
accounting of each finished process. Both have their byte code, as an installation has it. Goal: at most 1/5 of the CPU and 1/3
of the memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from benchmarks.compiled import compiled

ROUNDS = 7
STREAMING = "import monitor.app"
EVERYTHING = (
    "import websockets, web3, numpy, statsmodels.api, prometheus_client, aiohttp.web, sentry_sdk, msgspec, yaml, eth_abi, "
    "eth_utils, typer, rich, structlog, standardwebhooks"
)


def cost(code: str) -> tuple[float, float]:
    """CPU seconds and peak MiB of a fresh interpreter that runs this code and nothing else."""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{code}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Alternate the two, compare round by round, print one JSON object."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with compiled():
        for code in (STREAMING, EVERYTHING):
            cost(code)  # both warm: byte code made, files in the page cache
        rounds = [(cost(STREAMING), cost(EVERYTHING)) for _ in range(ROUNDS)]
    cpu = sorted(ours[0] / card[0] for ours, card in rounds)
    memory = sorted(ours[1] / card[1] for ours, card in rounds)
    report = {
        "benchmark": "startup", "rounds": ROUNDS,
        "cpu_ratio": {"median": round(statistics.median(cpu), 4), "min": round(cpu[0], 4), "max": round(cpu[-1], 4), "goal": 0.2},
        "memory_ratio": {
            "median": round(statistics.median(memory), 4), "min": round(memory[0], 4), "max": round(memory[-1], 4), "goal": 0.3333
        },
        "streaming": {
            "cpu_s": round(statistics.median(ours[0] for ours, _ in rounds), 3),
            "mib": round(statistics.median(ours[1] for ours, _ in rounds), 1),
        },
        "everything": {
            "cpu_s": round(statistics.median(card[0] for _, card in rounds), 3),
            "mib": round(statistics.median(card[1] for _, card in rounds), 1),
        },
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
