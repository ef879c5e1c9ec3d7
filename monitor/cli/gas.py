"""Commands about fees: `seawall gas forecast` and `advise` ask a running daemon, `seawall gas replay` back-tests."""

import json
import math
import os
import sys
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import daemon
from monitor.errors import SeawallError

if TYPE_CHECKING:
    from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print the daemon's answer as JSON.")]
Chain = Annotated[
    str | None, typer.Argument(help="Name or CAIP-2 id; may be left out where there is only one.", show_default=False)
]
Url = Annotated[str | None, typer.Option("--url", help="The daemon's read listener; else SEAWALL_URL.", show_default=False)]

BARS = "▁▂▃▄▅▆▇█"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    gas = typer.Typer(name="gas", help="Fee forecasts and advice.", no_args_is_help=True)
    gas.callback()(_group)
    for command in (forecast, advise, replay):
        gas.command()(command)
    app.add_typer(gas)


def _group() -> None:
    """Fee forecasts and advice."""


def forecast(chain: Chain = None, *, url: Url = None, as_json: AsJson = False) -> None:
    """What the base fee will be: the next one exactly, then medians and intervals, and the caps that will be enough."""
    facts = _asked(url, chain, {})
    if as_json:
        typer.echo(json.dumps(facts))
        return
    from rich.console import Console

    console = Console()
    for line in _head(facts):
        console.print(line, markup=False, highlight=False)
    console.print(_ahead(facts))
    console.print(_caps(facts))


def advise(
    chain: Chain = None,
    *,
    deadline: Annotated[int, typer.Option("--deadline", help="Blocks it may wait.", min=0, max=1800)] = 25,
    urgency: Annotated[float, typer.Option("--urgency", help="0 patient, 1 now.", min=0, max=1)] = 0.0,
    cap: Annotated[float | None, typer.Option("--cap", help="A fee cap in gwei: how likely is it included?", min=0)] = None,
    tip: Annotated[float, typer.Option("--tip", help="Of the cap, gwei for the proposer.", min=0)] = 0.0,
    within: Annotated[int, typer.Option("--within", help="Blocks within which.", min=1, max=50)] = 5,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Send now or wait, what that is expected to save, what it costs to be wrong, and how much of a batch to let go."""
    query: dict[str, object] = {"deadline": deadline, "urgency": urgency, "tip": tip, "within": within}
    facts = _asked(url, chain, query if cap is None else query | {"cap": cap})
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for line in (*_head(facts), *_advice(facts)):
        typer.echo(line)


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


def sparkline(fees: Sequence[float]) -> str:
    """The course of the fee in one line; logarithmic, so that a doubling looks the same anywhere.

    >>> sparkline([1.0, 2.0, 4.0, 2.0]), sparkline([5.0, 5.0]), sparkline([])
    ('▁▄█▄', '▁▁', '')
    """
    logs = [math.log(max(fee, 1e-9)) for fee in fees]
    low, high = min(logs, default=0.0), max(logs, default=0.0)
    return "".join(BARS[int((one - low) / (high - low) * (len(BARS) - 1)) if high > low else 0] for one in logs)


def _asked(url: str | None, chain: str | None, query: Mapping[str, object]) -> daemon.Facts:
    """The daemon's answer. Without a chain, of the only one there is. Raises SeawallError."""
    base = daemon.read_base(url)
    if chain is None:
        listed = daemon.get(base, "/v1/gas").get("chains")
        names = [str(one.get("name")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if len(names) != 1:
            raise SeawallError(f"which chain? fees are forecast for: {', '.join(names) or 'none'}")
        chain = names[0]
    asked = f"?{urllib.parse.urlencode(query)}" if query else ""
    facts = daemon.get(base, f"/v1/gas/{urllib.parse.quote(chain, safe='')}{asked}")
    if not isinstance(facts.get("ahead"), dict) or not isinstance(facts.get("advice"), dict):
        raise SeawallError(f"GET /v1/gas/{chain}: no forecast came back; is this Seawall?")
    return facts


def _head(facts: daemon.Facts) -> list[str]:
    from alerts.text import plain

    block, model = facts["block"], facts["model"]
    fitted = f", fitted on blocks {model['first']} to {model['last']}" if model.get("last") is not None else ""
    lines = [
        f"{facts['name']} ({facts['chain']}) after block {block['number']}, {facts['age']:.0f} s ago",
        f"model: {model['name']}{fitted}",
        f"{sparkline(facts['recent'][-60:])}  next: {_gwei(facts['next_fee_wei'] / 1e9)} gwei, exactly",
    ]
    if facts["degraded"]:
        lines.append(f"degraded: {facts['degraded']}")
    return [plain(line, 400) for line in lines]


def _advice(facts: daemon.Facts) -> list[str]:
    from alerts.text import plain

    said, chance = facts["advice"], facts.get("inclusion")
    verdict = "send now" if said["send"] else f"wait, until it is at or below {_gwei(said['reservation'])} gwei"
    wrong = f"waiting {said['deadline']} blocks to the end costs {said['regret95']:.1%} more in one case of twenty"
    lines = [
        f"{verdict}: {said['reason']}",
        f"waiting is expected to save {said['expected_saving']:.1%}; {wrong}",
        f"of a batch, send {said['release']:.0%} now",
    ]
    if chance:
        enough = f"is enough for every one of them with {chance['throughout']:.3f}"
        within = f"is included within {chance['within']} blocks with probability {chance['probability']:.3f}"
        lines.append(f"a cap of {_gwei(chance['cap'])} gwei {within}, and {enough}")
    return [plain(line, 400) for line in lines]


def _ahead(facts: daemon.Facts) -> "Table":
    titles = ("blocks ahead", "median", "80 % from", "to", "95 % from", "to", "in 80 %", "in 95 %", "MASE")
    rows = []
    for blocks, spread in facts["ahead"].items():
        fees = [_gwei(spread[name]) for name in ("point", "q10", "q90", "q025", "q975")]
        lived = facts["lived"].get(blocks)
        came = [f"{lived['coverage80']:.3f}", f"{lived['coverage95']:.3f}"] if lived else ["", ""]
        mase = lived["mase"] if lived else None
        rows.append([blocks, *fees, *came, "" if mase is None else f"{mase:.3f}"])
    return _table(titles, rows)


def _caps(facts: daemon.Facts) -> "Table":
    titles = ("enough for all of", "80 %", "95 %", "99 %")
    return _table(titles, [[f"{blocks} blocks", *map(_gwei, caps.values())] for blocks, caps in facts["caps"].items()])


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _gwei(fee: Any) -> str:  # noqa: ANN401 - a number of the daemon's JSON, or none
    """Five digits, whatever the size.

    >>> _gwei(31.415926), _gwei(7e-09), _gwei(None)
    ('31.416', '7e-09', '')
    """
    return "" if fee is None else f"{fee:.5g}"
