"""Nothing has happened yet is a figure: whatever an alert takes the increase of stands at zero before its first event."""

import re

from detectors import discover
from monitor.config import Config, parse
from monitor.metrics import DECLARED, REGISTRY
from monitor.zeros import begin
from tests.support.parts import ROOT

RULES = (ROOT / "dashboards" / "rules" / "seawall.yml").read_text()
GROWING = set(re.findall(r"(?:increase|rate|delta)\((seawall_\w+_total)", RULES))
BY_ANY_CALL = {"seawall_rpc_requests_total"}
"""Only its share of failures is looked at, and any call begins it."""


def configured(name: str) -> Config:
    """One chain and one integration that no other test has."""
    text = f"""version: 1
chains: {{{name}: {{id: "eip155:424242", nodes: [{{name: {name}, ws: "ws://127.0.0.1:1"}}]}}}}
integrations:
  {name}: {{chain: {name}, contracts: [{{address: "0x{"b0" * 20}", kind: holdings}}]}}
alerts: {{receivers: {{{name}: {{channel: console}}}}}}
"""
    return parse(text, "seawall.yaml", {})


def standing(metric: str, ours: set[str]) -> bool:
    """Does a counter have a series of ours? Whatever it is labelled by besides."""
    family = next(one for one in REGISTRY.collect() if f"{one.name}_total" == metric)
    labels = next(one.labels for one in DECLARED if one.name == metric)
    named = {"chain", "integration", "provider", "receiver"} & set(labels)
    return any(all(sample.labels[label] in ours for label in named) for sample in family.samples)


def test_every_counter_that_an_alert_watches_grow_begins_at_zero() -> None:
    ours = {"only-zeros", "eip155:424242"}
    watched = GROWING - BY_ANY_CALL
    assert {"seawall_finality_violations_total", "seawall_detector_errors_total"} <= watched
    assert [metric for metric in watched if "chain" in labels_of(metric) and standing(metric, ours)] == []
    begin(configured("only-zeros"), discover())
    assert [metric for metric in watched if not standing(metric, ours)] == []


def labels_of(metric: str) -> tuple[str, ...]:
    return next(one.labels for one in DECLARED if one.name == metric)
