"""A header's own seal: a block's id is the hash of its fields, so a node that changes one of them is caught by the id it gives.

Keccak-256 of the RLP of the header (Yellow Paper §4.3; later fields by EIP-1559, 4895, 4844, 4788, 7685). Chains that seal
otherwise are recognised by never having matched: there the check is skipped, which is counted and is not a pass.
"""

import msgspec
from eth_hash.auto import keccak

from monitor import metrics
from monitor.chains import rlp
from monitor.errors import NodeGarbled

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
"""The root of a trie without entries: that of a block without transactions. Keccak-256 of the RLP of nothing."""


class Forged(NodeGarbled):
    """What a node said of a block is not what the block's id, or a root in its header, is the hash of."""


class Sealed(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """The fields of a header as nodes write them, in the order in which they are hashed."""

    parent_hash: str
    sha3_uncles: str = ""
    miner: str = ""
    state_root: str = ""
    transactions_root: str = ""
    receipts_root: str = ""
    logs_bloom: str | None = None
    difficulty: str = ""
    number: str
    gas_limit: str
    gas_used: str
    timestamp: str
    extra_data: str = "0x"
    mix_hash: str = ""
    nonce: str = ""
    base_fee_per_gas: str | None = None
    withdrawals_root: str | None = None
    blob_gas_used: str | None = None
    excess_blob_gas: str | None = None
    parent_beacon_block_root: str | None = None
    requests_hash: str | None = None


_ALWAYS = 15
"""Fields that every header has; the later ones came with forks, each only after those before it."""
_LONGEST = 1 << 17
"""Characters of one field; some chains keep their validators in the free one, none needs more."""
_NUMBERS = frozenset(
    ("difficulty", "number", "gas_limit", "gas_used", "timestamp", "base_fee_per_gas", "blob_gas_used", "excess_blob_gas")
)
_FIELDS = tuple((name, name in _NUMBERS) for name in Sealed.__struct_fields__)


def sealed(header: Sealed) -> str:
    """The id that these fields give; empty where they cannot be a whole header."""
    parts: list[bytes] = []
    for place, (name, number) in enumerate(_FIELDS):
        written = getattr(header, name)
        if written is None and place >= _ALWAYS:
            if any(getattr(header, later) is not None for later, _ in _FIELDS[place:]):
                return ""
            break
        if not written or len(written) > _LONGEST:
            return ""
        try:
            parts.append(rlp.number(written) if number else bytes.fromhex(written[2:]))
        except (TypeError, ValueError):
            return ""
    return "0x" + keccak(rlp.encode(parts)).hex()


class Seal:
    """The check for one chain. Once a header matched, every one must: fields left out are then as bad as fields changed."""

    def __init__(self, chain: str) -> None:
        self._chain = chain
        self.kept = False
        """A header matched: this chain seals its blocks like this."""

    def check(self, block_id: str, header: Sealed, transactions: int) -> None:
        """A header with its id and the number of transactions given with it. Raises Forged."""
        whole = sealed(header) == block_id
        self.kept = self.kept or whole
        if not self.kept:
            self._count("skipped")
            return
        if not whole:
            self._count("failed")
            raise Forged(
                f"{self._chain}: block {header.number[:20]!a} does not hash to the id given, {block_id}: the node changed it; "
                "should the chain have a new header format, set verify_headers: false"
            )
        if (transactions == 0) != (header.transactions_root.lower() == EMPTY_ROOT):
            self._count("failed")
            raise Forged(f"{self._chain}: block {block_id} was given with {transactions} transactions, which its header denies")
        self._count("ok")

    def _count(self, outcome: str) -> None:
        metrics.NODE_CHECKS.labels(self._chain, "header_hash", outcome).inc()
