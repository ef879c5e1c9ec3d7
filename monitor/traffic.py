"""What a chain's newest blocks tell of its traffic: how full they are, and how often they touch what is watched."""

from collections import defaultdict
from collections.abc import Collection

import msgspec

from monitor.chains.evm import Address, Quantity, quantity
from monitor.chains.rpc import Ask, Rpc
from monitor.costs import Traffic
from monitor.errors import NodeError

BLOCKS, SPAN = 8, 100
"""Newest blocks read in full, and blocks whose logs are looked through."""

WITHIN = 10.0


class _Tx(msgspec.Struct):
    input: str = "0x"


class _Block(msgspec.Struct):
    transactions: list[_Tx]


class _Log(msgspec.Struct, rename="camel"):
    address: Address
    block_number: Quantity
    transaction_hash: str


async def measured(rpc: Rpc, head: int, watched: Collection[str]) -> Traffic | None:
    """The traffic up to this height; None where the node does not tell."""
    first = max(0, head - BLOCKS + 1)
    asks = [Ask("eth_getBlockByNumber", (hex(height), True), _Block | None) for height in range(first, head + 1)]
    try:
        told = [block for block in await rpc.batch(asks, timeout=WITHIN) if isinstance(block, _Block)]
    except NodeError:
        return None
    if not told:
        return None
    sent = [tx for block in told for tx in block.transactions]
    calls = sum(len(tx.input) > len("0x") for tx in sent) / len(sent) if sent else 0.7
    near, touched = await _touched(rpc, head, watched)
    return Traffic(transactions=len(sent) / len(told), calls=calls, near=near, touched=touched)


async def _touched(rpc: Rpc, head: int, watched: Collection[str]) -> tuple[float, dict[str, float] | None]:
    """Transactions in a block that leave logs at watched contracts, and the share of blocks in which each of these left one.

    0 and None where the node does not look so far back.
    """
    span = min(SPAN, head + 1)
    asked = {"address": sorted(watched), "fromBlock": hex(head - span + 1), "toBlock": hex(head)}
    if not watched:
        return 0.0, {}
    try:
        found = await rpc.call("eth_getLogs", (asked,), timeout=WITHIN, type=list[_Log])
    except NodeError:
        return 0.0, None
    heights: dict[str, set[int]] = defaultdict(set)
    for entry in found:
        heights[entry.address.lower()].add(quantity(entry.block_number))
    near = len({entry.transaction_hash for entry in found}) / span
    return near, {address: len(heights[address]) / span for address in watched}
