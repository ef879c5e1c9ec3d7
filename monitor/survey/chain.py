"""The chain behind a node, as a configuration must say it: its id, its rhythm, what counts as final, what the node lacks."""

import math

import msgspec

from detectors.events import Position
from monitor.chains.capabilities import Capabilities, of_kind, probe
from monitor.chains.evm import Evm
from monitor.chains.kinds import KINDS
from monitor.chains.rpc import Rpc

WITHIN = 10.0
LOOK_BACK = 200
"""Blocks over which the time between two is measured."""

NAMES = {1: "ethereum", 10: "optimism", 56: "bsc", 100: "gnosis", 137: "polygon", 8453: "base", 42161: "arbitrum", 31337: "local"}
"""What chains are commonly called; another is `chain-N`."""

USUAL = 12.0
"""Seconds between blocks where nothing can be measured."""

LEAST_BLIND = 10.0
BLOCKS_UNTIL_BLIND = 5


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is CAIP-2. `block_time` and `blind_after` in seconds; `measured`: over so many blocks, 0 for a usual value."""

    id: str
    name: str
    kind: str
    at: Position
    timestamp: int
    block_time: float
    measured: int
    capabilities: Capabilities

    @property
    def blind_after(self) -> float:
        """Long enough for an unlucky pause between blocks, short enough to matter."""
        return float(math.ceil(max(LEAST_BLIND, BLOCKS_UNTIL_BLIND * self.block_time)))


async def setting(rpc: Rpc) -> Setting:
    """Ask a node about its chain. Raises NodeError."""
    number = await Evm(rpc, chain="", verify=False).chain_id(within=WITHIN)
    chain = f"eip155:{number}"
    evm = Evm(rpc, chain=chain, tags=False, verify=False)
    head = (await evm.extent(within=WITHIN)).head
    span = min(LOOK_BACK, head.position.height)
    first = await evm.block(head.position.height - span, within=WITHIN) if span else None
    seconds = (head.timestamp - first.timestamp) / span if first is not None and span > 1 else 0.0
    name = NAMES.get(number, f"chain-{number}")
    kind = name if name in KINDS else "ethereum"
    return Setting(
        id=chain, name=name, kind=kind, at=head.position, timestamp=head.timestamp,
        block_time=rounded(seconds) if seconds > 0 else USUAL, measured=span if seconds > 0 else 0,
        capabilities=of_kind(await probe(rpc, chain=chain), KINDS[kind]),
    )  # fmt: skip


def rounded(seconds: float) -> float:
    """To a quarter of a second below three, to a whole one above; never nothing.

    >>> rounded(12.07), rounded(2.002), rounded(0.2513), rounded(0.01)
    (12.0, 2.0, 0.25, 0.25)
    """
    return float(round(seconds)) if seconds >= 3 else max(0.25, round(seconds * 4) / 4)
