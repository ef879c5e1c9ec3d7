"""Which metric names exist, and which an expression uses: holds dashboards, rules and documents to `monitor/metrics.py`."""

import re

from monitor.metrics import REGISTRY

_NAME = re.compile(r"\bseawall_[a-z0-9_]+")


def declared() -> set[str]:
    """Every sample name that the registry can export."""
    names = set()
    for family in REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + suffix for suffix in suffixes}
    return names


def used(text: str) -> set[str]:
    """Every metric of ours that a text names; names of recording rules (`level:metric:op`) do not count."""
    whole = f" {text} "  # so that every name has a neighbour on both sides
    return {m[0] for m in _NAME.finditer(whole) if ":" not in whole[m.start() - 1] + whole[m.end()]}
