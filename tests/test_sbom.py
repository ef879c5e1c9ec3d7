"""The bill of materials names exactly what is locked, each part with the hashes it may have, and is valid CycloneDX."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.support.parts import ROOT, need


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as `make sbom` makes it."""
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    need("cyclonedx-py")
    subprocess.run(["make", "-o", "setup", "sbom", f"SBOM={path}"], cwd=ROOT, check=True, capture_output=True)
    return path


def test_it_is_valid_cyclonedx(bill: Path) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.read_text()) is None


def test_it_names_what_is_shipped_with_its_hashes_and_nothing_else(bill: Path) -> None:
    made = json.loads(bill.read_text())
    locked = (ROOT / "requirements" / "run.txt").read_text()
    pins = {
        f"pkg:pypi/{name}@{version}": set(re.findall(r"sha256:([0-9a-f]{64})", rest))
        for name, version, rest in re.findall(r"^([a-z0-9-]+)==(\S+)((?: \\\n\s+--hash=\S+)+)", locked, re.MULTILINE)
    }
    found = {
        part["purl"]: {one["content"] for reference in part["externalReferences"] for one in reference["hashes"]}
        for part in made["components"]
    }
    assert found == pins
    assert len(pins) > 30
    assert (made["metadata"]["component"]["name"], made["metadata"]["component"]["licenses"]) == (
        "seawall",
        [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}],
    )
