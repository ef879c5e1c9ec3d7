"""Environments: the builder, clock, fees and chance under which a pending transaction is run once more.

A node simulates with no builder, no gas price and yesterday's block; a contract that looks at these knows that it is watched.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from detectors.events import Position, Transaction
from monitor.errors import NodeError
from monitor.feeds.tracing import Caller

ASKED_WITHIN = 2.0


class Names(NamedTuple):
    """What a node calls the fields of a block. `hashes`: the hashes of earlier blocks, "" where it lets nobody set them."""

    builder: str
    chance: str
    fee: str
    hashes: str = ""


HASHES = "blockHash"
NAMES = (Names("feeRecipient", "prevRandao", "baseFeePerGas"), Names("coinbase", "random", "baseFee"))
"""What nodes call them, the newer first."""

_PROBED = "0x" + "0e" * 20
_PROBED_HASH = "0x" + "0f" * 32
_ALL = (1 << 256) - 1
_TELLS = "0x41600052600143034060205260406000f3"
"""Returns the builder, and the hash of the block before the one that it runs in."""


class Environment(msgspec.Struct, frozen=True):
    """`block` overrides the block's fields, `call` the transaction's; `name` is for people."""

    name: str
    block: Mapping[str, str | Mapping[str, str]]
    call: Mapping[str, str]


async def names(rpc: Caller, head: Position) -> Names | None:
    """What this node calls the fields of a block; None where it does not let them be set. Raises nothing a node can cause.

    A name is believed once what was set under it is seen by code: go-ethereum knows no hashes, and ignores what it does not know.
    """
    for found in (*(one._replace(hashes=HASHES) for one in NAMES), *NAMES):
        past = {found.hashes: {str(head.height): _PROBED_HASH}} if found.hashes else {}
        options = {
            "tracer": "callTracer",
            "blockOverrides": {found.builder: _PROBED, "number": hex(head.height + 1), **past},
            "stateOverrides": {_PROBED: {"code": _TELLS}},
        }
        try:
            call = [{"to": _PROBED, "gas": "0x30d40"}, {"blockHash": head.id}, options]
            told = await rpc.call("debug_traceCall", call, timeout=ASKED_WITHIN)
        except NodeError:
            continue
        if isinstance(told, dict) and _took(found, str(told.get("output", ""))):
            return found
    return None


def _took(named: Names, output: str) -> bool:
    """Did code see the builder that was set, and the hash, where one was?"""
    builder, last = output[2:66], output[66:130]
    return builder.endswith(_PROBED[2:]) and (not named.hashes or last == _PROBED_HASH[2:])


def environments(tx: Transaction, head: Position, base_fee: int, now: float, named: Names) -> list[Environment]:
    """The next block as a builder would make it, and one after it in which every bit that code might look at is another.

    The hash of the block before is the head's in the one, and has every bit turned in the other; the gas that is left is what the
    transaction brings, and half as much again (less would have honest calls run out).

    >>> tx = Transaction(chain="eip155:1", at=0.0, id="0x1", sender="0xa", to=None, value=0, input="0x", nonce=0, gas=1,
    ...                  max_fee=9)
    >>> one, two = environments(tx, Position(5, "0x" + "1f" * 32), 7, 1000.0, NAMES[0])
    >>> [int(env.block["number"], 16) for env in (one, two)], [int(env.block["time"], 16) % 2 for env in (one, two)]
    ([6, 7], [0, 1])
    """
    builder, chance, fee, hashes = named
    seed = hashlib.sha256(f"{head.id}{tx.id}".encode()).digest()
    other = bytes(255 - byte for byte in seed)
    past = {str(head.height): head.id}
    turned = {str(head.height + 1): f"0x{int(head.id, 16) ^ _ALL:064x}"}
    soon = int(now) + 12 + int(now) % 2
    price = {"gasPrice": hex(tx.max_fee)}
    least = min(base_fee, tx.max_fee)
    return [
        Environment(
            "the next block",
            {
                builder: "0x" + seed[:20].hex(), chance: "0x" + seed.hex(), fee: hex(least),
                "number": hex(head.height + 1), "time": hex(soon), **({hashes: past} if hashes else {}),
            },
            price,
        ),
        Environment(
            "another builder and a later clock",
            {
                builder: "0x" + other[:20].hex(), chance: "0x" + other.hex(), fee: hex(max(least - least // 8, 0)),
                "number": hex(head.height + 2), "time": hex(soon + 13), **({hashes: past | turned} if hashes else {}),
            },
            price | {"gas": hex(tx.gas + tx.gas // 2)},
        ),
    ]  # fmt: skip
