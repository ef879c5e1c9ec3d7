"""Tiny contracts in raw bytecode, for what a trace must show exactly; and a node with a connection to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil

GAS = hex(5_000_000)
CHAIN = "eip155:31337"
ON, OFF = True, False
HASHES = False
"""For eth_getBlockByNumber: transactions by hash, not in full."""


def code(*parts: str | bytes) -> bytes:
    """Hex and bytes, one after another."""
    return b"".join(bytes.fromhex(part) if isinstance(part, str) else part for part in parts)


def push(value: int | str) -> bytes:
    """The shortest PUSH of a number, or PUSH20 of an address."""
    if isinstance(value, str):
        return b"\x73" + bytes.fromhex(value[2:])
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([0x5F + size]) + value.to_bytes(size, "big")


def invoke(to: str, *, value: int = 0, kind: str = "CALL", gas: int = 100_000) -> bytes:
    """Call `to` without data, drop the success word."""
    head = b"\x5f\x5f\x5f\x5f"
    opcode = {"CALL": b"\xf1", "CALLCODE": b"\xf2", "DELEGATECALL": b"\xf4", "STATICCALL": b"\xfa"}[kind]
    paid = push(value) if kind in {"CALL", "CALLCODE"} else b""
    return head + paid + push(to) + push(gas) + opcode + b"\x50"


def create(first_byte: str) -> bytes:
    """CREATE with one byte of init code, drop the address: `00` succeeds, `fe` fails."""
    return code("60", first_byte, "5f53", "60015f5ff050")


def deployer(runtime: bytes) -> str:
    """Init code that leaves `runtime` as the contract's code."""
    size = len(runtime).to_bytes(2, "big")
    return "0x" + code("61", size, "600c", "5f39", "61", size, "5ff3", runtime).hex()


class Chain:
    """A node of one's own, its first account, and one connection."""

    def __init__(self, node: Anvil, rpc: Rpc, me: str) -> None:
        self.node, self.rpc, self.me = node, rpc, me

    async def ask(self, method: str, *params: object) -> Any:  # noqa: ANN401 - whatever the node says
        """One call with a deadline."""
        return await self.rpc.call(method, list(params), timeout=10.0)

    async def send(self, to: str | None, *, value: int = 0, data: str = "0x", **more: object) -> str:
        """Send from the first account; the transaction's hash."""
        tx = {"from": self.me, "value": hex(value), "data": data, "gas": GAS, **more}
        return str(await self.ask("eth_sendTransaction", tx if to is None else tx | {"to": to}))

    async def receipt(self, tx: str) -> dict[str, Any]:
        """What came of a transaction that is, or is about to be, mined."""
        async with asyncio.timeout(10):
            while (found := await self.ask("eth_getTransactionReceipt", tx)) is None:  # noqa: ASYNC110 - a node shows a receipt only when asked
                await asyncio.sleep(0.01)
        return dict(found)

    async def deploy(self, *runtime: str | bytes) -> str:
        """A contract with this code; its address."""
        receipt = await self.receipt(await self.send(None, data=deployer(code(*runtime))))
        assert receipt["status"] == "0x1", receipt
        return str(receipt["contractAddress"])


@asynccontextmanager
async def chain(*options: str) -> AsyncIterator[Chain]:
    """A fresh anvil and a connection that takes traces."""
    async with await Anvil.start(*options) as node:
        rpc = await Rpc.connect(node.ws, provider="anvil", chain=CHAIN, max_size=64 << 20)
        try:
            yield Chain(node, rpc, (await rpc.call("eth_accounts", [], timeout=5.0))[0])
        finally:
            await rpc.close()
