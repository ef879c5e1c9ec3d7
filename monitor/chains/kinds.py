"""What sort of chain it is: which of the things that Ethereum's nodes offer are not to be had there, and what is instead."""

import msgspec


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """`mempool`: pending transactions are public. `flashblocks`: the block being built may be read as it grows.

    `feed`: the sequencer tells its messages by number, where an address of its feed is configured.
    """

    mempool: bool = True
    flashblocks: bool = False
    feed: bool = False


KINDS: dict[str, Traits] = {
    "ethereum": Traits(),
    "optimism": Traits(mempool=False, flashblocks=True),
    "base": Traits(mempool=False, flashblocks=True),
    "arbitrum": Traits(mempool=False, feed=True),
}
"""By the configuration's word for it; a chain like one of these is configured as that one."""
