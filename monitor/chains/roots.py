"""The receipts root: a block's receipts, logs included, prove themselves by the hash in its header.

A bloom tells that a log is missing, never that one was changed in its data or that a transaction was left out with its receipt.
The root of the trie over all receipts (Yellow Paper §4.3.1, EIP-2718) tells both. It costs a whole block's receipts, so it is
asked for of a sample of blocks and of those that raise an alarm.
"""

from collections.abc import Sequence

import msgspec
from eth_hash.auto import keccak

from monitor.chains import bloom, rlp
from monitor.chains.base import BlockData, LogEntry

DEPOSIT = 0x7E
"""OP Stack deposits, whose receipts say two things more."""
_KNOWN = frozenset((0, 1, 2, 3, 4, DEPOSIT))
"""Transaction types whose receipts we know how to hash."""
_NIBBLES = [bytes((byte >> 4, byte & 15)) for byte in range(256)]
_SHORT = 32
"""A node shorter than its hash stands in its parent itself."""


class RootLog(msgspec.Struct, gc=False, rename="camel"):
    """A log as its receipt's hash has it."""

    address: str
    topics: tuple[str, ...]
    data: str


class RootReceipt(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """A receipt as nodes write it, as far as it is hashed."""

    transaction_hash: str
    type: str = "0x0"
    status: str | None = None
    root: str | None = None
    cumulative_gas_used: str
    logs: list[RootLog]
    deposit_nonce: str | None = None
    deposit_receipt_version: str | None = None


def receipts_root(receipts: Sequence[RootReceipt]) -> str:
    """The root of the trie over these receipts, 0x-hex. Raises ValueError for what is no hex.

    >>> receipts_root([])
    '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'
    """
    entries = {_nibbles(rlp.encode(rlp.integer(place))): _encoded(receipt) for place, receipt in enumerate(receipts)}
    return "0x" + keccak(rlp.encode(_node(sorted(entries.items()), 0)) if entries else rlp.encode(b"")).hex()


class Proof:
    """The check for one chain: where no receipts ever gave their root, it hashes them otherwise, and proves nothing by it."""

    def __init__(self) -> None:
        self._kept = False

    def audited(self, block: BlockData, logs: Sequence[LogEntry], receipts: Sequence[RootReceipt]) -> str:
        """`ok` when these are the receipts of all the block's transactions, and the logs theirs; else `failed` or `skipped`."""
        try:
            proven = receipts_root(receipts) == block.receipts_root
            strange = any(int(receipt.type, 16) not in _KNOWN for receipt in receipts)
        except ValueError:
            return "failed"
        self._kept = self._kept or (proven and bool(receipts))
        if not proven and (strange or not self._kept):
            return "skipped"
        whose = tuple(receipt.transaction_hash.lower() for receipt in receipts)
        return "ok" if proven and whose == block.transactions and _logs_of(receipts) == _plain(logs) else "failed"


_Plain = list[tuple[str, tuple[str, ...], str]]


def _plain(logs: Sequence[LogEntry]) -> _Plain:
    return [(entry.address, entry.topics, entry.data) for entry in logs]


def _logs_of(receipts: Sequence[RootReceipt]) -> _Plain:
    return [(log.address.lower(), tuple(map(str.lower, log.topics)), log.data.lower()) for one in receipts for log in one.logs]


def _encoded(receipt: RootReceipt) -> bytes:
    outcome = _bytes(receipt.root) if receipt.status is None and receipt.root is not None else rlp.number(receipt.status or "0x1")
    found = 0
    logs: list[rlp.Item] = []
    for log in receipt.logs:
        for item in (log.address, *log.topics):
            found |= bloom.bits(item)
        logs.append((_bytes(log.address), tuple([_bytes(topic) for topic in log.topics]), _bytes(log.data)))
    parts: list[rlp.Item] = [outcome, rlp.number(receipt.cumulative_gas_used), found.to_bytes(256), logs]
    kind = int(receipt.type, 16)
    if kind == DEPOSIT:
        parts += [rlp.number(extra) for extra in (receipt.deposit_nonce, receipt.deposit_receipt_version) if extra is not None]
    body = rlp.encode(parts)
    return bytes((kind,)) + body if kind else body


def _node(entries: Sequence[tuple[bytes, bytes]], depth: int) -> list[rlp.Item]:
    """The trie node over entries, sorted by their paths, that share the first `depth` nibbles."""
    first, last = entries[0][0], entries[-1][0]
    if len(entries) == 1:
        return [_path(first[depth:], leaf=True), entries[0][1]]
    same_until = depth
    while same_until < len(first) and first[same_until] == last[same_until]:
        same_until += 1
    if same_until > depth:
        return [_path(first[depth:same_until], leaf=False), _reference(_node(entries, same_until))]
    branch: list[rlp.Item] = [b""] * 17
    at = 0
    while at < len(entries):
        nibble, start = entries[at][0][depth], at
        while at < len(entries) and entries[at][0][depth] == nibble:
            at += 1
        branch[nibble] = _reference(_node(entries[start:at], depth + 1))
    return branch


def _reference(node: list[rlp.Item]) -> rlp.Item:
    written = rlp.encode(node)
    return node if len(written) < _SHORT else keccak(written)


def _path(nibbles: bytes, *, leaf: bool) -> bytes:
    """Hex prefix encoding (Yellow Paper, appendix C)."""
    odd = len(nibbles) % 2
    flag = 2 * leaf + odd
    padded = bytes((flag, *nibbles)) if odd else bytes((flag, 0, *nibbles))
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))


def _nibbles(key: bytes) -> bytes:
    return b"".join(_NIBBLES[byte] for byte in key)


def _bytes(written: str) -> bytes:
    return bytes.fromhex(written[2:])
