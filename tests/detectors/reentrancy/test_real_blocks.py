"""Re-entrancy on real mainnet blocks, all benign: no pause, hardly a warning, whichever routers anybody vouches for."""

import gzip
from pathlib import Path

import pytest

from detectors.base import Finding, Want, Watch
from detectors.execution import Execution
from detectors.execution.trusted import BY_CHAIN
from detectors.reentrancy import Reentrancy
from monitor.chains.traces import read

BLOCKS = Path(__file__).parents[4] / "shared" / "data" / "blocks"


@pytest.fixture(scope="module")
def executions() -> list[Execution]:
    files = sorted(BLOCKS.glob("*.json.gz"))
    if not files:
        pytest.skip(f"no real blocks at {BLOCKS}")
    readings = [reading for file in files for reading in read(gzip.decompress(file.read_bytes()), file.name)]
    judged = [reading for reading in readings if isinstance(reading, Execution)]
    assert len(judged) == len(readings)
    return judged


def test_no_pause_and_hardly_a_warning(executions: list[Execution]) -> None:
    detector = Reentrancy({"eip155:1": Watch()})
    said = [word for event in executions for word in detector.observe(event)]
    strongest = [finding.confidence for finding in said if isinstance(finding, Finding)]
    assert sum(confidence >= 0.8 for confidence in strongest) == 0
    assert sum(confidence >= 0.5 for confidence in strongest) <= 0.001 * len(executions)
    assert sum(isinstance(word, Want) for word in said) <= 0.005 * len(executions)


def test_swap_backs_are_known_by_their_mechanism_and_not_by_a_list_of_routers(
    executions: list[Execution], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(BY_CHAIN, "eip155:1")
    detector = Reentrancy({"eip155:1": Watch()})
    found = [said for event in executions for said in detector.observe(event) if isinstance(said, Finding)]
    assert {finding.evidence["economics_by"] for finding in found if finding.kind == "same_contract"} == {"own"}
    assert max(finding.confidence for finding in found) < 0.5
