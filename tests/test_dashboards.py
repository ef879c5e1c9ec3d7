"""Dashboards and rules: generated, laid out, parsable, and true to the metrics that exist."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import promql_parser
import pytest
import yaml

from dashboards.generate import GAS, GAS_ROWS, OVERVIEW, ROWS, gas, overview
from tests.support.metric_names import declared, used
from tests.support.parts import need

RULES = Path(__file__).resolve().parents[1] / "dashboards" / "rules"
TELLING = [RULES.parents[1] / "alerts" / name for name in ("render.py", "storm.py")]
"""Where the daemon's own alerts get their names."""

EXPRESSIONS = [
    (panel.title, expression) for _, panels in (*ROWS, *GAS_ROWS) for panel in panels for _, expression in panel.queries
]


def substituted(expression: str) -> str:
    """An expression as Grafana sends it."""
    return expression.replace("$integration", ".*").replace("$chain", ".*")


@pytest.mark.parametrize(("path", "made"), [(OVERVIEW, overview), (GAS, gas)], ids=["overview", "gas"])
def test_the_committed_dashboards_are_what_the_script_makes(path: Path, made: Callable[[], str]) -> None:
    assert json.loads(path.read_text()) == json.loads(made()), "run `make docs`"


@pytest.mark.parametrize("path", [OVERVIEW, GAS], ids=["overview", "gas"])
def test_panels_fit_the_grid_and_do_not_overlap(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_every_query_parses_and_names_only_declared_metrics(title: str, expression: str) -> None:
    promql_parser.parse(substituted(expression))
    assert used(expression), title
    assert used(expression) <= declared()


def test_every_rule_names_only_declared_metrics_and_says_what_to_do() -> None:
    text = (RULES / "seawall.yml").read_text()
    assert used("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))) <= declared()
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            promql_parser.parse(rule["expr"])
            if "alert" in rule:
                assert {"summary", "description"} <= rule["annotations"].keys()
                assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_every_alert_has_a_page_in_the_runbook_and_no_page_is_left_over() -> None:
    groups = yaml.safe_load((RULES / "seawall.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    told = {name for path in TELLING for name in re.findall(r'"(Seawall[A-Z]\w+)"', path.read_text())} - {"SeawallTest"}
    pages = {path.stem for path in (RULES.parents[1] / "docs" / "runbooks").glob("*.md")}
    assert alerts | told == pages


def test_every_alert_rule_has_a_case() -> None:
    groups = yaml.safe_load((RULES / "seawall.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    cases = yaml.safe_load((RULES / "seawall.test.yml").read_text())["tests"]
    fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test["exp_alerts"]}
    assert alerts == fired


@pytest.mark.parametrize("arguments", [("check", "rules", "seawall.yml"), ("test", "rules", "seawall.test.yml")])
def test_the_real_promtool_accepts_and_proves_the_rules(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run([need("promtool"), *arguments], cwd=RULES, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
