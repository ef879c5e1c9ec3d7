"""Typed reads of an EVM node: blocks, logs, accounts and calls, normalised once.

Quantities become ints and hex lower case here and nowhere else. What a node says is checked for shape, and a block's logs
against the bloom of its header: an empty or cut answer is an error, never "no logs".
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, NoReturn, Protocol

import msgspec

from detectors.events import Position, Transaction
from monitor import metrics
from monitor.chains import bloom
from monitor.chains.base import EXTRA_KEPT, BlockData, Extent, LogEntry, LogsMissing
from monitor.chains.roots import Proof, RootReceipt
from monitor.chains.rpc import Ask, Pushed
from monitor.chains.seal import Forged, Seal, Sealed
from monitor.errors import NodeGarbled, NodeSilent, RpcRefused
from monitor.stream import Queue, Rule

Hash = Annotated[str, msgspec.Meta(min_length=66, max_length=66, pattern="^0x[0-9a-fA-F]*$")]
Address = Annotated[str, msgspec.Meta(min_length=42, max_length=42)]
Quantity = Annotated[str, msgspec.Meta(min_length=3, max_length=66)]
_LongAsHash = Annotated[str, msgspec.Meta(min_length=66, max_length=66)]
"""A hash whose digits are checked where it is normalised: a pattern in the decoder costs as much as the rest of a log."""
_DIGITS = b"0123456789abcdef"

_LOGS_A_TURN = 256
"""Logs checked before the loop may do something else: about two milliseconds' worth of hashing."""


class WireTx(msgspec.Struct, gc=False):
    """A transaction as nodes write it, as far as we read it; `gasPrice` is all that legacy ones have."""

    hash: _LongAsHash
    sender: Address = msgspec.field(name="from")
    nonce: Quantity
    gas: Quantity
    input: str
    to: Address | None = None
    value: Quantity = "0x0"
    gas_price: Quantity | None = msgspec.field(name="gasPrice", default=None)
    max_fee: Quantity | None = msgspec.field(name="maxFeePerGas", default=None)
    block: Hash | None = msgspec.field(name="blockHash", default=None)


class _WireBlock(Sealed, gc=False, rename="camel", kw_only=True):
    hash: Hash
    parent_hash: Hash
    number: Quantity
    timestamp: Quantity
    gas_used: Quantity
    gas_limit: Quantity
    transactions: list[Hash | WireTx]
    base_fee_per_gas: Quantity | None = None
    blob_gas_used: Quantity | None = None
    excess_blob_gas: Quantity | None = None


class _WireTip(msgspec.Struct, gc=False):
    number: Quantity


class WireLog(msgspec.Struct, gc=False, rename="camel"):
    """A log as nodes write it, as far as we read it."""

    address: Address
    topics: tuple[_LongAsHash, ...]
    data: str
    log_index: Quantity
    transaction_hash: _LongAsHash
    transaction_index: Quantity
    block_hash: _LongAsHash


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """How a transaction ended: `ok` whether it succeeded, `created` the contract it made, gas in units, price in wei."""

    tx: str
    ok: bool
    gas_used: int
    gas_price: int
    created: str | None


class _WireReceipt(msgspec.Struct, gc=False, rename="camel"):
    transaction_hash: Hash
    gas_used: Quantity
    status: Quantity = "0x1"
    effective_gas_price: Quantity = "0x0"
    contract_address: Address | None = None


class Caller(Protocol):
    """Anything that makes JSON-RPC calls: an `Rpc`, or a lane of a `Link`."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float, type: Any = None, raw: bool = False) -> Any:  # noqa: A002, ANN401, ASYNC109
        """One call."""

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Many calls in one frame."""

    async def subscribe(self, params: Sequence[Any], *, queue: Queue[Pushed]) -> object:
        """Notifications into a queue."""


def quantity(text: str) -> int:
    """A 0x-quantity as int. Raises NodeGarbled.

    >>> quantity("0x1a")
    26
    """
    try:
        return int(text, 16) if text[:2] == "0x" else _no_quantity(text)
    except ValueError:
        return _no_quantity(text)


def _no_quantity(text: str) -> NoReturn:
    raise NodeGarbled(f"not a quantity: {text[:40]!a}")


