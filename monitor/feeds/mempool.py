"""The pending transactions we have seen and not yet seen the end of: by id, and by sender and nonce. Pure, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Iterable

from detectors.events import Transaction

_BESIDE_INPUT = 600
"""Bytes a transaction weighs without its input, roughly."""


class Mempool:
    """Remembers newest last; beyond `room` bytes the oldest goes, since anyone can send megabytes for nothing."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._weight = 0
        self._by_id: OrderedDict[str, Transaction] = OrderedDict()
        self._by_sender: dict[str, dict[int, str]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, tx_id: object) -> bool:
        return tx_id in self._by_id

    def get(self, tx_id: str) -> Transaction | None:
        """The transaction, if it is remembered."""
        return self._by_id.get(tx_id)

    def add(self, tx: Transaction) -> str | None:
        """Remember one that is new; the id of the one it replaces (same sender and nonce), if any."""
        nonces = self._by_sender.setdefault(tx.sender, {})
        replaced = nonces.get(tx.nonce)
        if replaced is not None:
            self.remove(replaced)
        self._by_sender.setdefault(tx.sender, {})[tx.nonce] = tx.id
        self._by_id[tx.id] = tx
        self._weight += _weight(tx)
        while self._weight > self.room:
            self.remove(next(iter(self._by_id)))
        return replaced

    def remove(self, tx_id: str) -> None:
        """Forget one."""
        tx = self._by_id.pop(tx_id, None)
        if tx is None:
            return
        self._weight -= _weight(tx)
        nonces = self._by_sender[tx.sender]
        if nonces.get(tx.nonce) == tx_id:
            del nonces[tx.nonce]
        if not nonces:
            del self._by_sender[tx.sender]

    def mined(self, ids: Iterable[str]) -> None:
        """Forget these, and what their senders had at the same or an earlier nonce: none of it can come any more."""
        for tx_id in ids:
            if (tx := self._by_id.get(tx_id)) is not None:
                nonces = self._by_sender[tx.sender]
                for past in [one for nonce, one in nonces.items() if nonce <= tx.nonce]:
                    self.remove(past)

    def before(self, tx: Transaction) -> tuple[Transaction, ...]:
        """The sender's pending ones with the nonces right below this one's, lowest first; a missing nonce ends the row."""
        nonces = self._by_sender.get(tx.sender, {})
        row: list[Transaction] = []
        nonce = tx.nonce - 1
        while (earlier := nonces.get(nonce)) is not None:
            row.append(self._by_id[earlier])
            nonce -= 1
        return tuple(reversed(row))

    def after(self, tx: Transaction, most: int) -> list[Transaction]:
        """The sender's pending ones with the nonces right above this one's, lowest first, at most so many."""
        nonces = self._by_sender.get(tx.sender, {})
        row: list[Transaction] = []
        while len(row) < most and (later := nonces.get(tx.nonce + 1 + len(row))) is not None:
            row.append(self._by_id[later])
        return row


def _weight(tx: Transaction) -> int:
    return _BESIDE_INPUT + len(tx.input)
