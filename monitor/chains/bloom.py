"""The logs bloom of an Ethereum header: what must be in a block's logs, so that a node that leaves some out is caught.

Yellow Paper §4.3.1: of the Keccak-256 of each address and topic, three 11-bit numbers name bits of a 2048-bit word. The
header's bloom is exactly the union over its logs, so a recomputed one that differs proves that logs are missing or foreign.
"""

from functools import lru_cache

from eth_hash.auto import keccak

FULL = (1 << 2048) - 1
"""Some chains fill the field with ones (or leave it zero) and promise nothing by it."""


@lru_cache(maxsize=65536)
def bits(item: str) -> int:
    """The three bits of one 0x-hex address or topic.

    >>> bits("0x" + "00" * 20).bit_count() <= 3
    True
    """
    digest = keccak(bytes.fromhex(item[2:]))
    found = 0
    for at in (0, 2, 4):
        found |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return found


def may_contain(bloom: int, item: str) -> bool:
    """Could a log with this address or topic be in the block? False is certain."""
    wanted = bits(item)
    return bloom & wanted == wanted


def promises(bloom: int) -> bool:
    """Does this header's bloom say anything about its logs?"""
    return bloom not in {0, FULL}
