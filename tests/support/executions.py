"""Executions that read like the incident: nested calls in, the flat frames and steps the rules see out.

    robbery = execution(
        call(THIEF, "attack()",
            call(BANK, "withdraw()",
                sload(0x6F, 10 * ETHER),
                call(THIEF, value=10 * ETHER),
                sstore(0x6F, 0))))

A node is a frame (`call`, `static`, `delegate`, `create`, `selfdestruct`) or a step (`sload`, `sstore`, `tload`, `tstore`,
`balance`, `log`, `transfer`). Who calls, whose storage is used, what is alive and what comes before what is derived.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from eth_utils.crypto import keccak

from detectors.events import Position, Stage
from detectors.execution import BORROWS_CODE, CREATES, NO_CONTEXT, Access, Context, Execution, Frame, Log, Step

ETHER = 10**18
NATIVE = "native"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def address(name: str) -> str:
    """A stable address for a readable name."""
    return "0x" + keccak(text=name)[-20:].hex()


SENDER = address("sender")


@dataclass(frozen=True)
class Call:
    """A frame to be: `nodes` are its frames and steps in execution order."""

    type: str
    to: str | None
    selector: str | None
    nodes: tuple["Node", ...]
    value: int = 0
    input: str | None = None
    output: str | None = None
    ok: bool = True


@dataclass(frozen=True)
class Touch:
    """A step to be; `of` is the balance holder or the log's topics."""

    op: str
    slot: int = 0
    value: int = 0
    of: str | tuple[str, ...] | None = None
    data: str | None = None


Node = Call | Touch


def word(value: int | str) -> str:
    """One ABI word, 64 hex digits, of a number or an address."""
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


def selector(signature: str | None) -> str | None:
    """The selector of a signature; `0x…` is taken as it is; None is a plain transfer."""
    if signature is None or signature.startswith("0x"):
        return signature
    return "0x" + keccak(text=signature)[:4].hex()


def _data(head: str | None, args: Iterable[int | str]) -> str:
    return (head or "0x") + "".join(map(word, args))


def call(
    to: str,
    what: str | None = None,
    *nodes: Node,
    args: Iterable[int | str] = (),
    value: int = 0,
    ok: bool = True,
    returns: int | str | None = None,
) -> Call:
    """CALL `to` with the signature or selector `what`; `returns` is the single word it hands back."""
    head, output = selector(what), None if returns is None else "0x" + word(returns)
    return Call("CALL", to, head, nodes, value=value, input=_data(head, args), output=output, ok=ok)


def static(
    to: str,
    what: str | None = None,
    *nodes: Node,
    args: Iterable[int | str] = (),
    ok: bool = True,
    returns: int | str | None = None,
) -> Call:
    """STATICCALL, otherwise as `call`."""
    head, output = selector(what), None if returns is None else "0x" + word(returns)
    return Call("STATICCALL", to, head, nodes, input=_data(head, args), output=output, ok=ok)


def delegate(to: str, what: str | None = None, *nodes: Node, args: Iterable[int | str] = (), ok: bool = True) -> Call:
    """DELEGATECALL to the code of `to` in the caller's storage."""
    head = selector(what)
    return Call("DELEGATECALL", to, head, nodes, input=_data(head, args), ok=ok)


def create(new: str, *nodes: Node, value: int = 0, ok: bool = True) -> Call:
    """CREATE of the contract `new`, whose constructor runs `nodes`."""
    return Call("CREATE", new, None, nodes, value=value, input="0x6080", ok=ok)


def selfdestruct(beneficiary: str, value: int) -> Call:
    """SELFDESTRUCT of the running contract; `value` wei go to the beneficiary."""
    return Call("SELFDESTRUCT", beneficiary, None, (), value=value)


def sload(slot: int, value: int) -> Touch:
    """The running contract reads a slot."""
    return Touch("sload", slot, value)


def sstore(slot: int, value: int) -> Touch:
    """The running contract writes a slot."""
    return Touch("sstore", slot, value)


def tload(slot: int, value: int) -> Touch:
    """The running contract reads a transient slot."""
    return Touch("tload", slot, value)


