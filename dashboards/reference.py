"""The list of metrics for people, made from the declarations: what each says, by which labels, and which dashboard shows it."""

import re
from collections.abc import Iterable
from pathlib import Path

from dashboards.layout import Board
from monitor.metrics import DECLARED, Declared

PATH = Path(__file__).parent.parent / "docs" / "metrics.md"

LABELS = {
    "action": "what an operator may do: pause, resume, override, approve, acknowledge",
    "blocks": "configured horizons of caps",
    "capability": "what a node can be asked for, a fixed list",
    "cause": "policy, human, service",
    "chain": "configured chains",
    "check": "checks of nodes, a fixed list",
    "code": "HTTP codes that flag reads answer",
    "detector": "detectors",
    "end": "how a pending call can end, a fixed list",
    "from_state": "the breaker's five states",
    "hash": "one: the configuration in force",
    "horizon": "horizons of forecasts, a fixed list",
    "integration": "configured integrations",
    "interval": "80 and 95",
    "kind": "kinds of event, a fixed list",
    "level": "levels of caps, a fixed list",
    "list": "configured sanctions lists",
    "listener": "read and admin",
    "method": "JSON-RPC methods that Seawall calls",
    "offer": "slow, usual, fast",
    "outcome": "outcomes, a fixed list each",
    "part": "parts of the daemon, one or two a chain",
    "protocol": "doors that flags are read at",
    "provider": "configured nodes",
    "quantile": "quantiles of forecasts, a fixed list",
    "queue": "queues, a few a chain",
    "reason": "why something could not be judged, a fixed list",
    "receiver": "configured receivers",
    "rung": "the gas forecast's ladder, a fixed list",
    "severity": "info, warning, critical",
    "stage": "the five stages of a block",
    "state": "the breaker's, a flag's or a node's states",
    "step": "decided, readable, recorded",
    "to_state": "the breaker's five states",
    "topic": "what a feed subscribes to, a fixed list",
    "version": "one: what runs",
    "why": "full or slow",
}
"""What bounds the values of each label. None of them is ever chosen by a chain, a node or a caller."""

_HEAD = """# Metrics

Made by `make docs` from `monitor/metrics.py`; `GET /metrics` has them. A counter ends in `_total`, a histogram has `_bucket`,
`_sum` and `_count`. Asked for OpenMetrics, `/metrics` also gives exemplars: a time to pause names its incident.

| metric | labels | says | shown on |
|---|---|---|---|
"""
_FOOT = """
## Labels

No label's values come from a chain, a node or a caller, so none can grow without a change of the configuration.

| label | its values |
|---|---|
"""


def page(boards: Iterable[Board]) -> str:
    """The whole page, Markdown."""
    queries = {
        board.name: " ".join(query for _, panels in board.rows for panel in panels for _, query in panel.queries)
        for board in boards
    }
    rows = "".join(_row(one, [name for name, text in queries.items() if named(one, text)]) for one in DECLARED)
    used = sorted({label for one in DECLARED for label in one.labels})
    return _HEAD + rows + _FOOT + "".join(f"| `{label}` | {LABELS[label]} |\n" for label in used)


def _row(one: Declared, shown: list[str]) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "none"
    name = f"{one.name}_bucket" if one.histogram else one.name
    return f"| `{name}` | {labels} | {one.text} | {', '.join(shown) or 'rules'} |\n"


def named(one: Declared, text: str) -> bool:
    """Does a text of queries name it, or a rule recorded from it (`level:metric:operation`)?"""
    return re.search(rf"\b{one.name}(_bucket|_sum|_count)?\b", text) is not None
