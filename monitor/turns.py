"""Whose turn it is: pending transactions wait in three rows, so that no flood keeps an attack from being judged in time.

Near: what has a visible reason to touch a watched contract. Far: everything else. Near and far have places of their own, so that
neither waits for the other. A sender or contract whose simulation was costly (too late, too long) comes after everyone else, one
at a time: traces made to be slow can then hold one place, not all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from detectors.events import Transaction
from monitor.rows import Row

REMEMBERED = 10_000
"""Costly accounts remembered; beyond, the oldest is forgiven."""


class Turns:
    """Holds `capacity` transactions; beyond, that with least at stake is given up: a costly one, else a far, else a near one."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._near, self._far, self._last = Row(), Row(), Row()
        self._flying: dict[str, Row] = {}
        self._costly: OrderedDict[str, None] = OrderedDict()
        self._lost: list[Transaction] = []
        self._changed = {True: asyncio.Event(), False: asyncio.Event()}
        """For who takes near ones, and for who takes others."""

    @property
    def size(self) -> int:
        """Transactions that wait."""
        return len(self._near) + len(self._far) + len(self._last)

    def offer(self, tx: Transaction, *, near: bool = False) -> None:
        """Let it wait for its turn."""
        near = near and not self._is_costly(tx)
        row = self._near if near else self._last if self._is_costly(tx) else self._far
        lost = row.offer(tx)
        if lost is None and self.size > self.capacity:
            lost = self._last.give_up() or self._far.give_up() or self._near.give_up()
        if lost is not None:
            self._lost.append(lost)
        self._changed[near].set()

    async def take(self, *, near: bool = False) -> Transaction:
        """The next in turn, of the near or of the others; its sender has no other of that row until `done`. One waits a kind."""
        while (tx := self.take_now(near=near)) is None:
            self._changed[near].clear()
            await self._changed[near].wait()
        return tx

    def take_now(self, *, near: bool = False) -> Transaction | None:
        """As `take`; None when nobody may go."""
        row = self._near if near else self._far
        while (tx := row.take()) is not None:
            if not self._is_costly(tx):
                self._flying[tx.id] = row
                return tx
            row.done(tx.sender)  # since it was offered, its sender or contract has cost too much
            self._last.offer(tx)
            self._changed[False].set()
        if near or self._last in self._flying.values():
            return None
        if (tx := self._last.take()) is not None:
            self._flying[tx.id] = self._last
        return tx

    def done(self, tx: Transaction) -> None:
        """It was simulated."""
        if (row := self._flying.pop(tx.id, None)) is not None:
            row.done(tx.sender)
        for changed in self._changed.values():
            changed.set()

    def blame(self, *accounts: str) -> None:
        """A transaction of theirs, or to them, took more than any should: from now on they come last."""
        for account in accounts:
            self._costly[account] = None
        while len(self._costly) > REMEMBERED:
            self._costly.popitem(last=False)

    def forgive(self, *accounts: str) -> None:
        """One was not costly this time."""
        for account in accounts:
            self._costly.pop(account, None)

    def forget(self, ids: Iterable[str]) -> None:
        """These were mined: their block tells what they do."""
        for tx_id in ids:
            for row in (self._near, self._far, self._last):
                row.forget(tx_id)

    def take_lost(self) -> list[Transaction]:
        """Those that were given up since this was last asked."""
        lost, self._lost = self._lost, []
        return lost

    def _is_costly(self, tx: Transaction) -> bool:
        return tx.sender in self._costly or tx.to in self._costly
