"""The house rules that no linter knows: every import contract can break, our names are ours, locks name no address."""

import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.parts import ROOT, need

PACKAGES = ("detectors", "alerts", "monitor")
OURS = {*PACKAGES, "dashboards", "tests"}
MOST_LINES = 400
WRITTEN = {".py", ".js", ".mjs", ".css", ".html", ".sol", ".sh", ".md", ".yaml", ".yml", ".toml"}
PURE = (
    "detectors.base",
    "monitor.breaker.fold",
    "monitor.breaker.funders",
    "monitor.breaker.holds",
    "monitor.breaker.limits",
    "monitor.breaker.machine",
    "monitor.breaker.moves",
    "monitor.breaker.people",
    "monitor.breaker.policy",
    "alerts.route",
    "alerts.group",
)
WORLD = (
    "asyncio", "time", "datetime", "logging", "socket", "sqlite3", "aiohttp", "websockets", "web3", "prometheus_client",
    "sentry_sdk",
)  # fmt: skip

# Where somebody's machine, mirror or token would show.
NOWHERE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|work|mnt)/[\w.-]+"
    r"|\b(?:pypi|npmjs|pythonhosted|jfrog|gcr|quay)\.(?:org|com|io|dev)\b"
    r"|\bpkg\.dev\b",
    re.IGNORECASE,
)

OFFENCES = [
    ("one-way", "detectors/base.py", "import alerts.base"),
    ("one-way", "alerts/base.py", "import monitor.errors"),
    ("one-way", "detectors/base.py", "import monitor.errors"),
    *[("purity", name.replace(".", "/") + ".py", f"import {WORLD[0]}") for name in PURE],
    *[("purity", "detectors/base.py", f"import {name}") for name in WORLD[1:]],
    ("purity", "detectors/tomorrow.py", "import time"),
    ("detectors-apart", "detectors/tomorrow.py", "import detectors.silence"),
    ("channels-apart", "alerts/channels/tomorrow.py", "import alerts.channels.console"),
    ("monitor-layers", "monitor/errors.py", "import monitor.metrics"),
    ("monitor-layers", "monitor/journal/base.py", "import monitor.api.server"),
    ("monitor-layers", "monitor/pipeline.py", "import monitor.api.server"),
    ("monitor-layers", "monitor/breaker/policy.py", "import monitor.pipeline"),
    ("monitor-layers", "monitor/tomorrow.py", ""),
]


def tracked() -> list[Path]:
    """Every file in the index that is on disk, relative to the root."""
    told = subprocess.run([need("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in told.stdout.split("\0") if name and (ROOT / name).is_file()]


def broken(tree: Path) -> set[str]:
    """The ids of the contracts that import-linter finds broken in a tree."""
    command = [str(need("lint-imports")), "--no-cache", "--no-logo", "pyproject.toml"]
    told = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert re.search(r"^Contracts: \d+ kept, \d+ broken\.$", told.stdout, re.MULTILINE), told.stdout + told.stderr
    contracts = tomllib.loads((tree / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ids = {contract["name"]: contract["id"] for contract in contracts}
    return {ids[name] for name in re.findall(r"^(.+) BROKEN(?: \(\d+ ignored imports?\))?$", told.stdout, re.MULTILINE)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their rules."""
    tree = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__", "artifacts"))
    return tree


@pytest.fixture(scope="module")
def already(house: Path) -> set[str]:
    """What is broken before anything was done to it: nothing, or the next test says so."""
    return broken(house)


def test_the_tree_as_it_stands_keeps_every_contract(already: set[str]) -> None:
    assert already == set()


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "file", "offence"), OFFENCES, ids=lambda value: value)
def test_one_offending_import_breaks_the_contract(house: Path, already: set[str], contract: str, file: str, offence: str) -> None:
    victim = house / file
    before = victim.read_text() if victim.exists() else None
    victim.write_text(f"{before or ''}\n{offence}\n")
    try:
        assert broken(house) - already == {contract}
    finally:
        victim.write_text(before) if before is not None else victim.unlink()


def test_no_dependency_owns_our_names() -> None:
    """Our top-level names are generic: a distribution that installed one of them would shadow us, or we it."""
    owners = importlib.metadata.packages_distributions()
    assert {name: owners[name] for name in OURS if set(owners.get(name, ())) - {"seawall"}} == {}


def test_only_the_packages_are_shipped() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["packages"]) == set(PACKAGES)


@pytest.mark.parametrize("group", ["seawall.detectors", "seawall.channels"])
def test_every_built_in_plug_in_loads(group: str) -> None:
    found = importlib.metadata.entry_points(group=group)
    assert {entry.name for entry in found if entry.load().name == entry.name} == set(found.names) != set()


def test_locks_name_no_address() -> None:
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()
    for lock in (ROOT / "requirements").iterdir():
        named = re.findall(r"https?:|--(?:extra-)?index-url|--find-links|--trusted-host|file://", lock.read_text())
        assert (lock.name, named) == (lock.name, [])


def test_every_locked_requirement_is_pinned_with_a_hash() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        pins = re.findall(r"^([a-z0-9][^ ]*) \\\n    (\S*)", lock.read_text(), re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-zA-Z0-9]", lock.read_text(), re.MULTILINE)) > 0
        assert all("==" in name and check.startswith("--hash=sha256:") for name, check in pins)


def test_what_is_shipped_is_what_is_tested() -> None:
    pins = {
        lock: dict(re.findall(r"^([a-z0-9-]+)==([^ ]+) ", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE))
        for lock in ("run", "build", "dev")
    }
    assert pins["run"] == {name: pins["dev"].get(name) for name in pins["run"]}
    assert pins["build"] == {name: pins["dev"].get(name) for name in pins["build"]}


def test_no_file_holds_two_ideas() -> None:
    long = {
        str(path): lines
        for path in tracked()
        if path.suffix in WRITTEN and (lines := (ROOT / path).read_text().count("\n")) > MOST_LINES
    }
    assert long == {}


def test_no_file_names_a_machine_or_a_registry() -> None:
    named = {}
    for path in tracked():
        if path == Path("tests/test_house.py") or path.suffix in {".png", ".gz"}:
            continue
        if found := NOWHERE.findall((ROOT / path).read_text(errors="replace")):
            named[str(path)] = found
    assert named == {}


def test_every_package_folder_says_that_it_is_one() -> None:
    folders = {path.parent for path in tracked() if path.suffix == ".py" and path.parts[0] in PACKAGES}
    assert {str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()} == set()
    assert [str(path) for path in tracked() if path.parts[0] == "tests" and path.name == "__init__.py"] == []


def test_every_module_begins_with_its_one_idea() -> None:
    silent = [
        str(path)
        for path in tracked()
        if path.suffix == ".py" and not (ROOT / path).read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []
