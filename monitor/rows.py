"""A row of pending transactions: one of a sender's at a time, the turn going by sender and by what is at stake. Pure.

Where anyone can be as many senders as they like, and each costs much, the turn goes by the contract that is called instead.

By sender alone, thousands of fresh senders would keep an attack waiting behind all of theirs; by stake alone, whoever shows much
money would keep everybody else from ever being judged. So both go, one after the other.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from itertools import count

from detectors.events import Transaction

MOST_OF_ONE = 256
"""Transactions of one sender that wait; of a longer row only the first few can be simulated anyway."""

_SLACK = 1024
"""Entries of transactions that are gone which a heap may hold beside twice those that wait."""


def stake(tx: Transaction) -> int:
    """What a node asks its sender to own before it takes it, wei: the only thing that a flood cannot have for nothing."""
    return tx.value + tx.gas * tx.max_fee


class _Sender:
    """One sender's: by id, oldest first, and by stake."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[str, Transaction] = OrderedDict()
        self.by_stake: list[tuple[int, int, str]] = []
        self.flying = False

    def best(self) -> tuple[int, int, str] | None:
        """(minus the stake, number, id) of the one with most at stake, the oldest of several."""
        while self.by_stake and self.by_stake[0][2] not in self.waiting:
            heapq.heappop(self.by_stake)
        return self.by_stake[0] if self.by_stake else None


def by_sender(tx: Transaction) -> str:
    """Whose turn it is, by sender."""
    return tx.sender


def by_contract(tx: Transaction) -> str:
    """Whose turn it is, by the contract that is called; a creation's, by sender."""
    return tx.to or tx.sender


class Row:
    """Who waits in one row. `whose` turn one is. Every operation takes logarithmic time, however long the row is."""

    def __init__(self, whose: Callable[[Transaction], str] = by_sender) -> None:
        self._owner = whose
        self._senders: dict[str, _Sender] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        """Senders that may go, who waited longest first."""
        self._best: list[tuple[int, int, str]] = []
        self._least: list[tuple[int, int, str]] = []
        self._whose: dict[str, str] = {}
        self._number = count()
        self._by_stake = True

    def __len__(self) -> int:
        return len(self._whose)

    def offer(self, tx: Transaction) -> Transaction | None:
        """Let it wait; the one given up where its sender has more than `MOST_OF_ONE`."""
        if tx.id in self._whose:
            return None
        owner = self._owner(tx)
        sender = self._senders.setdefault(owner, _Sender())
        number = next(self._number)
        sender.waiting[tx.id] = tx
        self._whose[tx.id] = owner
        heapq.heappush(sender.by_stake, (-stake(tx), number, tx.id))
        heapq.heappush(self._least, (stake(tx), number, tx.id))
        full = self._owner is by_sender and len(sender.waiting) > MOST_OF_ONE
        lost = min(sender.waiting.values(), key=stake) if full else None
        if lost is not None:
            self.forget(lost.id)
        self._list(owner, sender)
        self._tidy()
        return lost

    def take(self) -> Transaction | None:
        """The next in turn; its sender has no other until `done`. None when nobody may go."""
        if not self._turns:
            return None
        name = self._richest() if self._by_stake else next(iter(self._turns))
        self._by_stake = not self._by_stake
        sender = self._senders[name]
        best = sender.best()
        # By stake the very one, since its predecessors are replayed before it; by turn the oldest.
        first = best[2] if not self._by_stake and best is not None else next(iter(sender.waiting))
        tx = sender.waiting.pop(first)
        del self._whose[first], self._turns[name]
        sender.flying = True
        return tx

    def done(self, tx: Transaction) -> None:
        """The sender's transaction is no longer in flight: its next may go, after those who wait already."""
        name = self._owner(tx)
        if (sender := self._senders.get(name)) is not None:
            sender.flying = False
            self._list(name, sender)

    def forget(self, tx_id: str) -> Transaction | None:
        """It need not wait any more."""
        name = self._whose.pop(tx_id, None)
        if name is None:
            return None
        sender = self._senders[name]
        tx = sender.waiting.pop(tx_id)
        if not sender.waiting:
            self._turns.pop(name, None)
            if not sender.flying:
                del self._senders[name]
        elif not sender.flying:
            self._list(name, sender)
        return tx

    def give_up(self) -> Transaction | None:
        """Forget the one with least at stake, the oldest of several."""
        while self._least:
            if (gone := self.forget(heapq.heappop(self._least)[2])) is not None:
                return gone
        return None

    def _list(self, name: str, sender: _Sender) -> None:
        """Have it go when its turn comes, if it may."""
        best = sender.best()
        if best is None:
            if not sender.flying:
                self._senders.pop(name, None)
        elif not sender.flying:
            self._turns.setdefault(name)
            heapq.heappush(self._best, (best[0], best[1], name))

    def _richest(self) -> str:
        """Who may go and has most at stake. Entries of who flies, or whose best is another by now, are left behind."""
        while True:
            _, number, name = heapq.heappop(self._best)
            if name in self._turns and (best := self._senders[name].best()) is not None and best[1] == number:
                return name

    def _tidy(self) -> None:
        """Drop what is gone from the heaps once it is most of them."""
        if len(self._least) > 2 * len(self._whose) + _SLACK:
            self._least = [entry for entry in self._least if entry[2] in self._whose]
            heapq.heapify(self._least)
        if len(self._best) > 2 * len(self._whose) + _SLACK:
            listed = ((name, self._senders[name].best()) for name in self._turns)
            self._best = [(best[0], best[1], name) for name, best in listed if best is not None]
            heapq.heapify(self._best)
