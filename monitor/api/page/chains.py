"""Chains on the page: do we see, and how fresh is what we know?"""

from collections.abc import Mapping
from html import escape

from monitor.api.page.view import View
from monitor.api.page.words import foreign, section, shape, table


def chains(view: View) -> str:
    """How fresh what we know of each chain is."""
    if not view.chains:
        return section("chains", "Chains", '<p class="quiet">No chain is configured.</p>')
    titles = ("Chain", "We see it", "Head", "Processed", "Node", "Judging", "Pending", "Given up")
    rows = ((f"c-{name}", _chain(name, facts)) for name, facts in view.chains.items())
    return section("chains", "Chains", table("chains", titles, rows))


def _chain(name: str, facts: Mapping[str, object]) -> list[str]:
    trouble, alone = facts.get("trouble"), facts.get("degraded")
    state, word = ("unknown", f"No: {trouble}") if trouble else ("limited", f"Yes: {alone}") if alone else ("run", "Yes")
    return [
        escape(name),
        f'<span class="{state}">{shape(state)} {foreign(word)}</span>',
        *(_value(facts.get(key)) for key in ("head", "age")),
        _nodes(facts),
        *(_value(facts.get(key)) for key in ("judging", "mempool", "given_up")),
    ]


def _nodes(facts: Mapping[str, object]) -> str:
    """Where there are several: how each is, and which of them leads."""
    nodes = facts.get("nodes")
    if not isinstance(nodes, list) or len(nodes) < 2:
        return _value(facts.get("node"))
    told = (f"{node['name']} {node['state']}{', leads' if node['leads'] else ''}" for node in nodes)
    return "<br>".join(map(foreign, told))


def _value(value: object) -> str:
    return '<span class="quiet">none</span>' if value is None or value == "" else foreign(value)
