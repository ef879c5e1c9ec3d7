"""`seawall.execution`, our own format: frames with their steps in execution order, storage and balances included."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from detectors.events import Position
from detectors.execution import (
    MAX_DEPTH,
    NO_CONTEXT,
    Access,
    Code,
    Context,
    Execution,
    Frame,
    Log,
    Step,
)
from monitor.chains.traces.calltracer import TYPES
from monitor.chains.traces.readings import Origin, too_deep
from monitor.chains.traces.words import Words, data, quantity, text
from monitor.errors import TraceUnreadable

FORMAT, VERSION = "seawall.execution", 1
NATIVE = "native"
_SLOTTED = frozenset(("sload", "sstore", "tload", "tstore"))
_UNCODED = frozenset(("CREATE", "CREATE2", "SELFDESTRUCT"))
_UNPAID = frozenset(("STATICCALL", "DELEGATECALL"))
WRITTEN_DEPTH = 256
"""Nested files are not written deeper: readers of others give up soon after."""


class WireStep(msgspec.Struct, gc=False):
    """One step of a frame; which fields are there depends on `op`, unknown ones are skipped."""

    op: str
    slot: str | None = None
    value: str | None = None
    address: str | None = None
    topics: list[str] | None = None
    data: str | None = None
    frame: "WireFrame | None" = None


class WireFrame(msgspec.Struct, gc=False):
    """One frame; the first five fields must be there."""

    type: str
    to: str | None
    ctx: str | None
    ok: bool
    steps: list[WireStep]
    from_: str | None = msgspec.field(default=None, name="from")
    value: str | None = None
    selector: str | None = None
    input: str | None = None
    output: str | None = None
    error: msgspec.Raw = msgspec.Raw()
    gas_used: int | None = None


class WireExecution(msgspec.Struct, gc=False):
    """The envelope. `accounts` is optional: address -> what was known of it before the transaction."""

    format: str
    version: int
    root: WireFrame
    chain_id: int | None = None
    tx_hash: str | None = None
    block_number: int | None = None
    tx_index: int | None = None
    storage: str = "ordered"
    complete: bool = True
    accounts: msgspec.Raw = msgspec.Raw()


def read(wire: WireExecution, origin: Origin, words: Words) -> Execution:
    """The execution of a decoded document. Raises TraceUnreadable: another version, too deep, an unknown type or word."""
    if wire.format != FORMAT or wire.version != VERSION:
        raise TraceUnreadable(f"{wire.format[:40]!r} version {wire.version}: we read {FORMAT!r} version {VERSION}")
    frames, steps = flatten(wire.root, words)
    logged = origin.logged if origin.logged is not None else True
    return msgspec.structs.replace(origin, logged=logged).execution(
        frames,
        steps,
        storage="ordered" if wire.storage == "ordered" else "none",
        complete=wire.complete,
        context=known(wire.accounts),
    )


def placed(wire: WireExecution, origin: Origin) -> Origin:
    """The origin with what the envelope says of chain, block and transaction."""
    number = wire.block_number
    return msgspec.structs.replace(
        origin,
        chain=origin.chain if wire.chain_id is None else f"eip155:{wire.chain_id}",
        at=origin.at if number is None else number * 12.0,  # no timestamp in the format: order and rough distance
        position=origin.position if number is None else Position(number, f"#{number}"),
        tx=wire.tx_hash.lower() if wire.tx_hash else origin.tx,
        index=origin.index if wire.tx_index is None else wire.tx_index,
    )


def flatten(root: WireFrame, words: Words) -> tuple[list[Frame], list[Step]]:
    """Frames in pre-order and steps in execution order, by an explicit stack of half-read frames."""
    frames = [_frame(root, -1, None, words)]
    steps: list[Step] = []
    todo = [(0, iter(root.steps))]
    while todo:
        here, rest = todo[-1]
        for step in rest:
            if step.op == "call":
                if step.frame is None:
                    raise TraceUnreadable("a call step without its frame")
                todo.append((len(frames), iter(step.frame.steps)))
                frames.append(_frame(step.frame, here, frames[here], words))
                break
            if (made := _step(step, here, frames, words)) is not None:
                steps.append(made)
        else:
            todo.pop()
    return frames, steps


def _frame(wire: WireFrame, parent: int, above: Frame | None, words: Words) -> Frame:
    if wire.type not in TYPES:
        raise TraceUnreadable(f"unknown frame type {wire.type[:40]!r}")
    depth = 0 if above is None else above.depth + 1
    if depth > MAX_DEPTH:
        raise too_deep(depth)
    addresses = words.addresses
    coded = wire.type not in _UNCODED
    head = wire.selector or (wire.input[:10] if wire.input else None)
    return Frame(
        type=wire.type,
        sender=addresses[wire.from_] or (above.ctx if above else None),
        to=addresses[wire.to],
        ctx=addresses[wire.ctx],
        value=0 if wire.type in _UNPAID else words.amounts[wire.value],
        selector=words.selectors[head] if coded else None,
        input=data(wire.input),
        ok=wire.ok,
        alive=wire.ok and (above is None or above.alive),
        parent=parent,
        depth=depth,
        output=data(wire.output),
        error=text(wire.error),
        gas_used=wire.gas_used,
    )


def _step(wire: WireStep, frame: int, frames: list[Frame], words: Words) -> Step | None:
    before, op = len(frames), wire.op
    if op in _SLOTTED:
        if wire.slot is None or wire.value is None:
            raise TraceUnreadable(f"a {op} step without slot and value")
        return Access(op, frame, before, quantity(wire.slot), quantity(wire.value))
    if op == "balance":
        if wire.address is None or wire.value is None:
            raise TraceUnreadable("a balance step without address and value")
        return Access(op, frame, before, 0, quantity(wire.value), words.addresses[wire.address])
    if op == "log":
        address = words.addresses[wire.address] or frames[frame].ctx or ""
        return Log(frame, before, address, tuple(topic.lower() for topic in wire.topics or ()), data(wire.data))
    return None


def known(accounts: msgspec.Raw) -> Context:
    """What `accounts` says: {address: {balance, tokens: {token: amount}, supply, age, deployer}}, all optional.

    What is not of that shape is unknown, never an error: the key is ours and others may use it otherwise.
    """
    if not accounts:
        return NO_CONTEXT
    try:
        told = msgspec.json.decode(accounts, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return NO_CONTEXT
    balances: dict[str, dict[str, int]] = {}
    supplies: dict[str, int] = {}
    codes: dict[str, Code] = {}
    for raw, account in told.items():
        if not isinstance(account, dict):
            continue
        holder = raw.lower()
        if (native := _amount(account.get("balance"))) is not None:
            balances.setdefault(NATIVE, {})[holder] = native
        tokens = account.get("tokens")
        for token, held in tokens.items() if isinstance(tokens, dict) else ():
            if (amount := _amount(held)) is not None:
                balances.setdefault(token.lower(), {})[holder] = amount
        if (supply := _amount(account.get("supply"))) is not None:
            supplies[holder] = supply
        if (code := _code(account)) is not None:
            codes[holder] = code
    return Context(balances=balances, supplies=supplies, codes=codes)


def _amount(raw: object) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, (str, int)):
        return None
    try:
        return quantity(raw)
    except TraceUnreadable:
        return None


def _code(account: Mapping[str, Any]) -> Code | None:
    age, deployer = account.get("age"), account.get("deployer")
    age = float(age) if isinstance(age, (int, float)) and not isinstance(age, bool) else None
    deployer = deployer.lower() if isinstance(deployer, str) else None
    return None if age is None and deployer is None else Code(age, deployer)


def write(execution: Execution) -> bytes:
    """The execution as one JSON document, its context as `accounts`; beyond 256 nested calls it is cut (`complete` false)."""
    chain = execution.chain.removeprefix("eip155:")
    frames = execution.frames
    wired = [_wired(frame) for frame in frames]
    cut = False
    for at, step in execution.walk():
        if frames[at].depth >= WRITTEN_DEPTH:
            cut = True
        elif step is not None:
            wired[at]["steps"].append(_said(step))
        elif (parent := frames[at].parent) >= 0:
            wired[parent]["steps"].append({"op": "call", "frame": wired[at]})
    return msgspec.json.encode(
        {
            "format": FORMAT,
            "version": VERSION,
            "chain_id": int(chain) if chain.isdigit() else None,
            "tx_hash": execution.tx if execution.tx.startswith("0x") else None,
            "block_number": execution.position.height if execution.position else None,
            "tx_index": execution.index,
            "storage": execution.storage,
            "complete": execution.complete and not cut,
            "accounts": _accounts(execution.context),
            "root": wired[0],
        }
    )


def _wired(frame: Frame) -> dict[str, Any]:
    return {
        "type": frame.type,
        "from": frame.sender,
        "to": frame.to,
        "ctx": frame.ctx,
        "value": hex(frame.value),
        "selector": frame.selector,
        "input": frame.input,
        "output": frame.output,
        "ok": frame.ok,
        "error": frame.error,
        "gas_used": frame.gas_used,
        "steps": [],
    }


def _said(step: Step) -> dict[str, Any]:
    if isinstance(step, Log):
        return {"op": "log", "address": step.address, "topics": step.topics, "data": step.data}
    if step.op == "balance":
        return {"op": "balance", "address": step.address, "value": hex(step.value)}
    return {"op": step.op, "slot": hex(step.slot), "value": hex(step.value)}


def _accounts(context: Context) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    for asset, holders in context.balances.items():
        for holder, amount in holders.items():
            if asset == NATIVE:
                told.setdefault(holder, {})["balance"] = hex(amount)
            else:
                told.setdefault(holder, {}).setdefault("tokens", {})[asset] = hex(amount)
    for token, supply in context.supplies.items():
        told.setdefault(token, {})["supply"] = hex(supply)
    for address, code in context.codes.items():
        told.setdefault(address, {}).update({"age": code.age, "deployer": code.deployer})
    return told


def write_lines(executions: Iterable[Execution]) -> bytes:
    """Many executions, one per line."""
    return b"\n".join(map(write, executions)) + b"\n"
