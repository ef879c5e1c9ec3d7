"""One transaction's execution as flat lists: frames in pre-order, steps in execution order. The only thing rules see of a node.

Nested traces are attacker-shaped (a thousand levels deep), so nothing here nests. Frame i's parent is `frames[i].parent`
(-1 for the root). A step belongs to frame `step.frame` and happens after `step.before` frames have been entered, which fixes
its place among the calls: walking frames and steps together needs no exit events, since a frame has returned as soon as
something happens in one of its ancestors.
"""

from collections.abc import Iterator

import msgspec

from detectors.events import Event, Position, Stage

CALL, STATICCALL, DELEGATECALL, CALLCODE = "CALL", "STATICCALL", "DELEGATECALL", "CALLCODE"
CREATE, CREATE2, SELFDESTRUCT = "CREATE", "CREATE2", "SELFDESTRUCT"
CREATES = frozenset((CREATE, CREATE2))
BORROWS_CODE = frozenset((DELEGATECALL, CALLCODE))

MAX_DEPTH = 1024
"""Deeper trees are unjudged (the EVM itself stops here)."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One call. Field meanings are those of the interchange format `seawall.execution`.

    `to` is whose code runs, `ctx` whose storage and balance it uses. `alive`: it and all its ancestors succeeded, so its
    effects stand. `depth` of the root is 0. `selector` is `0x` + 8 hex; `input` may be cut after 516 bytes.
    """

    type: str
    sender: str | None
    to: str | None
    ctx: str | None
    value: int
    selector: str | None
    input: str | None
    ok: bool
    alive: bool
    parent: int
    depth: int
    output: str | None = None
    error: str | None = None
    gas_used: int | None = None


class Access(msgspec.Struct, frozen=True, gc=False, tag="access"):
    """A storage, transient or balance step. `op`: sload, sstore, tload, tstore, or balance, which has `address`, no `slot`."""

    op: str
    frame: int
    before: int
    slot: int
    value: int
    address: str | None = None


class Log(msgspec.Struct, frozen=True, gc=False, tag="log"):
    """An event log emitted by a frame; `address` is the frame's ctx, `data` 0x-hex or None when unknown."""

    frame: int
    before: int
    address: str
    topics: tuple[str, ...]
    data: str | None


Step = Access | Log


class Code(msgspec.Struct, frozen=True, gc=False):
    """What the shell knows of an address's code: age in seconds and deployer, each None when unknown (never zero, never true)."""

    age: float | None = None
    deployer: str | None = None


class Context(msgspec.Struct, frozen=True):
    """What rules need and a trace lacks, gathered by the shell at the parent block.

    `balances`: asset (token address or `native`) -> holder -> amount before the transaction.
    `supplies`: share token -> total supply before. `codes`: address -> Code. `prices`: token -> value of one base unit in usd.
    """

    balances: dict[str, dict[str, int]] = {}
    supplies: dict[str, int] = {}
    codes: dict[str, Code] = {}
    prices: dict[str, float] = {}


NO_CONTEXT = Context()


class Execution(Event, frozen=True, kw_only=True):
    """One transaction as it ran (or would run). `storage`: did the producer record storage steps ("ordered") or not ("none").

    `complete` is False when a cap cut the trace. `position` is the block it ran in, None for a simulation of a pending
    transaction. `on` is the block whose end state it ran on, None where others ran before it. `supersedes`: this is a richer
    second look at a transaction already observed; only those who asked see it.
    """

    tx: str
    stage: Stage
    frames: list[Frame]
    steps: list[Step] = msgspec.field(default_factory=list)
    storage: str = "none"
    logged: bool = True
    complete: bool = True
    position: Position | None = None
    index: int | None = None
    context: Context = NO_CONTEXT
    on: Position | None = None
    supersedes: bool = False

    @property
    def key(self) -> str:
        """Named by the transaction's id."""
        return f"{self.chain}/tx/{self.tx}"

    @property
    def sender(self) -> str | None:
        """Who signed it."""
        return self.frames[0].sender

    @property
    def ordered(self) -> bool:
        """Storage steps were recorded in order and nothing was cut."""
        return self.storage == "ordered" and self.complete

    def walk(self) -> Iterator[tuple[int, Step | None]]:
        """Frames and steps merged in execution order: (frame index, None) on entry, (frame index, step) for a step."""
        steps, n = self.steps, len(self.steps)
        at = 0
        for i in range(len(self.frames)):
            while at < n and steps[at].before <= i:
                yield steps[at].frame, steps[at]
                at += 1
            yield i, None
        while at < n:
            yield steps[at].frame, steps[at]
            at += 1
