"""The Kubernetes manifests that are made of dashboards/: `python -m dashboards.manifests`. The YAML is the artefact."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
FOLDER = HERE.parent / "deploy" / "kubernetes"
RULES, BOARDS = FOLDER / "rules.yaml", FOLDER / "dashboards.yaml"
_MADE = "# Made by `make docs` of {source}. Change it there.\n"
_LABELS = {"app.kubernetes.io/name": "seawall"}


def rules() -> str:
    """A PrometheusRule with every group of rules/seawall.yml, a rule a line."""
    groups = yaml.safe_load((HERE / "rules" / "seawall.yml").read_text())["groups"]
    lines = [
        _MADE.format(source="dashboards/rules/seawall.yml") + "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        f"metadata: {_flow({'name': 'seawall', 'labels': _LABELS})}",
        "spec:",
        "  groups:",
    ]
    for group in groups:
        rest = {name: value for name, value in group.items() if name != "rules"}
        lines += [
            f"    - {name}: {_flow(value)}" if name == "name" else f"      {name}: {_flow(value)}" for name, value in rest.items()
        ]
        lines += ["      rules:", *(f"        - {_flow(rule)}" for rule in group["rules"])]
    return "\n".join(lines) + "\n"


def boards() -> str:
    """A ConfigMap a dashboard, labelled as Grafana's sidecar looks for them."""
    return _MADE.format(source="dashboards/*.json") + "".join(_board(path) for path in sorted(HERE.glob("*.json")))


def _board(path: Path) -> str:
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": path.stem, "labels": _LABELS | {"grafana_dashboard": "1"}, "annotations": {"grafana_folder": "Seawall"},
        },
        "data": {path.name: json.dumps(json.loads(path.read_text()), separators=(",", ":"))},
    }  # fmt: skip
    return "---\n" + "".join(f"{name}: {_flow(value)}\n" for name, value in made.items())


def _flow(value: Any) -> str:  # noqa: ANN401 - any part of a manifest
    """A value on one line: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


def main() -> int:
    """Write both."""
    for path, made in ((RULES, rules()), (BOARDS, boards())):
        path.write_text(made)
        print(f"wrote {path.relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