_place = lru_cache(maxsize=4096)(quantity)
"""Places in a block are the same few hundred words, block after block."""


def _hashes(*written: str) -> tuple[str, ...]:
    """These, as long as hashes already, in lower case. Raises NodeGarbled when one is not hex.

    Nodes write lower case, so one look through all of them is nearly always all there is to do.
    """
    if "".join(written).encode().translate(None, _DIGITS) == b"x" * len(written):
        return written
    lower = tuple([one.lower() for one in written])
    if "".join(lower).encode().translate(None, _DIGITS) != b"x" * len(lower):
        raise NodeGarbled(f"not a hash among {', '.join(map(ascii, written))}")
    return lower


def transaction(chain: str, wire: WireTx, at: float) -> Transaction:
    """A wire transaction as the event detectors see; `at` is when the node gave it to us. Raises NodeGarbled."""
    (tx_id,) = _hashes(wire.hash)
    return Transaction(
        chain=chain,
        at=at,
        id=tx_id,
        sender=wire.sender.lower(),
        to=None if wire.to is None else wire.to.lower(),
        value=quantity(wire.value),
        input=wire.input.lower(),
        nonce=quantity(wire.nonce),
        gas=quantity(wire.gas),
        max_fee=quantity(wire.max_fee or wire.gas_price or "0x0"),
    )


