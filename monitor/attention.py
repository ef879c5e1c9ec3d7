"""What is looked at first: pending transactions that have to do with a watched contract, told without running them. Pure.

A flood costs its sender almost nothing, a simulation costs us a millisecond. So what may touch a watched contract goes before
what nobody has a reason to fear: by its recipient, by an address in its call data, or by what its sender or recipient did before.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

import msgspec

from detectors.events import Transaction, Unjudged
from detectors.execution import Execution

REMEMBERED = 20_000
"""Accounts known to have had to do with watched contracts; beyond, who was seen longest ago is forgotten."""

LOOKED_AT = 8192
"""Characters of call data searched for watched addresses: 128 words, more than any honest call by hand."""


class Logged(Protocol):
    """A log of a block, as far as it is looked at here."""

    @property
    def address(self) -> str:
        """Who emitted it."""

    @property
    def tx(self) -> str:
        """In which transaction."""


class Attention:
    """One chain's. `watched` are its watched contracts."""

    def __init__(self, watched: frozenset[str]) -> None:
        self.watched = watched
        self._digits = tuple(sorted(address.removeprefix("0x") for address in watched))
        self._known: OrderedDict[str, None] = OrderedDict()

    def near(self, tx: Transaction) -> bool:
        """Has it a visible reason to touch a watched contract?"""
        return tx.to in self.watched or tx.sender in self._known or tx.to in self._known or bool(self.named(tx))

    def needs(self, contract: str) -> bool:
        """Is this watched, or one through which others reach what is watched? What anyone makes of it is not its fault."""
        return contract in self.watched or contract in self._known

    def named(self, tx: Transaction) -> tuple[str, ...]:
        """The watched contracts that it calls or that its call data names; of a creation, its code and its arguments.

        >>> bank = "0x" + "b0" * 20
        >>> call = Transaction(chain="eip155:1", at=0.0, id="0x1", sender="0xa", to="0xc", value=0, input="0x01" + "b0" * 20,
        ...                    nonce=0, gas=1, max_fee=1)
        >>> Attention(frozenset({bank})).named(call) == (bank,)
        True
        """
        called = (tx.to,) if tx.to is not None and tx.to in self.watched else ()
        data = tx.input[:LOOKED_AT]
        if len(data) < len("0x") + 40:
            return called
        return called + tuple(found for digits in self._digits if digits in data and (found := "0x" + digits) not in called)

    def told(self, unjudged: Unjudged, logs: Iterable[Logged]) -> Unjudged:
        """With the watched contracts that its logs tell of, since its trace could not be had."""
        touched = (entry.address for entry in logs if entry.tx == unjudged.id and entry.address in self.watched)
        return msgspec.structs.replace(unjudged, touches=tuple(dict.fromkeys((*unjudged.touches, *touched))))

    def saw(self, execution: Execution, *, named: bool = False) -> None:
        """Learn from what ran: who called whom, and whether a watched contract was reached; `named`: its call data named one.

        A contract is known by the last time it was called, a sender for as long as there is room. What a creation made counts
        as its creator does, since the next to call it may be somebody nobody knows.
        """
        root = execution.frames[0]
        if named or any(frame.ctx in self.watched for frame in execution.frames):
            for account in (root.sender, root.to):
                if account is not None and account not in self.watched:
                    self._known[account] = None
                    self._known.move_to_end(account)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        elif root.to is not None:
            self._known.pop(root.to, None)
