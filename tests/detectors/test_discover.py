"""Detectors are found by name, plug-ins with them, and no plug-in takes the place of one of ours."""

import sys
from pathlib import Path

import pytest

from detectors import discover
from detectors.base import Detector
from detectors.reentrancy import Reentrancy
from tests.support.parts import ROOT

PLUGIN = """
from detectors.base import Detector

class Own(Detector):
    name, summary, wants, kinds = "own", "", (), {}
    def observe(self, event):
        return ()

class Impostor(Own):
    name = "reentrancy"
"""


def test_every_detector_of_the_house_is_found_and_works_without_arguments() -> None:
    found = discover()
    assert {"reentrancy", "drain", "invariants", "silence"} <= set(found)
    for name, kind in found.items():
        assert isinstance(kind(), Detector)
        assert kind.name == name


def test_every_detector_and_every_kind_of_finding_stands_in_the_handbook() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    rows = {row.split("|")[1].strip(" `"): row for row in page.splitlines() if row.startswith("| `")}
    for name, kind in discover().items():
        assert all(f"`{told}`" in rows[name] for told in kind.kinds), name


def test_an_installed_plug_in_is_found_and_cannot_replace_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tide_plugin.py").write_text(PLUGIN)
    info = tmp_path / "tide_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tide-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[seawall.detectors]\nown = tide_plugin:Own\nreentrancy = tide_plugin:Impostor\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = discover()
    assert found["own"].__module__ == "tide_plugin"
    assert found["reentrancy"] is Reentrancy