class Evm:
    """Reads over one connection of one node. `pinned`: it takes block hashes in calls (EIP-1898); else heights are used.

    `tags`: it knows `safe` and `finalized`. `verify`: a block's id must be the hash of its header. Every read takes `within`,
    seconds, and raises a NodeError.
    """

    def __init__(self, rpc: Caller, *, chain: str, pinned: bool = True, tags: bool = True, verify: bool = True) -> None:
        self.rpc = rpc
        self.chain = chain
        self.pinned = pinned
        self.tags = tags
        self._seal = Seal(chain) if verify else None
        self._proof = Proof()

    @property
    def proves(self) -> bool:
        """Is what it reads of a block proven by the block's id?"""
        return self._seal is not None and self._seal.kept

    def beside(self, rpc: Caller) -> "Evm":
        """The same reads of the same chain over another node's connection, held to the same seal."""
        other = Evm(rpc, chain=self.chain, pinned=self.pinned, tags=False, verify=False)
        other._seal = self._seal
        return other

    async def chain_id(self, *, within: float) -> int:
        """The number the node signs with."""
        return quantity(await self.rpc.call("eth_chainId", timeout=within, type=Quantity))

    async def extent(self, *, within: float) -> Extent:
        """Head, safe and finalized in one frame. A node that refuses the tags says -1 for them."""
        asks = [Ask("eth_getBlockByNumber", ("latest", False), _WireBlock | None)]
        if self.tags:
            asks += [Ask("eth_getBlockByNumber", (tag, False), _WireTip | None) for tag in ("safe", "finalized")]
        latest, *final = await self.rpc.batch(asks, timeout=within)
        if isinstance(latest, RpcRefused):
            raise latest
        if latest is None:
            raise NodeGarbled(f"{self.chain}: the node has no latest block; is it still starting?")
        heights = [quantity(tip.number) if isinstance(tip, _WireTip) else -1 for tip in final] or [-1, -1]
        return Extent(self._block(latest), *heights)

    async def block(self, height: int, *, bodies: bool = False, within: float) -> BlockData | None:
        """The canonical block at a height; with `bodies` its transactions in full. None where there is none (yet)."""
        found = await self.rpc.call("eth_getBlockByNumber", (hex(height), bodies), timeout=within, type=_WireBlock | None)
        if found is not None and quantity(found.number) != height:
            raise NodeGarbled(f"{self.chain}: asked for block {height}, was given another")
        return None if found is None else self._block(found)

    async def block_by_id(self, block_id: str, *, bodies: bool = False, within: float) -> BlockData | None:
        """A block by its hash, canonical or not; None where the node does not have it."""
        found = await self.rpc.call("eth_getBlockByHash", (block_id, bodies), timeout=within, type=_WireBlock | None)
        return None if found is None else self._block(found)

    async def logs(self, block: BlockData, *, within: float) -> tuple[LogEntry, ...]:
        """All logs of this very block, in order, each once. Raises LogsMissing when they are not what its header promises.

        A node that refuses them, and says at the same time that the block is its own, misses them too.
        """
        asked, height = ({"blockHash": block.position.id},), block.position.height
        try:
            found = await self.rpc.call("eth_getLogs", asked, timeout=within, type=list[WireLog])
        except RpcRefused as error:
            if error.throttled or not await self._has(block.position, within=within):
                raise  # nodes refuse logs of a block that they have just replaced
            raise LogsMissing(f"{self.chain}: refused the logs of block {height}, which it has: {error}") from error
        entries = sorted((log_entry(one, block.position.id) for one in found), key=lambda entry: entry.index)
        if len({entry.index for entry in entries}) != len(entries):
            raise LogsMissing(f"{self.chain}: among the {len(entries)} logs given for block {height} some are told twice")
        if bloom.promises(block.bloom) and await _bloom_of(entries) != block.bloom:
            raise LogsMissing(f"{self.chain}: the {len(entries)} logs given for block {height} are not those its header promises")
        return tuple(entries)

    async def _has(self, position: Position, *, within: float) -> bool:
        """Is this still the node's block at that height?"""
        block = await self.block(position.height, within=within)
        return block is not None and block.position.id == position.id

    async def audit(self, block: BlockData, logs: Sequence[LogEntry], *, within: float) -> None:
        """Recompute the receipts root of a block's header, and compare its receipts' logs with these. Raises Forged.

        A node that keeps no receipts, or a header without their root, is no proof of anything: skipped, and counted as that.
        """
        asked = ({"blockHash": block.position.id},)
        try:
            found = await self.rpc.call("eth_getBlockReceipts", asked, timeout=within, type=list[RootReceipt])
        except RpcRefused as error:
            if error.throttled:
                raise
            found = None
        outcome = "skipped"
        if found is not None and block.receipts_root:
            outcome = await asyncio.to_thread(self._proof.audited, block, logs, found)  # milliseconds of hashing
        metrics.NODE_CHECKS.labels(self.chain, "receipts_root", outcome).inc()
        if outcome == "failed":
            raise Forged(f"{self.chain}: the receipts of block {block.position.id} are not what its header is the hash of")

    async def receipts(self, block: BlockData, *, within: float) -> tuple[Receipt, ...]:
        """How each transaction of the block ended, in order."""
        asked = ({"blockHash": block.position.id},) if self.pinned else (hex(block.position.height),)
        found = await self.rpc.call("eth_getBlockReceipts", asked, timeout=within, type=list[_WireReceipt])
        return tuple(_receipt(one) for one in found)

    async def code(self, address: str, at: Position, *, within: float) -> str:
        """The code at the end of a block, 0x-hex; `0x` for none."""
        return str(await self.rpc.call("eth_getCode", (address, self.ref(at)), timeout=within, type=str)).lower()

    async def balance(self, address: str, at: Position, *, within: float) -> int:
        """Wei at the end of a block."""
        return quantity(await self.rpc.call("eth_getBalance", (address, self.ref(at)), timeout=within, type=Quantity))

    async def nonce(self, address: str, at: Position | None = None, *, within: float) -> int:
        """The next nonce at the end of a block (None: of the newest)."""
        where = "latest" if at is None else self.ref(at)
        return quantity(await self.rpc.call("eth_getTransactionCount", (address, where), timeout=within, type=Quantity))

    async def view(self, to: str, data: str, at: Position, *, within: float) -> str:
        """What a contract's read function returns at the end of a block, 0x-hex. Raises RpcRefused when it reverts."""
        return str(await self.rpc.call("eth_call", ({"to": to, "data": data}, self.ref(at)), timeout=within, type=str)).lower()

    async def views(self, reads: Iterable[Ask], at: Position, *, within: float) -> list[Any]:
        """Many state reads at one block in one frame: the block is added as each one's last parameter.

        `Ask("eth_call", ({"to": t, "data": d},), str)`, `Ask("eth_getBalance", (a,), str)` …; one that the node refuses
        (a revert, say) gives its RpcRefused in place.
        """
        ref = self.ref(at)
        return await self.rpc.batch([Ask(read.method, (*read.params, ref), read.type) for read in reads], timeout=within)

    async def transactions(self, ids: Sequence[str], *, within: float) -> list[WireTx | None]:
        """Transactions by id, one frame; None for what the node does not know (any more)."""
        asks = [Ask("eth_getTransactionByHash", (one,), WireTx | None) for one in ids]
        found = await self.rpc.batch(asks, timeout=within)
        for one in found:
            if isinstance(one, RpcRefused):
                raise one
        return found

    async def doorbell(self, *, within: float) -> Queue[Pushed]:
        """New heads as rings: only that one came counts, so one waiting ring is enough."""
        queue: Queue[Pushed] = Queue(1, Rule.DROP_OLDEST)
        try:
            async with asyncio.timeout(within):
                await self.rpc.subscribe(["newHeads"], queue=queue)
        except TimeoutError:
            raise NodeSilent(f"{self.chain}: no answer to a subscription to new heads within {within:g} s") from None
        return queue

    def ref(self, at: Position) -> object:
        """How a state read names this block: by hash and only while canonical (EIP-1898), or by height."""
        return {"blockHash": at.id, "requireCanonical": True} if self.pinned else hex(at.height)

    def _block(self, wire: _WireBlock) -> BlockData:
        if self._seal is not None:
            self._seal.check(wire.hash.lower(), wire, len(wire.transactions))
        bodies = [one for one in wire.transactions if isinstance(one, WireTx)]
        seconds = quantity(wire.timestamp)
        return BlockData(
            position=_position(wire),
            timestamp=seconds,
            base_fee=None if wire.base_fee_per_gas is None else quantity(wire.base_fee_per_gas),
            gas_used=quantity(wire.gas_used),
            gas_limit=quantity(wire.gas_limit),
            transactions=tuple((one.hash if isinstance(one, WireTx) else one).lower() for one in wire.transactions),
            bodies=tuple(transaction(self.chain, one, float(seconds)) for one in bodies),
            bloom=quantity(wire.logs_bloom) if wire.logs_bloom else 0,
            receipts_root=wire.receipts_root.lower(),
            extra=_extra(wire.extra_data),
            blob_gas_used=None if wire.blob_gas_used is None else quantity(wire.blob_gas_used),
            excess_blob_gas=None if wire.excess_blob_gas is None else quantity(wire.excess_blob_gas),
        )


