"""What a node can do, asked once at the start. An answer counts only when it has the shape it must have.

Nodes lie by omission: an unknown tracer gives an empty success, an ignored block hash the newest state. So every probe asks
something whose right answer is known. What is missing degrades what Seawall does, and shows as a metric and to people.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from monitor import metrics
from monitor.chains.evm import Hash, Quantity, quantity
from monitor.chains.kinds import Traits
from monitor.chains.link import Lane
from monitor.chains.rpc import Pushed, Rpc
from monitor.errors import NodeError, NodeSilent, NodeUnreachable, RpcRefused
from monitor.stream import Queue, Rule

T = TypeVar("T")

SOON, WITHIN = 0.5, 5.0
"""Seconds that a first answer may take before it is asked for once more, and that any may take."""
TRIES, PAUSE = 3, 0.1
"""How often something is asked for that a node may only just now not give, and seconds before the second time."""
LOOK_BACK = 8
"""Blocks searched for a transaction to trace."""

CALL_TRACER = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
_LOGS_ONCE = {"data": "0x60006000a000", "gas": "0x30d40", "from": "0x" + "00" * 20}
"""A creation whose code is PUSH1 0, PUSH1 0, LOG0, STOP: exactly one log, whatever the chain's state."""
_OPCODES = [0x60, 0x60, 0xA0, 0x00]
_JS_STEPS = (
    "{ops:[],step:function(log){this.ops.push(log.op.toNumber())},fault:function(){},result:function(){return {ops:this.ops}}}"
)
_NOWHERE = "0x" + "5e" * 32


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one node offers; every field is a name of the metric's `capability` label.

    `mempool`: pending transactions are pushed at all; `full_pending`: in full.
    `trace_call`, `trace_block`: callTracer with logs, on a call and on
    a block by hash. `rows`: a block as flat rows that name it, and its receipts. `js_call`, `js_transaction`: JavaScript
    tracers, which see storage in order. `pinned`: state reads by block hash (EIP-1898). `tags`: safe and finalized.
    """

    mempool: bool = False
    full_pending: bool = False
    trace_call: bool = False
    trace_block: bool = False
    rows: bool = False
    js_call: bool = False
    js_transaction: bool = False
    pinned: bool = False
    tags: bool = False

    @property
    def judges(self) -> bool:
        """Can anything be judged at all?"""
        return self.trace_call or self.trace_block or self.rows

    @property
    def missing(self) -> tuple[str, ...]:
        """What it does not offer."""
        return tuple(name for name, offered in msgspec.structs.asdict(self).items() if not offered)

    @property
    def described(self) -> str:
        """One line for people.

        >>> most = Capabilities(mempool=True, trace_call=True, trace_block=True, js_call=True, js_transaction=True)
        >>> msgspec.structs.replace(most, pinned=True, tags=True).described
        'all but pending transactions in full, blocks as rows'
        """
        if not self.missing:
            return "everything asked for"
        return "all but " + ", ".join(_WORDS[name] for name in self.missing)


_WORDS = {
    "mempool": "pending transactions",
    "full_pending": "pending transactions in full",
    "trace_call": "call traces of pending transactions",
    "trace_block": "call traces of blocks",
    "rows": "blocks as rows",
    "js_call": "storage order of pending transactions",
    "js_transaction": "storage order of mined transactions",
    "pinned": "state by block hash",
    "tags": "safe and finalized blocks",
}


class _Frame(msgspec.Struct):
    type: str
    logs: list[Any] = []


class _Traced(msgspec.Struct):
    result: _Frame


class _Row(msgspec.Struct, rename="camel"):
    """What every row says, rewards included."""

    type: str
    action: dict[str, Any]
    trace_address: list[int]
    block_hash: Hash
    transaction_hash: Hash | None = None


class _Receipt(msgspec.Struct, rename="camel"):
    block_hash: Hash
    transaction_hash: Hash
    logs: list[Any]


class _Stepped(msgspec.Struct):
    ops: list[int]


class _Block(msgspec.Struct):
    hash: Hash
    number: Quantity
    transactions: list[Hash]


async def probe(node: Lane | Rpc, *, chain: str) -> Capabilities:
    """Ask a node for everything at once. Raises a NodeError when it does not answer at all, since that says nothing."""
    rpc = node.rpc if isinstance(node, Lane) else node
    latest = await _soon(lambda: _block(rpc, "latest"))
    sample = await _with_transaction(rpc, latest)
    probes: dict[str, Callable[[], Awaitable[bool]]] = {
        "mempool": lambda: _mempool(rpc),
        "full_pending": lambda: _full_pending(rpc),
        "trace_call": lambda: _trace_call(rpc),
        "trace_block": lambda: _trace_block(rpc, sample),
        "rows": lambda: _rows(rpc, sample),
        "js_call": lambda: _js_call(rpc),
        "js_transaction": lambda: _js_transaction(rpc, sample),
        "pinned": lambda: _pinned(rpc, latest),
        "tags": lambda: _tags(rpc, latest),
    }
    answers = await asyncio.gather(*(_offered(ask) for ask in probes.values()))
    # A node that fell silent meanwhile has not said no.
    await _soon(lambda: rpc.call("eth_chainId", timeout=WITHIN, type=Quantity))
    found = Capabilities(**dict(zip(probes, answers, strict=True)))
    show(chain, found)
    return found


def show(chain: str, found: Capabilities) -> None:
    """Export these as what the chain's node offers: with several nodes, those of the one in the lead."""
    for name, offered in msgspec.structs.asdict(found).items():
        metrics.CAPABILITY.labels(chain, name).set(offered)


