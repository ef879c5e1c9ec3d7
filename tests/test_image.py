"""The image: linted, really built, and run as its README says: unprivileged, on a read-only root, watched by its health check."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Engine, engine, stand_in_base
from tests.support.parts import ROOT, need

IMAGE = "seawall:test"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("docker")
    with engine(folder) as own:
        stand_in_base(own, folder)
        own.run("build", "--network", "host", "-t", IMAGE, str(ROOT), within=400)
        yield own


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run([need("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_only_what_the_image_is_made_of_reaches_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert all(Path(ROOT / line[1:]).exists() for line in lines if line.startswith("!"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_image_runs_unprivileged_on_a_read_only_root(docker: Engine) -> None:
    locked = ["run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    assert "pause" in docker.run(*locked, IMAGE, "--help")
    shell = docker.run(*locked, "--entrypoint", "sh", IMAGE, "-c", "id -u; touch /x 2>&1; touch /var/lib/seawall/x && echo kept")
    assert shell.splitlines() == ["10001", "touch: cannot touch '/x': Read-only file system", "kept"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_health_check_asks_the_daemon_and_says_no_without_one(docker: Engine) -> None:
    config = json.loads(docker.run("image", "inspect", IMAGE))[0]["Config"]
    assert config["Healthcheck"]["Test"] == ["CMD", "seawall", "health"]
    asked = docker.call("run", "--rm", "--read-only", "--network", "none", IMAGE, "health")
    assert asked.returncode == 1
    assert asked.stderr.startswith("seawall: GET http://127.0.0.1:8080/-/healthy: ")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_but_the_packages_is_installed_and_no_index_is_named(docker: Engine) -> None:
    listing = docker.run(
        "run", "--rm", "--network", "none", "--entrypoint", "sh", IMAGE, "-c", "ls /opt/seawall/lib/python3*/site-packages"
    )
    names = set(listing.split())
    assert {"monitor", "alerts", "detectors"} <= names
    assert not {"tests", "benchmarks", "pytest", "hatchling"} & names
    history = docker.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE)
    assert "://" not in history
