"""The seam of a pool kind: which reads at a block tell its state, and how their words make a PoolState.

Encoded by hand: every read here is a selector and at most one address, and web3 is slow to import and slow to call.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Self

from detectors.events import PoolState, Position

NATIVE = "native"
ZERO = "0x" + "0" * 40

BALANCE_OF = "0x70a08231"
TOTAL_SUPPLY = "0x18160ddd"

_GAS = "0x989680"
"""Gas a read of what the operator listed may burn."""

_STRANGERS_GAS = "0x30d40"
"""Gas of a read of a token that anyone may have sent, 200,000: twice what the dearest honest balances take (proxies, rebasing
tokens), and too little to hold the node up, or to pay for an answer longer than 0.3 MB.
"""


class Read(NamedTuple):
    """One read of `contract`: its native balance where `data` is None, else a call. `stranger`: nobody listed the contract."""

    contract: str
    data: str | None = None
    stranger: bool = False

    def request(self, block: str) -> tuple[str, list[object]]:
        """Method and params, pinned to the block with this hash (an unknown hash is an error, never an empty answer)."""
        pin = {"blockHash": block}
        if self.data is None:
            return "eth_getBalance", [self.contract, pin]
        gas = _STRANGERS_GAS if self.stranger else _GAS
        return "eth_call", [{"to": self.contract, "data": self.data, "gas": gas}, pin]


def balance_of(token: str, holder: str, *, stranger: bool = False) -> Read:
    """What `holder` has of `token`; the chain's coin when it is `native`."""
    return Read(holder) if token == NATIVE else Read(token, BALANCE_OF + holder[2:].rjust(64, "0"), stranger)


def number(answer: str | None, word: int = 0) -> int | None:
    """The unsigned number at this word of an answer, None when the answer is missing or too short.

    >>> number("0x" + "00" * 31 + "05"), number("0x5"), number("0x"), number(None)
    (5, 5, None, None)
    """
    if answer is None:
        return None
    if len(answer) <= 66 and word == 0:
        digits = answer[2:]
    else:
        digits = answer[2 + 64 * word : 66 + 64 * word]
        if len(digits) != 64:
            return None
    try:
        return int(digits, 16)
    except ValueError:
        return None


def account(answer: str | None) -> str | None:
    """The address in an answer's first word, None when there is none."""
    value = number(answer)
    return None if value is None or len(answer or "") < 66 else f"0x{value & (1 << 160) - 1:040x}"


class Pool(ABC):
    """One watched contract of one kind. Learns once what never changes, then is read at block after block."""

    kind: ClassVar[str]

    def __init__(self, contract: str, assets: Sequence[str] = ()) -> None:
        self.contract = contract
        self.assets = tuple(assets)

    @classmethod
    def of(cls, contract: str, assets: Sequence[str] = (), asks: Mapping[str, str] | None = None) -> Self:  # noqa: ARG003
        """The pool at this address; `assets` and `asks` are what the operator listed for it."""
        return cls(contract, assets)

    def facts(self) -> list[Read]:
        """Reads of what never changes and is not known yet; empty once it is."""
        return []

    def learn(self, answers: Sequence[str | None]) -> None:  # noqa: B027 - a kind without facts has nothing to learn
        """Take the answers to `facts`, in order. A missing answer is asked again next time."""

    @abstractmethod
    def calls(self) -> list[Read]:
        """The reads whose answers make a state."""

    @abstractmethod
    def state(self, answers: Sequence[str | None], *, chain: str, at: float, position: Position) -> PoolState | None:
        """The state told by the answers to `calls`, in order; None when what matters is missing."""
