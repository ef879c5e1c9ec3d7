"""Dashboards and rules: generated, laid out, parsable, and true to the metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from dashboards.generate import BOARDS, artefacts
from dashboards.layout import Board
from dashboards.reference import LABELS, PATH, named
from monitor.metrics import DECLARED
from tests.support.metric_names import declared, used
from tests.support.parts import ROOT, need

RULES = ROOT / "dashboards" / "rules"
PROVISIONING = ROOT / "dashboards" / "provisioning"
TELLING = [ROOT / "alerts" / name for name in ("render.py", "storm.py")]
"""Where the daemon's own alerts get their names."""

EXPRESSIONS = [
    (f"{board.name}: {panel.title}", expression)
    for board in BOARDS
    for _, panels in board.rows
    for panel in panels
    for _, expression in panel.queries
]
WITH_EXEMPLARS = [
    expression
    for board in BOARDS
    for _, panels in board.rows
    for panel in panels
    if panel.exemplars
    for _, expression in panel.queries
]
FILES = list(artefacts())
_RECORDED = re.compile(r"\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+\b")


def substituted(expression: str) -> str:
    """An expression as Grafana sends it."""
    return re.sub(r"\$(integration|chain|queue)\b", ".*", expression)


def recorded() -> set[str]:
    """The names of the recording rules."""
    groups = yaml.safe_load((RULES / "seawall.yml").read_text())["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


@pytest.mark.parametrize(("path", "made"), FILES, ids=[path.name for path, _ in FILES])
def test_the_committed_files_are_what_the_script_makes(path: Path, made: str) -> None:
    assert path.read_text() == made, "run `make docs`"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_fit_the_grid_and_do_not_overlap(board: Board) -> None:
    panels = json.loads(board.path.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_dashboard_can_be_imported_and_narrowed_down_by_a_label_its_metric_has(board: Board) -> None:
    made = json.loads(board.path.read_text())
    assert made["uid"] == f"seawall-{board.name}"
    assert [panel["id"] for panel in made["panels"]] == list(range(1, len(made["panels"]) + 1))
    assert {variable["name"] for variable in made["templating"]["list"]} == {"datasource", board.variable}
    assert board.variable in next(one.labels for one in DECLARED if one.name == board.metric)
    assert f"${board.variable}" in board.path.read_text(), "a variable that no query uses narrows nothing down"


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_every_query_parses_and_names_only_what_is_declared_or_recorded(title: str, expression: str) -> None:
    promql_parser.parse(substituted(expression))
    rules = set(_RECORDED.findall(expression))
    assert used(expression) | rules, title
    assert used(expression) <= declared()
    assert rules <= recorded()


def test_exemplars_are_asked_of_the_histogram_itself_which_alone_has_them() -> None:
    assert WITH_EXEMPLARS
    assert [one for one in WITH_EXEMPLARS if "_bucket" not in one or _RECORDED.search(one)] == []


def test_every_metric_is_on_a_dashboard_or_in_a_rule_and_in_the_documents() -> None:
    text = " ".join(expression for _, expression in EXPRESSIONS) + (RULES / "seawall.yml").read_text()
    assert [one.name for one in DECLARED if not named(one, text)] == [], "nobody looks at these"
    page = PATH.read_text()
    assert [one.name for one in DECLARED if not named(one, page)] == []


def test_every_label_says_what_bounds_it() -> None:
    labels = {label for one in DECLARED for label in one.labels}
    assert labels - LABELS.keys() == set(), "say in dashboards/reference.py what its values can be"
    assert LABELS.keys() - labels == set()


def test_the_provisioning_files_fit_the_dashboards() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards.yaml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    (source,) = yaml.safe_load((PROVISIONING / "datasources.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (link,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert (link["name"], "/incidents/" in link["url"]) == ("incident", True)


def test_the_real_promtool_accepts_the_configuration() -> None:
    command = (need("promtool"), "check", "config", "prometheus.yml")
    ran = subprocess.run(command, cwd=PROVISIONING, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


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
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert alerts | told == pages


def test_every_recording_rule_has_a_case() -> None:
    cases = yaml.safe_load((RULES / "recorded.test.yml").read_text())["tests"]
    assert {test["expr"] for case in cases for test in case["promql_expr_test"] if test["exp_samples"]} == recorded()


def test_every_alert_rule_has_a_case() -> None:
    groups = yaml.safe_load((RULES / "seawall.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    cases = yaml.safe_load((RULES / "seawall.test.yml").read_text())["tests"]
    fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test["exp_alerts"]}
    assert alerts == fired


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "seawall.yml"), ("test", "rules", "seawall.test.yml", "recorded.test.yml")]
)
def test_the_real_promtool_accepts_and_proves_the_rules(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run([need("promtool"), *arguments], cwd=RULES, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