def tstore(slot: int, value: int) -> Touch:
    """The running contract writes a transient slot."""
    return Touch("tstore", slot, value)


def balance(of: str, value: int) -> Touch:
    """BALANCE or SELFBALANCE gave `value` for `of`."""
    return Touch("balance", 0, value, of)


def log(*topics: str, data: Iterable[int | str] = ()) -> Touch:
    """The running contract emits an event."""
    return Touch("log", of=topics, data="0x" + "".join(map(word, data)))


def transfer(src: str, dst: str, amount: int) -> Touch:
    """The running contract, a token, emits Transfer."""
    return log(TRANSFER, "0x" + word(src), "0x" + word(dst), data=(amount,))


def move(token: str, src: str, dst: str, amount: int, *nodes: Node) -> Call:
    """A whole `transfer` call of a token, its event included, after `nodes` (a hook, say)."""
    return call(token, "transfer(address,uint256)", *nodes, transfer(src, dst, amount), args=(dst, amount))


def balance_of(token: str, holder: str, returns: int) -> Call:
    """A whole `balanceOf` look-up."""
    return static(token, "balanceOf(address)", args=(holder,), returns=returns)


def execution(
    root: Call,
    *,
    sender: str = SENDER,
    ordered: bool = True,
    logged: bool = True,
    complete: bool = True,
    stage: Stage = Stage.INCLUDED,
    chain: str = "eip155:1",
    tx: str | None = None,
    at: float = 1_700_000_000.0,
    context: Context = NO_CONTEXT,
    supersedes: bool = False,
) -> Execution:
    """Flatten a call. Without `ordered` the storage and balance steps are left out, without `logged` the logs."""
    frames: list[Frame] = []
    steps: list[Step] = []
    todo: list[tuple[int, Node]] = [(-1, root)]
    while todo:
        parent, node = todo.pop()
        if isinstance(node, Call):
            frames.append(_flat(frames, parent, node, sender))
            here = len(frames) - 1
            todo.extend((here, child) for child in reversed(node.nodes))
        elif node.op == "log":
            if logged and isinstance(node.of, tuple):
                steps.append(Log(parent, len(frames), frames[parent].ctx or "", node.of, node.data))
        elif ordered:
            holder = node.of if isinstance(node.of, str) else None
            steps.append(Access(node.op, parent, len(frames), node.slot, node.value, holder))
    pending = stage is Stage.PENDING
    return Execution(
        chain=chain,
        at=at,
        tx=tx or "0x" + keccak(text=repr((frames, steps))).hex(),
        stage=stage,
        frames=frames,
        steps=steps,
        storage="ordered" if ordered else "none",
        logged=logged,
        complete=complete,
        position=None if pending else Position(18_000_000, "0x" + "b1" * 32),
        index=None if pending else 0,
        context=context,
        supersedes=supersedes,
    )


def _flat(frames: list[Frame], parent: int, node: Call, sender: str) -> Frame:
    above = frames[parent] if parent >= 0 else None
    borrowed = above is not None and (node.type in BORROWS_CODE or node.type == "SELFDESTRUCT")
    return Frame(
        type=node.type,
        sender=above.ctx if above else sender,
        to=node.to,
        ctx=above.ctx if above and borrowed else node.to,
        value=node.value,
        selector=None if node.type in CREATES else node.selector,
        input=node.input,
        ok=node.ok,
        alive=node.ok and (above is None or above.alive),
        parent=parent,
        depth=above.depth + 1 if above else 0,
        output=node.output,
        error=None if node.ok else "execution reverted",
    )


def degraded(whole: Execution) -> Execution:
    """The same transaction as a node without a storage tracer shows it: no storage, no balance steps; logs stay."""
    return msgspec.structs.replace(whole, storage="none", steps=[step for step in whole.steps if isinstance(step, Log)])


def pending(whole: Execution) -> Execution:
    """The same transaction while no block holds it."""
    return msgspec.structs.replace(whole, stage=Stage.PENDING, position=None, index=None)
