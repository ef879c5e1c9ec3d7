"""Whose turn it is: pending transactions wait in four rows, so that no flood keeps an attack from being judged in time.

Near: what has a visible reason to touch a watched contract. Far: everything else. Slow: what was costly (too late, too long), or
has to do with who was; near ones first, contract by contract. Each kind has places of its own, so
that none waits for another. And of a contract never simulated before only one goes at once: traces made to be slow can then hold
one place, not all.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from enum import StrEnum

from detectors.events import Transaction
from monitor.rows import Row, by_contract

AT_A_TIME = 64
"""Transactions moved from one row to another before others have a turn: half a millisecond's worth."""

REMEMBERED = 10_000
"""Costly accounts remembered, and contracts that were not; beyond, the oldest is forgotten."""


class Kind(StrEnum):
    """Which turns somebody takes."""

    NEAR = "near"
    FAR = "far"
    SLOW = "slow"


class Turns:
    """Holds `capacity` transactions; beyond, that with least at stake is given up: a costly one, else a far, else a near one."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._near, self._far, self._slow, self._last = Row(), Row(), Row(by_contract), Row(by_contract)
        self._rows = (self._last, self._slow, self._far, self._near)
        """All, in the order in which they give up."""
        self._flying: dict[str, Row] = {}
        self._tried: dict[tuple[Row, str], OrderedDict[str, Transaction]] = {}
        """Contracts of which the first one is in flight, and who waits for what comes of it."""
        self._free: dict[Row, deque[OrderedDict[str, Transaction]]] = {self._near: deque(), self._far: deque()}
        """Who waited so and need not any more."""
        self._behind: dict[str, OrderedDict[str, Transaction]] = {}
        self._costly: OrderedDict[str, None] = OrderedDict()
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._lost: list[Transaction] = []
        self._changed = {kind: asyncio.Event() for kind in Kind}

    @property
    def size(self) -> int:
        """Transactions that wait."""
        return sum(map(len, self._rows)) + len(self._behind)

    def offer(self, tx: Transaction, *, near: bool = False, slow: bool = False) -> None:
        """Let it wait for its turn; `slow`: it was too slow before."""
        costly = slow or self._is_costly(tx)
        row = (self._slow if costly else self._near) if near else self._last if costly else self._far
        if tx.id not in self._behind:
            for other in self._rows:
                if other is not row:
                    other.forget(tx.id)
            self._put(row, tx)
        while self.size > self.capacity and (lost := self._give_up()) is not None:
            self._lost.append(lost)

    async def take(self, kind: Kind) -> Transaction:
        """The next in turn of this kind; its sender has no other of that row until `done`. One waits a kind."""
        while True:
            self._changed[kind].clear()
            for tx in self._tries(kind):
                if tx is not None:
                    return tx
                await asyncio.sleep(0)
            await self._changed[kind].wait()

    def take_now(self, kind: Kind) -> Transaction | None:
        """As `take`; None when nobody may go."""
        return next((tx for tx in self._tries(kind) if tx is not None), None)

    def waits(self, kind: Kind) -> bool:
        """Does anyone of this kind wait?"""
        return any(map(len, self._of(kind)))

    def done(self, tx: Transaction) -> None:
        """It was simulated."""
        if (row := self._flying.pop(tx.id, None)) is not None:
            if tx.to is not None and row in self._free and (behind := self._tried.pop((row, tx.to), None)):
                self._free[row].append(behind)
            row.done(tx)
        for changed in self._changed.values():
            changed.set()

    def blame(self, *accounts: str) -> None:
        """A transaction of theirs, or to them, took more than any should: from now on they come last."""
        for account in accounts:
            self._costly[account] = None
            self._proven.pop(account, None)
        while len(self._costly) > REMEMBERED:
            self._costly.popitem(last=False)

    def forgive(self, *accounts: str) -> None:
        """One was not costly this time."""
        for account in accounts:
            self._costly.pop(account, None)
            self._proven[account] = None
            self._proven.move_to_end(account)
        while len(self._proven) > REMEMBERED:
            self._proven.popitem(last=False)

    def forget(self, ids: Iterable[str]) -> list[str]:
        """These were mined: their block tells what they do. Those of them that waited."""
        return [tx_id for tx_id in ids if self._forget(tx_id)]

    def take_lost(self) -> list[Transaction]:
        """Those that were given up since this was last asked."""
        lost, self._lost = self._lost, []
        return lost

    def _of(self, kind: Kind) -> tuple[Row, ...]:
        return {Kind.NEAR: (self._near,), Kind.FAR: (self._far,), Kind.SLOW: (self._slow, self._last)}[kind]

    def _tries(self, kind: Kind) -> Iterator[Transaction | None]:
        """One try after another while the next may bring somebody, a bounded piece of work each."""
        while True:
            yield self._next(kind)
            if not any(self._free.get(row) for row in self._of(kind)):
                return

    def _next(self, kind: Kind) -> Transaction | None:
        """Who goes next, among those who wait in the rows and the first few of the freed."""
        if kind is Kind.SLOW:
            return next((tx for row in self._of(kind) if (tx := self._fly(row)) is not None), None)
        row, then = (self._near, self._slow) if kind is Kind.NEAR else (self._far, self._last)
        self._let_in(row)
        for _ in range(AT_A_TIME):
            if (tx := row.take()) is None:
                return None
            if self._is_costly(tx):  # since it was offered, its sender or contract has cost too much
                row.done(tx)
                self._put(then, tx)
            elif tx.to is not None and tx.to not in self._proven and not self._first_of(row, tx, tx.to):
                row.done(tx)
            else:
                self._flying[tx.id] = row
                return tx
        self._free[row].append(OrderedDict())  # there may be more: come again
        return None

    def _fly(self, row: Row) -> Transaction | None:
        if (tx := row.take()) is not None:
            self._flying[tx.id] = row
        return tx

    def _let_in(self, row: Row) -> None:
        free = self._free[row]
        for _ in range(AT_A_TIME):
            while free and not free[0]:
                free.popleft()
            if not free:
                return
            tx_id, tx = free[0].popitem(last=False)
            del self._behind[tx_id]
            self._put(row, tx)

    def _first_of(self, row: Row, tx: Transaction, contract: str) -> bool:
        """Is it the first of its contract to fly from this row? If not it waits for what comes of that one."""
        if (behind := self._tried.get((row, contract))) is None:
            self._tried[row, contract] = OrderedDict()
            return True
        behind[tx.id] = tx
        self._behind[tx.id] = behind
        return False

    def _put(self, row: Row, tx: Transaction) -> None:
        if (lost := row.offer(tx)) is not None:
            self._lost.append(lost)
        for changed in self._changed.values():
            changed.set()

    def _forget(self, tx_id: str) -> bool:
        if (behind := self._behind.pop(tx_id, None)) is not None:
            del behind[tx_id]
            return True
        return any(row.forget(tx_id) is not None for row in self._rows)

    def _give_up(self) -> Transaction | None:
        for row in self._rows:
            if (lost := row.give_up()) is not None:
                return lost
        for tx_id in self._behind:
            tx = self._behind[tx_id][tx_id]
            self._forget(tx_id)
            return tx
        return None

    def _is_costly(self, tx: Transaction) -> bool:
        return tx.sender in self._costly or tx.to in self._costly
