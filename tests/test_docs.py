"""Documents are held to the code: commands, targets, routes, metrics, variables and links that a document names exist."""

import re
from pathlib import Path

import pytest
import typer

from monitor.api.openapi import bare
from monitor.api.routes import EVERY
from monitor.cli import app, daemon
from tests.support.metric_names import declared, used
from tests.support.parts import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMANDS = {command.name for command in typer.main.get_group(app).commands.values()}
TARGETS = dict(re.findall(r"^([a-z-]+):.*?## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@every_page
def test_commands_exist(page: Path) -> None:
    named = set(re.findall(r"(?:`|\$ )seawall ([a-z]+)", flowing(page)))
    assert named - COMMANDS == set()


@every_page
def test_make_targets_exist(page: Path) -> None:
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", flowing(page))) - set(TARGETS) == set()


@every_page
def test_metrics_exist(page: Path) -> None:
    assert used(page.read_text()) - declared() == set()


@every_page
def test_variables_exist(page: Path) -> None:
    known = {daemon.READ_URL, daemon.ADMIN_URL, daemon.TOKEN}
    assert set(re.findall(r"\bSEAWALL_[A-Z_]+", page.read_text())) - known == set()


@every_page
def test_routes_exist(page: Path) -> None:
    named = set(re.findall(r"\b(GET|POST) (/[^\s`,;]*)", flowing(page)))
    assert named - routes() == set()


def test_every_command_is_documented() -> None:
    running = flowing(ROOT / "docs" / "running.md")
    assert {name for name in COMMANDS if f"`seawall {name}" not in running and f"$ seawall {name}" not in running} == set()


def test_every_route_for_programs_is_documented() -> None:
    running = flowing(ROOT / "docs" / "running.md")
    programs = {(method, path) for method, path in routes() if path.startswith(("/v1", "/ofrep", "/-", "/flagd", "/metrics"))}
    assert {f"{method} {path}" for method, path in programs if f"{method} {path}" not in running} == set()


def test_decisions_are_numbered_without_a_gap() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:03d}-" for number in range(1, len(decisions) + 1)]
    assert all(path.read_text().startswith(f"# {path.name[:3]}: ") for path in decisions)


def test_every_target_says_what_it_does() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(TARGETS)


def flowing(page: Path) -> str:
    """A page's text as it reads, without the line breaks that wrapping put anywhere."""
    return re.sub(r"\s+", " ", page.read_text())


def routes() -> set[tuple[str, str]]:
    """Method and path of every route of both listeners, without the patterns of their parts: `/v1/flags/{key}`."""
    return {(route.method, bare(route.path)) for route in EVERY}
