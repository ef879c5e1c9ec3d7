"""Remedies: everything that a node can lack has a consequence and a remedy, and what a configuration leaves open is said."""

import msgspec
import pytest

from monitor.chains.capabilities import Capabilities
from monitor.config import parse
from monitor.remedies import CONSEQUENCES, FIXES, missing, remedies

NODE = "nodes: [{name: a, ws: 'ws://127.0.0.1:1'}]"
VAULT = "integrations: {vault: {chain: main, MODE contracts: [{address: '0x00000000000000000000000000000000000000aa'}]}}"
TOKEN = "api: {tokens: [{name: ops, digest: 'sha256:" + "ab" * 32 + "', scopes: [pause]}]}"
CONSOLE = "alerts: {receivers: {c: {channel: console}}}"
PAGER = "alerts: {receivers: {p: {channel: pagerduty, routing_key: '${KEY}'}}}"


def test_every_capability_has_a_consequence_and_a_remedy() -> None:
    fields = set(msgspec.structs.asdict(Capabilities()))
    assert set(CONSEQUENCES) == set(FIXES) == fields
    assert len(remedies(msgspec.structs.asdict(Capabilities()))) == len(fields)
    assert remedies(dict.fromkeys(fields, True)) == []


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([VAULT, TOKEN], ["alerts.receivers: nobody is told", "integrations: all are in shadow"]),
        ([VAULT, TOKEN, CONSOLE], ["alerts.receivers: only the console", "integrations: all are in shadow"]),
        ([VAULT.replace("MODE", "mode: enforce,"), TOKEN, PAGER], []),
        ([TOKEN, PAGER], ["integrations: nothing is watched"]),
        ([VAULT.replace("MODE", "mode: enforce,"), PAGER], ["api.tokens: nobody can pause"]),
    ],
)
def test_what_is_left_open_is_said_with_what_to_do(parts: list[str], said: list[str]) -> None:
    lines = [f"version: 1\nchains: {{main: {{id: 'eip155:1', {NODE}}}}}", *(part.replace("MODE", "") for part in parts)]
    told = list(missing(parse("\n".join(lines) + "\n", "seawall.yaml", {"KEY": "k"})))
    assert [line[: len(begins)] for line, begins in zip(told, said, strict=True)] == said
    assert all(";" in line for line in told)


def test_a_quorum_of_all_nodes_is_said_to_be_blinded_by_the_first_that_fails() -> None:
    nodes = "nodes: [{name: a, ws: 'ws://127.0.0.1:1'}, {name: b, ws: 'ws://127.0.0.1:2'}], quorum: 2"
    text = f"version: 1\nchains: {{main: {{id: 'eip155:1', {nodes}}}}}\n"
    assert any(line.startswith("chains.main.quorum: all 2 nodes") for line in missing(parse(text, "seawall.yaml", {})))
