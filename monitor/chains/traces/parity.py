"""`trace_block` and `trace_transaction` rows: a flat list where every row says its place in the tree. No logs, no storage.

The hot path of `seawall inspect`, hence typed rows and one pass without helper calls.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter

import msgspec

from detectors.events import Position, Stage
from detectors.execution import (
    CALL,
    CALLCODE,
    CREATE,
    CREATE2,
    DELEGATECALL,
    MAX_DEPTH,
    SELFDESTRUCT,
    STATICCALL,
    Execution,
    Frame,
)
from monitor.chains.traces.readings import Origin, Unreadable, too_deep
from monitor.chains.traces.words import DATA, Words
from monitor.errors import TraceUnreadable

_CALLS = {"call": CALL, "staticcall": STATICCALL, "delegatecall": DELEGATECALL, "callcode": CALLCODE}
_BORROWED = (DELEGATECALL, CALLCODE)
_BLOCK_SECONDS = 12.0


class Action(msgspec.Struct, gc=False, rename="camel"):
    """What a row did; which fields are there depends on the row's type."""

    call_type: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    input: str | None = None
    value: str | None = None
    creation_method: str | None = None
    address: str | None = None
    refund_address: str | None = None
    balance: str | None = None


class Result(msgspec.Struct, gc=False, rename="camel"):
    """What came of it; absent or null where the row failed."""

    output: str | None = None
    address: str | None = None


class Row(msgspec.Struct, gc=False, rename="camel"):
    """One row of the node's list. `trace_address` is its place: child numbers from the root down."""

    type: str
    action: Action
    trace_address: list[int]
    result: Result | None = None
    error: str | None = None
    transaction_hash: str | None = None
    transaction_position: int | None = None
    block_number: int | None = None


class Located(Row, gc=False):
    """A row as `trace_block` gives it, with the block it says it belongs to."""

    block_hash: str | None = None


def read(rows: Iterable[Row], origin: Origin, words: Words) -> Iterator[Execution | Unreadable]:
    """The executions of a list of rows, in the order their transactions first appear; `reward` rows are dropped."""
    groups: dict[str | None, list[Row]] = {}
    for row in rows:
        if row.type != "reward":
            group = groups.get(row.transaction_hash)
            if group is None:
                groups[row.transaction_hash] = [row]
            else:
                group.append(row)
    block = origin
    for tx, group in groups.items():
        first = group[0]
        if first.block_number is not None and (block.position is None or first.block_number != block.position.height):
            block = _block(origin, first.block_number)
        try:
            frames = flatten(group, words)
        except TraceUnreadable as error:
            yield msgspec.structs.replace(block, tx=tx or origin.tx).unreadable(error)
            continue
        yield Execution(
            chain=block.chain,
            at=block.at,
            tx=tx.lower() if tx else origin.tx or origin.source,
            stage=block.stage or (Stage.PENDING if block.position is None else Stage.INCLUDED),
            frames=frames,
            logged=False,
            position=block.position,
            index=first.transaction_position,
        )


def _block(origin: Origin, number: int) -> Origin:
    """The origin of one block's rows. Rows have no timestamp: what counts of `at` is the order and the rough distance."""
    return msgspec.structs.replace(origin, position=Position(number, f"#{number}"), at=origin.at or number * _BLOCK_SECONDS)


_place = attrgetter("trace_address")


def flatten(rows: list[Row], words: Words) -> list[Frame]:
    """One transaction's rows as frames in pre-order. Raises TraceUnreadable: too deep, a parent missing, an unknown row."""
    rows.sort(key=_place)
    addresses, amounts, selectors = words.addresses, words.amounts, words.selectors
    frames: list[Frame] = []
    path: list[int] = []
    for i, row in enumerate(rows):
        place, action, result = row.trace_address, row.action, row.result
        depth = len(place)
        if depth > MAX_DEPTH:
            raise too_deep(depth)
        ok = not row.error
        if depth:
            parent = path[depth - 1] if depth <= len(path) else -1
            if parent < 0 or rows[parent].trace_address != place[:-1]:
                raise TraceUnreadable(f"row {place} has no parent: the list is not whole")
            alive = ok and frames[parent].alive
        elif i:
            raise TraceUnreadable("two root rows in one transaction")
        else:
            parent, alive = -1, ok
        data = action.input
        if row.type == "call":
            kind = _CALLS.get(action.call_type)  # type: ignore[arg-type]  # None is simply no call type
            if kind is None:
                raise TraceUnreadable(f"unknown call type {action.call_type!r}")
            sender, to = addresses[action.from_], addresses[action.to]
            output = None if result is None else result.output
            if output is not None and len(output) > DATA:
                output = output[:DATA]
            frame = Frame(
                kind,
                sender,
                to,
                sender if kind in _BORROWED else to,
                0 if kind is DELEGATECALL or kind is STATICCALL else amounts[action.value],
                selectors[data[:10]] if data else None,
                data if data is None or len(data) <= DATA else data[:DATA],
                ok,
                alive,
                parent,
                depth,
                output,
                row.error,
            )
        else:
            frame = _other(row, words, (ok, alive, parent, depth))
        del path[depth:]
        path.append(i)
        frames.append(frame)
    return frames


def _other(row: Row, words: Words, where: tuple[bool, bool, int, int]) -> Frame:
    """A row that is no call: a creation, or the end of a contract."""
    action, (ok, alive, parent, depth) = row.action, where
    addresses, amounts = words.addresses, words.amounts
    error = row.error
    if row.type == "create":
        made = addresses[row.result.address] if row.result is not None else None
        kind = CREATE2 if action.creation_method == "create2" else CREATE
        sender, value = addresses[action.from_], amounts[action.value]
        return Frame(kind, sender, made, made, value, None, None, ok, alive, parent, depth, None, error)
    if row.type in {"suicide", "selfdestruct"}:
        gone, heir = addresses[action.address], addresses[action.refund_address]
        return Frame(SELFDESTRUCT, gone, heir, gone, amounts[action.balance], None, None, ok, alive, parent, depth, None, error)
    raise TraceUnreadable(f"unknown row type {row.type[:40]!r}")
