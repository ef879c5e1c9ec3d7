"""What the world says: every event a detector can see. Plain values; time is always an argument.

No field assumes twenty-byte addresses or numbered parents: a block is a `Position` (a height that orders it and an id that
names it), addresses and ids are text (EVM addresses lower case, normalised once at the edge). Wei and token amounts are `int`
of any width; times are unix seconds.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec


class Stage(StrEnum):
    """How sure the chain is of what it showed us, weakest first."""

    PENDING = "pending"
    PRECONFIRMED = "preconfirmed"
    INCLUDED = "included"
    SAFE = "safe"
    FINAL = "final"


class Position(msgspec.Struct, frozen=True, gc=False):
    """A block by height and id; `parent` is the id it builds on, None where the chain does not say."""

    height: int
    id: str
    parent: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True):
    """The root: which chain it is about (CAIP-2, e.g. `eip155:1`) and when we saw it (unix seconds)."""

    chain: str
    at: float

    @property
    def key(self) -> str:
        """A stable name of this event for the `causes` of a finding."""
        return f"{self.chain}/{type(self).__name__.lower()}"


class Block(Event, frozen=True, kw_only=True):
    """A new canonical block, before its executions. `timestamp` is the chain's own clock, seconds; fees in wei."""

    position: Position
    timestamp: float
    base_fee: int | None = None
    gas_used: int = 0
    gas_limit: int = 0
    transactions: int = 0

    @property
    def key(self) -> str:
        """Named by the block's id."""
        return f"{self.chain}/block/{self.position.id}"


class Transaction(Event, frozen=True, kw_only=True):
    """A transaction seen before any block holds it. `at` is when the node pushed it to us; `stage` pending or preconfirmed."""

    id: str
    sender: str
    to: str | None
    value: int
    input: str
    nonce: int
    gas: int
    max_fee: int
    stage: Stage = Stage.PENDING

    @property
    def key(self) -> str:
        """Named by the transaction's id."""
        return f"{self.chain}/tx/{self.id}"


class Dropped(Event, frozen=True, kw_only=True):
    """A pending transaction will not come: `reason` is dropped or replaced."""

    id: str
    reason: str

    @property
    def key(self) -> str:
        """Named by the transaction's id."""
        return f"{self.chain}/tx/{self.id}"


class PoolState(Event, frozen=True, kw_only=True):
    """What a watched contract holds, read at the end of a block.

    `kind` is the pool kind (uniswap_v2, erc4626, holdings …), `reserves` maps asset to amount (`native` for the chain's coin),
    `supply` the shares outstanding, `extra` the numbers only that kind has (e.g. `total_assets`, `fee_shares`).
    """

    position: Position
    pool: str
    kind: str
    reserves: dict[str, int]
    supply: int = 0
    extra: dict[str, int] = {}

    @property
    def key(self) -> str:
        """Named by pool and block id."""
        return f"{self.chain}/pool/{self.pool}@{self.position.id}"


class Price(Event, frozen=True, kw_only=True):
    """What one base unit of `token` was worth at the parent block: `value` of `unit` (`usd`, or another token's address)."""

    position: Position
    token: str
    value: float
    unit: str = "usd"


class Committed(Event, frozen=True, kw_only=True):
    """Every event of the blocks first..last (heights, inclusive) was given out.

    `finalized` is the height nothing can undo, `safe` the one that little short of an attack on the chain can (-1: not known).
    `agreed` is the height that enough nodes have vouched for (-1: none; None: nobody was asked).
    """

    first: Position
    last: Position
    finalized: int = -1
    safe: int = -1
    agreed: int | None = None


class Reverted(Event, frozen=True, kw_only=True):
    """The blocks first..last (heights, inclusive) are no longer on the chain: what they caused must leave no trace."""

    first: Position
    last: Position


class Gap(Event, frozen=True, kw_only=True):
    """A feed lost `lost` items by its declared rule, for `reason`: what was in them is unknown."""

    feed: str
    lost: int
    reason: str = ""


class Unjudged(Event, frozen=True, kw_only=True):
    """A transaction whose execution could not be had: too big, too deep, no tracer, late. Suspicious or unknown, never clean."""

    id: str
    stage: Stage
    reason: str
    touches: tuple[str, ...] = ()
    position: Position | None = None

    @property
    def key(self) -> str:
        """Named by the transaction's id."""
        return f"{self.chain}/tx/{self.id}"


class Party(msgspec.Struct, frozen=True, gc=False):
    """Someone on a list. `chain` None: on all. It holds from `since` until before `until` (unix seconds; None: always)."""

    address: str
    chain: str | None = None
    since: float | None = None
    until: float | None = None


class PartyList(Event, frozen=True, kw_only=True):
    """The list `name`, all of it, in a new `version` (a hash of what it says). It takes the place of what it said before."""

    name: str
    version: str
    parties: tuple[Party, ...]

    @property
    def key(self) -> str:
        """Named by list and version."""
        return f"{self.chain}/list/{self.name}@{self.version}"


class Tick(Event, frozen=True, kw_only=True):
    """Time passed; the only way time enters the pure parts. `chain` is `*`."""

    EVERYWHERE: ClassVar[str] = "*"
