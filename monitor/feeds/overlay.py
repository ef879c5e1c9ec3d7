"""The state that pending predecessors would leave: a node's diffs, laid over each other as overrides for the next call."""

from collections import OrderedDict
from typing import Any

import msgspec

State = dict[str, dict[str, Any]]
"""Address -> balance, nonce, code, stateDiff: what nodes take as `stateOverrides`."""

TRACER = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
"""What to ask a node for."""

MOST_KEPT = 256
"""States kept of one head; beyond, the oldest is made again when it is needed."""

_ZERO = "0x" + "0" * 64


class Account(msgspec.Struct, gc=False):
    """What a diff says of an account; absent is unchanged."""

    balance: str | None = None
    nonce: int | str | None = None
    code: str | None = None
    storage: dict[str, str] = {}


_NOTHING = Account()


class Diff(msgspec.Struct, gc=False):
    """prestateTracer in diff mode. A slot that is only in `pre` became zero."""

    pre: dict[str, Account]
    post: dict[str, Account]


def laid(state: State, diff: Diff) -> State:
    """One transaction's diff laid over the state so far; the state itself stays as it is."""
    made = dict(state)
    for address in diff.pre.keys() | diff.post.keys():
        before, after = diff.pre.get(address, _NOTHING), diff.post.get(address, _NOTHING)
        account = made[address] = dict(state.get(address, {}))
        if after.balance is not None:
            account["balance"] = after.balance
        if after.nonce is not None:
            account["nonce"] = hex(after.nonce) if isinstance(after.nonce, int) else after.nonce
        if after.code is not None:
            account["code"] = after.code
        if slots := dict.fromkeys(before.storage, _ZERO) | after.storage:
            account["stateDiff"] = account.get("stateDiff", {}) | slots
    return made


class Overlays:
    """What senders' pending transactions leave on one head, so that the next of a row needs one replay and not all of them."""

    def __init__(self) -> None:
        self._head = ""
        self._kept: OrderedDict[tuple[str, ...], State] = OrderedDict()

    def known(self, head: str, row: tuple[str, ...]) -> tuple[State, int]:
        """The state after as many of the row's first transactions as are known on this head, and how many that are."""
        if head == self._head:
            for count in range(len(row), 0, -1):
                if (state := self._kept.get(row[:count])) is not None:
                    return state, count
        return {}, 0

    def keep(self, head: str, row: tuple[str, ...], state: State) -> None:
        """Remember the state after this row of transaction ids on this head. Another head ends what was kept for the last."""
        if head != self._head:
            self._kept.clear()
            self._head = head
        self._kept[row] = state
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
