"""What one chain has told of its watched contracts: holdings, prices and the hour. A reverted block leaves no trace."""

from collections.abc import Callable
from math import isfinite
from typing import TypeVar

import msgspec

from detectors._math.undo import Map, Undo
from detectors.events import Block, Committed, Event, PoolState, Price, Reverted, Stage
from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger
from detectors.execution.outflow import Holding, Known

Kept = TypeVar("Kept", bound="Books")

MINED = frozenset((Stage.INCLUDED, Stage.SAFE, Stage.FINAL))
"""Stages that change state; a transaction seen earlier may never happen."""


def counts(event: Execution) -> bool:
    """Does this change state? Mined, and seen for the first time."""
    return event.stage in MINED and event.position is not None and not event.supersedes


def turn(log: Undo, event: Committed | Reverted) -> None:
    """Forget the way back behind what is final; go back over what is not on the chain any more."""
    if isinstance(event, Committed):
        log.forget(event.finalized)
    else:
        log.revert(event.first.height)


class Books:
    """One chain's holdings at the end of its newest block, moved on by the transactions since; prices; the chain's clock.

    Whoever keeps more opens further maps on the same `log`.
    """

    def __init__(self) -> None:
        self.log = Undo()
        self.held: Map[str, Holding] = self.log.map()
        self.prices: Map[str, tuple[str, float]] = self.log.map()
        self.clock: Map[str, float] = self.log.map()

    def learn(self, event: Block | PoolState | Price) -> None:
        """Open the block; take a reading, a price, the time."""
        self.log.open(event.position.height)
        if isinstance(event, PoolState):
            total, token = event.extra.get("total_assets", 0), event.extra.get("share_token", 0)
            shares = f"0x{token & (1 << 160) - 1:040x}" if token else ""
            self.held[event.pool] = Holding(event.kind, dict(event.reserves), event.supply, total, shares)
        elif isinstance(event, Price):
            if isfinite(event.value) and event.value > 0:
                self.prices[event.token] = (event.unit, event.value)
        elif isfinite(event.timestamp):
            self.clock["now"] = event.timestamp
            if "started" not in self.clock:
                self.clock["started"] = event.timestamp

    def now(self, event: Event) -> float:
        """The chain's time, unix seconds; without a block yet, when the event was seen."""
        return self.clock.get("now", event.at)

    def move(self, ledger: Ledger, address: str, share: str) -> None:
        """A mined transaction has moved what this known contract holds."""
        holding, changes = self.held[address], ledger.assets(address)
        reserves = {asset: max(0, amount + changes.get(asset, 0)) for asset, amount in holding.reserves.items()}
        supply = max(0, holding.supply + ledger.mints(share) - ledger.burns(share))
        self.held[address] = msgspec.structs.replace(holding, reserves=reserves, supply=supply)


def attend(shelf: dict[str, Kept], event: Event, new: Callable[[], Kept]) -> Kept | None:
    """Show an event that is no execution to its chain's books, which are begun by the first block, reading or price.

    The chain's books come back, None while there are none.
    """
    books = shelf.get(event.chain)
    if isinstance(event, Block | PoolState | Price):
        if books is None:
            books = shelf[event.chain] = new()
        books.learn(event)
    elif isinstance(event, Committed | Reverted) and books is not None:
        turn(books.log, event)
    return books


def known(event: Execution, books: Books | None, address: str, share_token: str | None = None) -> Known:
    """What is known of a contract before this transaction, from the books and the execution's own context."""
    holding = books.held.get(address) if books is not None else None
    token = share_token or (holding.shares if holding is not None else "") or address
    return Known(event.chain, address, event.context, holding, books.prices if books is not None else {}, token)
