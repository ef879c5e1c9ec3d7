"""What sort of chain it is: which of the things that Ethereum's nodes offer are not to be had there, and what is instead."""

import msgspec


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """`mempool`: pending transactions are public. `flashblocks`: the block being built may be read as it grows.

    `feed`: the sequencer tells its messages by number, where an address of its feed is configured. `l1_fee`: whose fee contract
    says what data costs on layer 1 (`op_stack`, `arbitrum`).
    """

    mempool: bool = True
    flashblocks: bool = False
    feed: bool = False
    l1_fee: str = ""


KINDS: dict[str, Traits] = {
    "ethereum": Traits(),
    "optimism": Traits(mempool=False, flashblocks=True, l1_fee="op_stack"),
    "base": Traits(mempool=False, flashblocks=True, l1_fee="op_stack"),
    "arbitrum": Traits(mempool=False, feed=True, l1_fee="arbitrum"),
}
"""By the configuration's word for it; a chain like one of these is configured as that one."""
