"""The state that pending predecessors would leave: a node's diffs, laid over each other as overrides for the next call."""

from typing import Any

import msgspec

State = dict[str, dict[str, Any]]
"""Address -> balance, nonce, code, stateDiff: what nodes take as `stateOverrides`."""

TRACER = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
"""What to ask a node for."""

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


def lay(state: State, diff: Diff) -> None:
    """Lay one transaction's diff over the state so far, in place."""
    for address in diff.pre.keys() | diff.post.keys():
        before, after = diff.pre.get(address, _NOTHING), diff.post.get(address, _NOTHING)
        account = state.setdefault(address, {})
        if after.balance is not None:
            account["balance"] = after.balance
        if after.nonce is not None:
            account["nonce"] = hex(after.nonce) if isinstance(after.nonce, int) else after.nonce
        if after.code is not None:
            account["code"] = after.code
        if slots := dict.fromkeys(before.storage, _ZERO) | after.storage:
            account.setdefault("stateDiff", {}).update(slots)
