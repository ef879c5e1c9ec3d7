"""Commands about fees: `seawall gas replay`."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    gas = typer.Typer(name="gas", help="Fee forecasts and advice.", no_args_is_help=True)
    gas.callback()(_group)
    gas.command()(replay)
    app.add_typer(gas)


def _group() -> None:
    """Fee forecasts and advice."""


def replay(
    *, plain: Annotated[bool, typer.Option("--plain", help="The baseline: linear heads without timetables, no network.")] = False
) -> None:
    """Answer headers on stdin with forecasts on stdout, a JSON object a line, for a back-test.

    In: number, timestamp, base_fee (wei), gas_used, gas_limit. Out: f, cap and resv in gwei. Nothing is read ahead.
    """
    # More threads than one make products of this size slower, and the sums could differ from run to run.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from detectors.gas.fitting import Effort
    from monitor.gas.replay import replay as answers

    for answer in answers(iter(sys.stdin.buffer.readline, b""), Effort(plain=plain)):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
