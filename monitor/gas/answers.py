"""What is said about a chain's fees: plain values, so that a door can serve them without loading anything numeric."""

from typing import Annotated, Protocol

import msgspec

LONGEST_WAIT, LONGEST_STAY = 1800, 50
"""Blocks: the furthest deadline that is advised on, and the longest a cap's sufficiency is known for."""

RUNGS = ("persistence", "average", "structural", "linear", "network", "backlog")
"""Who can answer: the ladder from cold, and Arbitrum's backlog, which needs none."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants to know besides the forecast.

    `deadline` blocks it may wait; `urgency` 0 (patient) to 1 (now); `cap` and `tip` gwei per gas; `within` blocks.
    """

    deadline: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT)] = 25
    urgency: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    cap: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None
    tip: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    within: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_STAY)] = 5


class Block(msgspec.Struct, frozen=True):
    """The newest verified header an answer rests on; `timestamp` is the chain's, unix seconds."""

    number: int
    hash: str
    timestamp: int


class Spread(msgspec.Struct, frozen=True):
    """A fee so many blocks ahead, gwei: the median and the edges of the 80 % (q10..q90) and 95 % (q025..q975) intervals."""

    point: float
    q025: float
    q10: float
    q90: float
    q975: float


class Fitted(msgspec.Struct, frozen=True):
    """The model in use: its kind, and the blocks whose headers it was fitted on (None: nothing was fitted yet)."""

    name: str
    first: int | None = None
    last: int | None = None


class Lived(msgspec.Struct, frozen=True):
    """How answers at one horizon have come true, newest counting most, a day's blocks' worth.

    `scored` answers; shares inside both intervals; mean pinball loss in log units; mean error over that of saying "as the next".
    """

    scored: int
    coverage80: float
    coverage95: float
    pinball: float
    mase: float | None


class Tips(msgspec.Struct, frozen=True):
    """Priority fees to offer for the next block, wei per gas, after the rewards of block `number`."""

    cheap: int
    usual: int
    urgent: int
    number: int


class Blobs(msgspec.Struct, frozen=True):
    """Wei per blob gas: of the next block (exact), and by blocks ahead and quantile."""

    next_fee: int
    ahead: dict[int, dict[str, int]]


class Advised(msgspec.Struct, frozen=True, kw_only=True):
    """Send now, or wait until the next fee is at or below `reservation` (gwei), `deadline` blocks at most.

    `expected_saving` is the share of the price that waiting saves on average, `regret95` the share more that waiting to the end
    costs in one case of twenty, `release` how much of a batch to send now (0..1).
    """

    deadline: int
    urgency: float
    send: bool
    reason: str
    reservation: float | None
    expected_saving: float
    regret95: float
    release: float


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Of a transaction with this cap (gwei, `tip` of it for the proposer) and `within` blocks.

    `probability` that some block's base fee leaves room for it, `throughout` that every one's does.
    """

    cap: float
    tip: float
    within: int
    probability: float
    throughout: float


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one chain's fees after its newest block. Fees in gwei unless the name says wei.

    `recent` are base fees up to this block, oldest first, one a block; `seen_at` is our clock, unix seconds.
    """

    chain: str
    name: str
    block: Block
    seen_at: float
    base_fee_wei: int
    next_fee_wei: int
    ahead: dict[int, Spread]
    caps: dict[int, dict[str, float]]
    model: Fitted
    degraded: str | None
    surprise: float
    recent: list[float]
    priority_wei: Tips | None = None
    blob_wei: Blobs | None = None
    lived: dict[int, Lived] = {}


class Oracle(Protocol):
    """Who can be asked about one chain's fees. `trouble` says why `outlook` is None, or what is wrong with it."""

    name: str
    chain: str

    @property
    def outlook(self) -> Outlook | None:
        """The newest, degraded when it is old."""

    @property
    def trouble(self) -> str | None:
        """Why there is nothing to say yet."""

    def advise(self, question: Question) -> tuple[Advised, Inclusion | None]:
        """Advice on the newest outlook. Raises LookupError while there is none."""
