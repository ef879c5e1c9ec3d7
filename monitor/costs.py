"""What a configuration costs in calls to each node, by its chain's rhythm, what is watched and what the node offers. Pure.

A call is one JSON-RPC request, those inside a batch counted one by one, as providers count them and as `rate` limits them.
"""

from collections.abc import Mapping, Sequence

import msgspec

from monitor.chains.attended import EVERY as LOOKS_EVERY
from monitor.chains.capabilities import Capabilities
from monitor.chains.kinds import Traits
from monitor.config import ChainConfig, Contract, PoolKind
from monitor.feeds.contexts import ROUND
from monitor.feeds.flashblocks import EVERY as FLASH_EVERY
from monitor.feeds.heads import AUDITED
from monitor.feeds.l1_fee import EVERY as FEE_EVERY
from monitor.feeds.quorum import EVERY as VOTES_EVERY

DAY = 86_400.0
HEADS_EVERY = 1.0
"""Seconds after which the newest block is asked for though nothing rang."""

READS = {
    PoolKind.UNISWAP_V2: 7, PoolKind.UNISWAP_V3: 6, PoolKind.CURVE: 4, PoolKind.ERC4626: 3, PoolKind.HOLDINGS: 1,
    PoolKind.ACCOUNTS: 2,
}  # fmt: skip
"""Reads of one state, without the assets of `holdings` and `accounts`, and of a Curve pool of two coins; a test holds them."""

TOKENS = {PoolKind.UNISWAP_V2: 2, PoolKind.UNISWAP_V3: 2, PoolKind.CURVE: 2, PoolKind.ERC4626: 1}
"""Tokens that are followed though none is listed: those that move there."""

AGAIN = 1.0
"""Simulations of a near transaction beside the first: after a block that may change its verdict, or its sender's earlier one."""

ENVIRONMENTS = 2
"""Other environments in which one that looks harmless is run."""

EXIT_READS = {"eoa": 6, "safe": 3}
"""Reads of one look at an on-chain pause."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Of one chain, as measured: transactions in a block, the share of them that call code, and of blocks that touch a contract.

    `near` are the transactions of a block that leave logs at watched contracts. `touched` None: not measured, so every block is
    taken to touch everything.
    """

    transactions: float
    calls: float = 0.7
    near: float = 0.0
    touched: Mapping[str, float] | None = None


class Item(msgspec.Struct, frozen=True):
    """What is asked for, and so many calls a day."""

    what: str
    calls: float


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One node's. `burst` is the calls that come together with one block, `rate` what its plan allows a second."""

    items: tuple[Item, ...]
    burst: float
    rate: float | None = None

    @property
    def a_day(self) -> float:
        """All of it."""
        return sum(item.calls for item in self.items)

    @property
    def a_second(self) -> float:
        """On average."""
        return self.a_day / DAY

    @property
    def verdict(self) -> str:
        """Compared with the plan's limit, in words; empty where none is configured or it is enough."""
        if self.rate is None:
            return ""
        if self.a_second > self.rate:
            return (
                f"rate {self.rate:g} is too small: {self.a_second:.1f} calls a second are needed on average; blocks fall behind"
            )
        if self.burst > self.rate:
            wait = self.burst / self.rate
            return f"rate {self.rate:g} is tight: a block brings {self.burst:.0f} calls at once, and is done {wait:.1f} s later"
        return ""


def leading(
    chain: ChainConfig, capabilities: Capabilities, traits: Traits, traffic: Traffic, contracts: Sequence[Contract],
    exits: Sequence[str], rate: float | None,
) -> Bill:  # fmt: skip
    """The bill of the node in the lead. `exits` are the kinds of the configured on-chain pauses."""
    blocks = DAY / chain.block_time
    state = sum(_reads(one) * _share(one, traffic) for one in contracts)
    traced = _traced(capabilities, traffic)
    looks = sum(EXIT_READS[kind] for kind in exits)
    items = [
        Item("newest, safe and final block", DAY / min(chain.block_time, HEADS_EVERY) * (3 if capabilities.tags else 1)),
        Item("logs of blocks, and their proof", blocks * (1 + 1 / AUDITED)),
        Item("traces of blocks", blocks * traced),
        Item("state of what is watched", blocks * state),
        *_pending(chain, capabilities, traits, traffic),
        Item("on-chain pauses", blocks * looks),
        Item("fees", blocks if chain.gas.enabled else 0.0),
        *_layer_two(traits),
        _health(capabilities),
    ]
    burst = 4 + traced + sum(map(_reads, contracts)) + looks
    return Bill(items=tuple(item for item in items if item.calls), burst=burst, rate=rate)


def beside(chain: ChainConfig, capabilities: Capabilities, rate: float | None) -> Bill:
    """The bill of a node that does not lead: it is looked after, votes, and is asked where the first is slow."""
    blocks = DAY / chain.block_time
    items = [
        _health(capabilities),
        Item("second questions, at most", blocks * 0.1 + DAY / min(chain.block_time, HEADS_EVERY) * 0.1),
        Item("votes", DAY / VOTES_EVERY if chain.quorum > 1 else 0.0),
    ]
    return Bill(items=tuple(item for item in items if item.calls), burst=4.0, rate=rate)


def _health(capabilities: Capabilities) -> Item:
    return Item("how it is doing", DAY / LOOKS_EVERY * (4 if capabilities.tags else 2))


def _traced(capabilities: Capabilities, traffic: Traffic) -> float:
    """Calls for the traces of one block. An empty one is not traced."""
    nonempty = min(1.0, traffic.transactions)
    if capabilities.rows:
        return 2 * nonempty
    return nonempty if capabilities.trace_block else traffic.transactions


def _reads(contract: Contract) -> int:
    """Reads of one contract in a block that touches it: its state, then balances and supply for the context of verdicts."""
    tokens = max(len(contract.assets), TOKENS.get(contract.kind, 0))
    own = READS[contract.kind]
    if contract.kind in {PoolKind.HOLDINGS, PoolKind.ACCOUNTS}:
        own += tokens + len(contract.asks)
    return own + 1 + tokens + 1


def _share(contract: Contract, traffic: Traffic) -> float:
    """The share of blocks in which it is read: those that touch it, and its turn in each round of the others."""
    touched = 1.0 if traffic.touched is None else min(1.0, traffic.touched.get(contract.address, 0.0))
    return touched + (1 - touched) / ROUND


def _pending(chain: ChainConfig, capabilities: Capabilities, traits: Traits, traffic: Traffic) -> list[Item]:
    blocks = DAY / chain.block_time
    first = blocks * traffic.transactions * traffic.calls
    if traits.flashblocks:
        return [Item("the block being built", DAY / FLASH_EVERY), Item("simulations", first)]
    if not capabilities.mempool:
        return []
    lookups = 0.0 if capabilities.full_pending else blocks * traffic.transactions
    if not capabilities.trace_call:
        return [Item("pending transactions by hash", lookups)]
    near = blocks * traffic.near
    other = min(near, chain.reruns.rate * DAY) * ENVIRONMENTS if chain.reruns.enabled else 0.0
    return [
        Item("pending transactions by hash", lookups),
        Item("simulations of pending calls", first),
        Item("second looks at those near what is watched", near * AGAIN + other),
    ]


def _layer_two(traits: Traits) -> list[Item]:
    return [Item("layer 1's fee", DAY / FEE_EVERY)] if traits.l1_fee else []
