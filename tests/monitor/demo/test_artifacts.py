"""The committed contracts are what their sources say, and Uniswap's are the published ones."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from monitor.demo import artifacts
from monitor.errors import SeawallError

DEMO = Path(artifacts.__file__).parent
PAIR_INIT_CODE = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
"""Mainnet's: the router derives pool addresses from it."""


def test_recompiling_the_sources_gives_the_committed_bytes(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (DEMO.parents[1] / "node_modules" / "solc").exists():
        pytest.skip("no node or no npm solc: run `make setup`")
    subprocess.run([node, str(DEMO / "compile.mjs"), str(tmp_path)], check=True, capture_output=True)
    fresh = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    committed = {path.name: json.loads(path.read_text()) for path in (DEMO / "artifacts").iterdir()}
    assert fresh == committed
    assert {path.stem for path in (DEMO / "contracts").iterdir()} == {name.removesuffix(".json") for name in committed}


def test_the_pair_is_mainnets() -> None:
    assert keccak(hexstr=artifacts.uniswap("UniswapV2Pair").bytecode).hex() == PAIR_INIT_CODE


def test_calls_are_encoded_and_answers_decoded() -> None:
    pair = artifacts.uniswap("UniswapV2Pair")
    assert pair.call("getReserves") == "0x0902f1ac"
    words = "".join(f"{n:064x}" for n in (7, 8, 9))
    assert pair.returned("getReserves", "0x" + words) == (7, 8, 9)
    assert pair.returned("totalSupply", "0x" + f"{5:064x}") == 5


def test_a_contract_that_was_never_compiled_is_named_with_what_to_do() -> None:
    with pytest.raises(SeawallError, match=r"contract Nowhere: .*compile\.mjs"):
        artifacts.ours("Nowhere")
    with pytest.raises(SeawallError, match="Bank: no function rob"):
        artifacts.ours("Bank").call("rob")