def _extra(text: str) -> bytes:
    """The header's free field, cut; nothing where it is no hex: only forecasts read it, and a block is not refused for it."""
    try:
        return bytes.fromhex(text[2 : 2 + 2 * EXTRA_KEPT])
    except ValueError:
        return b""


def _position(wire: _WireBlock) -> Position:
    return Position(quantity(wire.number), wire.hash.lower(), wire.parent_hash.lower())


def log_entry(wire: WireLog, block_id: str) -> LogEntry:
    """A wire log as the feeds hand it on, if it is of this block. Raises NodeGarbled."""
    if wire.block_hash != block_id and wire.block_hash.lower() != block_id:
        raise NodeGarbled(f"a log of block {wire.block_hash} given for block {block_id}")
    hashes = _hashes(wire.transaction_hash, *wire.topics)
    index, tx_index = _place(wire.log_index), _place(wire.transaction_index)
    return LogEntry(wire.address.lower(), hashes[1:], wire.data.lower(), index, hashes[0], tx_index)


def _receipt(wire: _WireReceipt) -> Receipt:
    created = wire.contract_address
    return Receipt(
        wire.transaction_hash.lower(),
        quantity(wire.status) == 1,
        quantity(wire.gas_used),
        quantity(wire.effective_gas_price),
        None if created is None else created.lower(),
    )


async def _bloom_of(entries: Sequence[LogEntry]) -> int:
    found = 0
    try:
        for at, entry in enumerate(entries, 1):
            found |= bloom.bits(entry.address)
            for topic in entry.topics:
                found |= bloom.bits(topic)
            if at % _LOGS_A_TURN == 0:
                await asyncio.sleep(0)
    except ValueError:
        raise NodeGarbled("a log whose address or topics are not hex") from None
    return found
