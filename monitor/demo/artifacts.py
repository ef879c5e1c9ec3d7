"""Contract artifacts: our own, committed beside this file, and Uniswap V2's real ones from the npm packages."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from eth_abi.abi import decode, encode
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types, get_abi_output_types

from monitor.errors import SeawallError

_HERE = Path(__file__).resolve().parent
_ROOTS = (Path(), _HERE.parents[1])
_UNISWAP = {
    "UniswapV2Factory": "v2-core",
    "UniswapV2Pair": "v2-core",
    "UniswapV2Router02": "v2-periphery",
    "WETH9": "v2-periphery",
}


class Artifact(msgspec.Struct, frozen=True):
    """A compiled contract: its name, JSON ABI and creation bytecode (0x-hex). Encodes calls and decodes what they return."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str

    def call(self, function: str, *arguments: object) -> str:
        """Calldata (0x-hex) of a function by name. Raises SeawallError when the contract has no such function."""
        entry = self._entry("function", function)
        return "0x" + (function_abi_to_4byte_selector(entry) + encode(get_abi_input_types(entry), arguments)).hex()  # type: ignore[arg-type]

    def creation(self, *arguments: object) -> str:
        """Data (0x-hex) of the transaction that deploys it."""
        if not arguments:
            return self.bytecode
        return self.bytecode + encode(get_abi_input_types(self._entry("constructor")), arguments).hex()  # type: ignore[arg-type]

    def returned(self, function: str, data: str) -> Any:  # noqa: ANN401 - as many shapes as the ABI has
        """What a call of `function` returned: one value bare, several as a tuple."""
        values = decode(get_abi_output_types(self._entry("function", function)), bytes.fromhex(data[2:]))  # type: ignore[arg-type]
        return values[0] if len(values) == 1 else values

    def _entry(self, kind: str, name: str | None = None) -> dict[str, Any]:
        for entry in self.abi:
            if entry.get("type") == kind and (name is None or entry.get("name") == name):
                return entry
        raise SeawallError(f"{self.name}: no {kind} {name or ''} in its ABI; was the artifact recompiled?")


@cache
def ours(name: str) -> Artifact:
    """One of our contracts (`Bank`, `Lender` …). Raises SeawallError when it was never compiled."""
    return _load(name, _HERE / "artifacts" / f"{name}.json", "run `node monitor/demo/compile.mjs`")


@cache
def uniswap(name: str) -> Artifact:
    """A Uniswap V2 contract as published (UniswapV2Factory, UniswapV2Pair, UniswapV2Router02, WETH9).

    Raises SeawallError when the npm packages are not installed.
    """
    inside = Path("node_modules", "@uniswap", _UNISWAP[name], "build", f"{name}.json")
    found = next((root / inside for root in _ROOTS if (root / inside).exists()), inside)
    return _load(name, found, "run `make setup` in the project")


def _load(name: str, path: Path, remedy: str) -> Artifact:
    try:
        raw = msgspec.json.decode(path.read_bytes())
        return Artifact(name, raw["abi"], "0x" + raw["bytecode"].removeprefix("0x"))
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise SeawallError(f"contract {name}: cannot read {path} ({type(error).__name__}); {remedy}") from error
