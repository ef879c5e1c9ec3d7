"""What is deployed: manifests load, probes ask routes that exist, nothing runs as root, generated files are as generated."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import manifests
from monitor.api.openapi import bare
from monitor.api.routes import READ
from monitor.config import parse
from tests.support.parts import ROOT, need

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
SYSTEM = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "seawall.yaml").read_text()))
ROUTES = {bare(route.path) for route in READ if route.method == "GET"}
UNIT = DEPLOY / "systemd" / "seawall.service"


def of_kind(kind: str) -> dict[str, Any]:
    """The one manifest of this kind."""
    (found,) = (one for one in SYSTEM if one["kind"] == kind)
    return dict(found)


def pod() -> dict[str, Any]:
    return dict(of_kind("StatefulSet")["spec"]["template"]["spec"])


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.name)
def test_every_manifest_is_yaml(path: Path) -> None:
    assert all(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize(("path", "made"), [(manifests.RULES, manifests.rules), (manifests.BOARDS, manifests.boards)])
def test_what_is_generated_is_as_generated(path: Path, made: Any) -> None:  # noqa: ANN401 - one of two functions
    assert path.read_text() == made(), "run `make docs`"


def test_the_operators_rules_and_boards_are_those_of_the_dashboards() -> None:
    rules = yaml.safe_load(manifests.RULES.read_text())
    assert rules["spec"] == yaml.safe_load((ROOT / "dashboards" / "rules" / "seawall.yml").read_text())
    boards = {
        name: json.loads(text)
        for one in yaml.safe_load_all(manifests.BOARDS.read_text())
        if one is not None
        for name, text in one["data"].items()
    }
    assert boards == {path.name: json.loads(path.read_text()) for path in (ROOT / "dashboards").glob("*.json")}


def test_probes_and_scrapes_ask_routes_that_exist() -> None:
    (container,) = pod()["containers"]
    asked = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    asked |= {
        end["path"] for end in yaml.safe_load((DEPLOY / "kubernetes/monitoring.yaml").read_text())["spec"]["podMetricsEndpoints"]
    }
    assert asked == {"/-/healthy", "/-/ready", "/metrics"}
    assert asked <= ROUTES
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy", "a blind daemon is not to be killed"


def test_nothing_in_the_pod_is_privileged_or_writes_outside_its_volume() -> None:
    (container,), told = pod()["containers"], pod()["securityContext"]
    image = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert (told["runAsNonRoot"], [(str(told["runAsUser"]), str(told["runAsGroup"]))]) == (True, image)
    assert told["seccompProfile"] == {"type": "RuntimeDefault"}
    locked = container["securityContext"]
    assert (locked["readOnlyRootFilesystem"], locked["allowPrivilegeEscalation"]) == (True, False)
    assert locked["capabilities"] == {"drop": ["ALL"]}
    assert pod()["automountServiceAccountToken"] is False
    assert "memory" in container["resources"]["limits"]


def test_the_journal_is_on_a_volume_that_stays_and_one_process_writes_it() -> None:
    stateful = of_kind("StatefulSet")["spec"]
    (claim,) = stateful["volumeClaimTemplates"]
    (container,) = pod()["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    config = parse(of_kind("ConfigMap")["data"]["seawall.yaml"], "seawall.yaml", of_kind("Secret")["stringData"])
    assert stateful["replicas"] == 1
    assert Path(config.journal.path).is_relative_to(mounts[claim["metadata"]["name"]])
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert str(config.api.read) == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert not config.api.admin.everywhere, "orders are taken on the pod's loopback alone"


def test_selectors_match_the_pod_and_ports_are_named_alike() -> None:
    labels = of_kind("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    monitor = yaml.safe_load((DEPLOY / "kubernetes/monitoring.yaml").read_text())
    selectors = [of_kind("Service")["spec"]["selector"], of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    selectors += [of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"], monitor["spec"]["selector"]["matchLabels"]]
    assert selectors == [labels] * 4
    assert {one["name"] for one in pod()["containers"][0]["ports"]} == {"read"}


def test_the_compose_file_mounts_what_is_there_and_locks_what_runs() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / "compose" / source).resolve().exists(), (name, volume)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert services["seawall"]["read_only"] is True
    assert services["seawall"]["cap_drop"] == ["ALL"]
    assert (DEPLOY / "compose" / services["seawall"]["build"]).resolve() == ROOT
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]["@foundry-rs/anvil-linux-amd64"]
    assert f"@foundry-rs/anvil-linux-amd64@{pinned} " in (DEPLOY / "compose" / "anvil.Dockerfile").read_text()


def test_the_compose_files_configurations_are_taken_by_those_who_read_them() -> None:
    folder = DEPLOY / "compose"
    config = parse((folder / "seawall.yaml").read_text(), str(folder / "seawall.yaml"), {})
    assert str(config.api.read) == "0.0.0.0:8080"
    (scrape,) = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["seawall:8080"]}]
    for command in (
        ["promtool", "check", "config", "--syntax-only", "prometheus.yml"],
        ["amtool", "check-config", "alertmanager.yml"],
    ):
        told = subprocess.run(
            [need(command[0]), *command[1:]], cwd=folder, capture_output=True, text=True, timeout=30, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr


def test_hadolint_finds_nothing_in_the_chains_image() -> None:
    told = subprocess.run(
        [need("hadolint"), DEPLOY / "compose" / "anvil.Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, "")


def test_systemd_takes_the_unit_as_it_stands(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("MISSING PART: systemd-analyze, of the package systemd")
    unit = tmp_path / "seawall.service"
    unit.write_text(UNIT.read_text().replace("/opt/seawall/bin/seawall", str(need("seawall"))))
    told = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=30, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_unit_waits_for_ready_and_restarts_what_does_not_ping() -> None:
    lines = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"^[A-Z]\w+=", line))
    assert (lines["Type"], lines["NotifyAccess"], lines["Restart"]) == ("notify", "main", "always")
    assert lines["WatchdogSec"] == "30s"
    assert lines["ExecReload"] == "/bin/kill -HUP $MAINPID", "the daemon reads its configuration again at SIGHUP"
    assert lines["ProtectSystem"] == "strict"
    assert lines["StateDirectory"] == "seawall"