def of_kind(found: Capabilities, traits: Traits) -> Capabilities:
    """What they come to on such a chain: without a public mempool a subscription to it is there in name only.

    >>> from monitor.chains.kinds import KINDS
    >>> of_kind(Capabilities(mempool=True, full_pending=True, pinned=True), KINDS["base"]).missing[:2]
    ('mempool', 'full_pending')
    """
    return found if traits.mempool else msgspec.structs.replace(found, mempool=False, full_pending=False)


async def _offered(ask: Callable[[], Awaitable[bool]]) -> bool:
    """Refused, silent or of another shape, time and again: it cannot be built upon. Once may be a bad moment."""
    for tries in range(TRIES):
        try:
            return await (ask() if tries else _soon(ask))
        except NodeUnreachable:
            raise
        except RpcRefused as error:
            if not error.throttled:
                return False
        except NodeSilent:
            if tries:
                return False
        except NodeError:
            pass
        await asyncio.sleep(PAUSE * 2**tries)
    return False


async def _soon(ask: Callable[[], Awaitable[T]]) -> T:
    """Asked again soon, since an answer may have been lost: while a node is not known, nobody is told anything but `unknown`."""
    try:
        async with asyncio.timeout(SOON):
            return await ask()
    except TimeoutError:
        return await ask()


async def _block(rpc: Rpc, name: str) -> _Block:
    block: _Block = await rpc.call("eth_getBlockByNumber", (name, False), timeout=WITHIN, type=_Block)
    return block


async def _with_transaction(rpc: Rpc, latest: _Block) -> _Block:
    """The newest block with a transaction among the last few, or else the newest."""
    top = quantity(latest.number)
    for height in range(top, max(-1, top - LOOK_BACK), -1):
        block = latest if height == top else await _block(rpc, hex(height))
        if block.transactions:
            return block
    return latest


async def _mempool(rpc: Rpc) -> bool:
    queue: Queue[Pushed] = Queue(1, Rule.DROP_OLDEST)
    subscription = await rpc.subscribe(("newPendingTransactions",), queue=queue, timeout=WITHIN)
    await rpc.unsubscribe(subscription, timeout=WITHIN)
    return True


async def _full_pending(rpc: Rpc) -> bool:
    queue: Queue[Pushed] = Queue(1, Rule.DROP_OLDEST)
    subscription = await rpc.subscribe(("newPendingTransactions", True), queue=queue, timeout=WITHIN)
    await rpc.unsubscribe(subscription, timeout=WITHIN)
    return True


async def _trace_call(rpc: Rpc) -> bool:
    frame = await rpc.call("debug_traceCall", (_LOGS_ONCE, "latest", CALL_TRACER), timeout=WITHIN, type=_Frame)
    return frame.type == "CREATE" and len(frame.logs) == 1


async def _trace_block(rpc: Rpc, sample: _Block) -> bool:
    traced = await rpc.call("debug_traceBlockByHash", (sample.hash, CALL_TRACER), timeout=WITHIN, type=list[_Traced])
    return len(traced) == len(sample.transactions)


async def _rows(rpc: Rpc, sample: _Block) -> bool:
    """Rows go by height and receipts by hash; both must be of this block and of just its transactions."""
    rows = await rpc.call("trace_block", (sample.number,), timeout=WITHIN, type=list[_Row])
    receipts = await rpc.call("eth_getBlockReceipts", ({"blockHash": sample.hash},), timeout=WITHIN, type=list[_Receipt])
    listed = dict.fromkeys(row.transaction_hash for row in rows if row.transaction_hash is not None)
    named = all(one.block_hash == sample.hash for one in (*rows, *receipts))
    return named and list(listed) == sample.transactions == [one.transaction_hash for one in receipts]


async def _js_call(rpc: Rpc) -> bool:
    found = await rpc.call("debug_traceCall", (_LOGS_ONCE, "latest", {"tracer": _JS_STEPS}), timeout=WITHIN, type=_Stepped)
    return bool(found.ops == _OPCODES)


async def _js_transaction(rpc: Rpc, sample: _Block) -> bool:
    """On a chain without transactions there is nothing to trace: what holds for calls is taken to hold here."""
    if not sample.transactions:
        return await _js_call(rpc)
    asked = (sample.transactions[0], {"tracer": _JS_STEPS})
    await rpc.call("debug_traceTransaction", asked, timeout=WITHIN, type=_Stepped)
    return True


async def _pinned(rpc: Rpc, latest: _Block) -> bool:
    """The newest block's hash must work, and a hash that is no block's must not."""
    for block_id in (latest.hash, _NOWHERE):
        where = {"blockHash": block_id, "requireCanonical": True}
        try:
            await rpc.call("eth_getBalance", (_LOGS_ONCE["from"], where), timeout=WITHIN, type=Quantity)
        except RpcRefused:
            return block_id == _NOWHERE
    return False


async def _tags(rpc: Rpc, latest: _Block) -> bool:
    safe, finalized = [quantity((await _block(rpc, tag)).number) for tag in ("safe", "finalized")]
    return finalized <= safe <= quantity((await _block(rpc, "latest")).number) and safe <= quantity(latest.number) + LOOK_BACK
