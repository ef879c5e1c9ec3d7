"""The image: linted, really built, and run as its README says: unprivileged, on a read-only root, watched by its health check."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.demo.anvil import Anvil, free_port
from tests.support.containers import Engine, engine, stand_in_base
from tests.support.parts import ROOT, need

IMAGE = "seawall:test"
PATIENCE = 60.0
CONFIG = """
version: 1
chains:
  local: {{id: "eip155:31337", nodes: [{{name: anvil, ws: "{node}"}}], block_time: 1s, blind_after: 10s, finality: latest}}
integrations:
  vault: {{chain: local, contracts: [{{address: "0x00000000000000000000000000000000000000aa", kind: holdings}}], mode: enforce}}
alerts: {{otherwise: [console], receivers: {{console: {{channel: console}}}}}}
api:
  read: "127.0.0.1:{read}"
  admin: "127.0.0.1:{admin}"
  tokens: [{{name: ops, secret: "${{SEAWALL_TOKEN}}", scopes: [pause, resume]}}]
journal: {{path: /var/lib/seawall/journal.db}}
"""


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


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_daemon_in_it_is_healthy_follows_a_chain_and_keeps_a_pause_over_kill_dash_nine(
    docker: Engine, tmp_path: Path
) -> None:
    read, admin = free_port(), free_port()
    async with await Anvil.start("--block-time", "1") as node:
        config = tmp_path / "seawall.yaml"
        config.write_text(CONFIG.format(node=node.ws, read=read, admin=admin))
        config.chmod(0o644)
        settings = [
            f"SEAWALL_URL=http://127.0.0.1:{read}",
            f"SEAWALL_ADMIN_URL=http://127.0.0.1:{admin}",
            "SEAWALL_TOKEN=known-to-this-test-alone",
        ]
        told = [part for setting in settings for part in ("-e", setting)]
        locked = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host"]
        often = ["--health-interval", "1s", "--health-start-period", "1s"]
        mount = ["-v", f"{config}:/etc/seawall/seawall.yaml:ro"]
        name = docker.run("run", "-d", *locked, *often, *told, *mount, IMAGE)
        until(docker, name, "healthy")
        says(docker, name, "run")
        docker.run("exec", name, "seawall", "pause", "vault", "--reason", "drill")
        docker.run("kill", "--signal", "KILL", name)
        docker.run("start", name)
        until(docker, name, "healthy")
        assert flag(docker, name)["reason"] == "drill"
        says(docker, name, "pause")
        docker.run("stop", name)
        assert docker.run("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


def flag(docker: Engine, name: str) -> dict[str, str]:
    """The vault's flag as the command line inside the container reads it; empty while nothing answers."""
    asked = docker.call("exec", name, "seawall", "flags", "--json")
    flags: list[dict[str, str]] = json.loads(asked.stdout)["flags"] if asked.returncode == 0 else [{}]
    return flags[0]


def says(docker: Engine, name: str, state: str) -> None:
    """Wait until the vault's flag says so."""
    deadline = time.monotonic() + PATIENCE
    while (now := flag(docker, name)).get("state") != state:
        assert time.monotonic() < deadline, now
        time.sleep(0.5)


def until(docker: Engine, name: str, health: str) -> None:
    """Wait until the engine's own health check says so; if the container ended, show what it last said."""
    deadline = time.monotonic() + PATIENCE
    while (now := docker.run("inspect", "--format", "{{.State.Health.Status}} {{.State.Running}}", name)) != f"{health} true":
        logs = docker.call("logs", name)
        assert now.endswith("true"), logs.stdout[-2000:] + logs.stderr[-2000:]
        assert time.monotonic() < deadline, now + logs.stdout[-2000:] + logs.stderr[-2000:]
        time.sleep(0.5)
