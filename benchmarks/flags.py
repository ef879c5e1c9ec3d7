"""How fast a flag is read and how fast a flip arrives. `python -m benchmarks.flags`.

Sixteen connections ask for one flag with its ETag: of a bare uvloop and httptools server, of our read listener, and a GET of a
Redis on this machine, in turn. Then 5,000 listeners wait for a flip, alone and while 5,000 others disconnect at that moment.
Goals: at least 0.2 of the bare server's rate, p99 at most 10 times Redis's, the last of 5,000 told within 200 ms.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.demo.anvil import free_port

ROUNDS = 5
SECONDS = 2.0
LISTENERS = 5000
_ROOT = Path(__file__).parent.parent


@contextmanager
def serving(module: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server of this benchmark and its port."""
    process = subprocess.Popen(_module(module), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def redis() -> Iterator[int | None]:
    """A Redis that keeps nothing, or None where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        sys.stderr.write("no redis-server here: its figure is left out (Debian: redis-server)\n")
        yield None
        return
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def asked(port: int, kind: str) -> dict[str, Any]:
    """One run of the asker."""
    done = subprocess.run(
        _module("asker", str(port), str(SECONDS), kind), stdout=subprocess.PIPE, text=True, cwd=_ROOT, timeout=60, check=True
    )
    return dict(json.loads(done.stdout))


def flip(leaving: int) -> dict[str, float]:
    """Milliseconds from a flip to the last of LISTENERS, with so many others leaving at that moment."""
    with serving("ours") as (port, ours):
        crowd = subprocess.Popen(
            _module("crowd", str(port), str(LISTENERS), str(leaving)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        assert crowd.stdin and crowd.stdout and ours.stdin and ours.stdout  # noqa: PT018 - pipes, all of them
        assert crowd.stdout.readline() == "ready\n"
        crowd.stdin.write("now\n")
        crowd.stdin.flush()
        assert crowd.stdout.readline() == "gone\n"
        ours.stdin.write("flip\n")
        ours.stdin.flush()
        began = float(ours.stdout.readline())
        told = json.loads(crowd.stdout.readline())
        crowd.kill()
        crowd.communicate()
    assert told["heard"] == LISTENERS, f"{told['heard']} of {LISTENERS} were told"
    return {"leaving": leaving, "last_ms": round((told["last"] - began) * 1e3, 1)}


def main() -> None:
    """Alternate, compare round by round, print one JSON object."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with serving("bare") as (bare, _), serving("ours") as (ours, _), redis() as cache:
        _prepare(cache)
        lanes: dict[str, list[dict[str, Any]]] = {"bare": [], "seawall": [], "redis": []}
        for _ in range(ROUNDS):
            lanes["bare"].append(asked(bare, "http"))
            lanes["seawall"].append(asked(ours, "http"))
            if cache is not None:
                lanes["redis"].append(asked(cache, "redis"))
    rates = [one["per_second"] / other["per_second"] for one, other in zip(lanes["seawall"], lanes["bare"], strict=True)]
    waits = [one["p99_us"] / other["p99_us"] for one, other in zip(lanes["seawall"], lanes["redis"], strict=False)]
    report = {
        "benchmark": "flags", "rounds": ROUNDS, "connections": 16, "load_before": round(os.getloadavg()[0], 2),
        "lanes": {name: _lane(runs) for name, runs in lanes.items() if runs},
        "rate_to_bare": _spread(rates, goal=0.2), "p99_to_redis": _spread(waits, goal=10.0) if waits else None,
        "flip": [flip(0), flip(LISTENERS)], "flip_goal_ms": 200,
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


def _prepare(cache: int | None) -> None:
    if cache is not None:
        subprocess.run(["redis-cli", "-p", str(cache), "set", "flag", "run"], stdout=subprocess.DEVNULL, check=True)  # noqa: S607


def _lane(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: round(statistics.median(run[name] for run in runs)) for name in ("per_second", "p50_us", "p99_us")
    } | {"answers": runs[0]["answers"]}  # fmt: skip


def _spread(values: list[float], goal: float) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3), "goal": goal
    }  # fmt: skip


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.flagging.{name}", *arguments]


if __name__ == "__main__":
    main()
