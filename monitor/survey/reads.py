"""Reads of a stranger's contract at one block: many in a frame, bounded, and a refusal is an answer too."""

from collections.abc import Iterable, Sequence

from detectors.events import Position
from monitor.chains.rpc import Ask
from monitor.errors import NodeError
from monitor.feeds.pools.asked import Batcher
from monitor.feeds.pools.base import number

WITHIN = 10.0
"""Seconds for one frame."""

_FRAME = 50
_GAS = "0x1e8480"
"""Gas of one read, 2,000,000: what pads its answer with more memory than that buys is no contract to be described."""

OWNER, SYMBOL, DECIMALS = "0x8da5cb5b", "0x95d89b41", "0x313ce567"


class Look:
    """A node at one block. Everything that it is asked is pinned to the block's hash."""

    def __init__(self, rpc: Batcher, at: Position) -> None:
        self.rpc = rpc
        self.at = at

    async def views(self, reads: Iterable[tuple[str, str]]) -> list[str | None]:
        """What (contract, call data) return, in order; None where it reverts. Raises NodeError when the node gives nothing."""
        pin = {"blockHash": self.at.id}
        return await self._all([Ask("eth_call", [{"to": to, "data": data, "gas": _GAS}, pin]) for to, data in reads])

    async def view(self, contract: str, data: str) -> str | None:
        """One of them."""
        return (await self.views([(contract, data)]))[0]

    async def codes(self, addresses: Sequence[str]) -> dict[str, str]:
        """The code at each address, hex without 0x in lower case; empty where there is none.

        Raises NodeError, also where the node refuses: a refusal must not read as an address without a contract.
        """
        pin = {"blockHash": self.at.id}
        told = await self._all([Ask("eth_getCode", [address, pin]) for address in addresses])
        if None in told:
            raise NodeError(f"eth_getCode at block {self.at.height} was refused; does the node take block hashes (EIP-1898)?")
        return {address: (code or "").lower().removeprefix("0x") for address, code in zip(addresses, told, strict=True)}

    async def slots(self, contract: str, slots: Sequence[str]) -> list[str | None]:
        """The address in each storage slot; None where there is none."""
        pin = {"blockHash": self.at.id}
        told = await self._all([Ask("eth_getStorageAt", [contract, slot, pin]) for slot in slots])
        return [named(word) for word in told]

    async def _all(self, asks: Sequence[Ask]) -> list[str | None]:
        answers: list[str | None] = []
        for start in range(0, len(asks), _FRAME):
            replies = await self.rpc.batch(asks[start : start + _FRAME], timeout=WITHIN)
            answers += [reply if isinstance(reply, str) else None for reply in replies]
        return answers


def named(word: str | None) -> str | None:
    """The address in a word, None where it is zero, no word, or too big to be one.

    >>> named("0x" + "00" * 12 + "ab" * 20)
    '0xabababababababababababababababababababab'
    >>> named("0x" + "00" * 32), named("0x" + "ff" * 32), named(None)
    (None, None, None)
    """
    value = number(word)
    if not value or value >> 160 or len(word or "") > 66:
        return None
    return f"0x{value:040x}"
