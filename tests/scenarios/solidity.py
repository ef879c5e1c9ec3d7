"""Contracts to deploy: the published bytecode of npm packages, and our own Solidity, compiled once and kept outside the tree.

`renamed` gives an attacker the same code under other names: every function of the attackers' own, which their sources spell
`own_…`, is then called by another selector. What a protocol calls back by a fixed name keeps it, as it must.
"""

import hashlib
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from eth_utils.crypto import keccak

from monitor.demo.artifacts import Artifact
from tests.support.parts import CACHE, ROOT, missing, need

HERE = Path(__file__).parent / "contracts"
MODULES = ROOT / "node_modules"
OWN = "own_"

AAVE = "@aave/core-v3/artifacts/contracts"
AAVE_LOGIC = (
    "BorrowLogic",
    "BridgeLogic",
    "ConfiguratorLogic",
    "EModeLogic",
    "FlashLoanLogic",
    "LiquidationLogic",
    "PoolLogic",
    "SupplyLogic",
)

PUBLISHED = {
    "UniswapV1Factory": "@uniswap/v2-periphery/build",
    "UniswapV1Exchange": "@uniswap/v2-periphery/build",
    "UniswapV2Factory": "@uniswap/v2-core/build",
    "UniswapV2Pair": "@uniswap/v2-core/build",
    "UniswapV2Router02": "@uniswap/v2-periphery/build",
    "UniswapV3Factory": "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol",
    "UniswapV3Pool": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol",
    "SwapRouter": "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol",
    "WETH9": "canonical-weth/build/contracts",
    "ERC777PresetFixedSupply": "openzeppelin-3/build/contracts",
    "ERC1155PresetMinterPauser": "openzeppelin-3/build/contracts",
    "ERC721PresetMinterPauserAutoId": "openzeppelin-3/build/contracts",
    "ERC20PresetFixedSupply": "openzeppelin-3/build/contracts",
    **{name: f"{AAVE}/protocol/libraries/logic/{name}.sol" for name in AAVE_LOGIC},
    **{name: f"{AAVE}/protocol/configuration/{name}.sol" for name in ("PoolAddressesProvider", "ACLManager")},
    **{name: f"{AAVE}/protocol/tokenization/{name}.sol" for name in ("AToken", "StableDebtToken", "VariableDebtToken")},
    **{name: f"{AAVE}/protocol/pool/{name}.sol" for name in ("Pool", "PoolConfigurator", "DefaultReserveInterestRateStrategy")},
    "PriceOracle": f"{AAVE}/mocks/oracle/PriceOracle.sol",
    "EntryPoint": "@account-abstraction/contracts/artifacts",
    "SimpleAccountFactory": "@account-abstraction/contracts/artifacts",
    "SimpleAccount": "@account-abstraction/contracts/artifacts",
}
"""Real bytecode by contract name: the folder of its artifact in node_modules."""


def other(name: str) -> str:
    """What a renamed function is called."""
    return "f" + hashlib.sha256(name.encode()).hexdigest()[:12]


@cache
def artifact(name: str, *, renamed: bool = False) -> Artifact:
    """A contract by its name: published if it is one of those, else one of ours. Skips (in CI: fails) without npm's packages."""
    return _published(name) if name in PUBLISHED else ours(renamed=renamed)[name]


def linked(name: str, libraries: Mapping[str, str]) -> Artifact:
    """A published contract with the addresses of its libraries written in; `libraries` by full name, `path:Name`."""
    made = artifact(name)
    code = made.bytecode
    for library, address in libraries.items():
        code = code.replace(f"__${keccak(text=library).hex()[:34]}$__", address[2:])
    return Artifact(name, made.abi, code)


@cache
def ours(*, renamed: bool = False) -> dict[str, Artifact]:
    """All contracts of `contracts/`, compiled by the npm compiler; kept by the content of the sources."""
    sources = {path.name: path.read_text() for path in sorted(HERE.glob("*.sol"))}
    if renamed:
        sources = {name: re.sub(rf"\b{OWN}\w+", lambda found: other(found[0]), text) for name, text in sources.items()}
    script = Path(__file__).with_name("compile.mjs")
    asked = msgspec.json.encode(sources)
    kept = CACHE / "scenarios" / f"{hashlib.sha256(asked + script.read_bytes()).hexdigest()[:24]}.json"
    if not kept.exists():
        if not (MODULES / "solc").exists():
            missing("the npm compiler; run `make setup`")
        told = subprocess.run([need("node"), str(script)], input=asked, cwd=ROOT, capture_output=True, check=False)
        if told.returncode:
            raise AssertionError(told.stderr.decode())
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{hashlib.sha256(told.stdout).hexdigest()[:8]}")
        half.write_bytes(told.stdout)
        half.rename(kept)
    made = msgspec.json.decode(kept.read_bytes())
    return {name: Artifact(name, one["abi"], one["bytecode"]) for name, one in made.items()}


def _published(name: str) -> Artifact:
    path = MODULES / PUBLISHED[name] / f"{name}.json"
    if not path.exists():
        missing(f"{path.relative_to(ROOT)}; run `make setup`")
    raw: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    bytecode = raw["bytecode"] if "bytecode" in raw else raw["evm"]["bytecode"]["object"]
    return Artifact(name, raw["abi"], "0x" + bytecode.removeprefix("0x"))
