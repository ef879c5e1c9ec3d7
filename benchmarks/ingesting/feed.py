"""A chain's talk, made up but shaped as geth words it: logs, full pending transactions and heads, over ten thousand pools.

Seeded and made in order, so that the first n messages are always the same ones. What a lane must find in them (`expected`) is
reckoned from the values the messages are made of, not from the messages.
"""

import json
import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from benchmarks.ingesting.tally import MASK, Tally

SUBSCRIPTIONS = {
    "logs": "0x9cef478923ff08bf67fde6c64013158d",
    "newPendingTransactions": "0xc3b33aa549fb9a60e95d21862596617c",
    "newHeads": "0x1a14b6bdcf4542fabf71c4abee244e47",
}
"""What the node names each subscription; geth's are sixteen random bytes."""
_LOGS, _PENDING, _HEADS = SUBSCRIPTIONS

SEED = 20_260_101
POOLS = 10_000
SKEW = 1.0
"""Zipf's exponent: the busiest pool gets about a tenth of the traffic."""
HEAD_EVERY = 1000
LOGS_SHARE = 0.7

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_SWAP = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"

_dice = random.Random(SEED)
ADDRESSES = tuple(f"0x{_dice.getrandbits(160):040x}" for _ in range(POOLS))
"""Pools, busiest first."""
WATCHED = frozenset(ADDRESSES[7::40])
"""Two hundred and fifty of them, busy ones and idle ones."""


class Message(NamedTuple):
    """One notification: what it is of, and its text."""

    kind: str
    text: bytes


def messages(count: int) -> Iterator[Message]:
    """The first `count` messages."""
    for kind, result in _results(count):
        body = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": SUBSCRIPTIONS[kind], "result": result}}
        yield Message(kind, json.dumps(body, separators=(",", ":")).encode())


def expected(count: int) -> Tally:
    """What every lane must find in the first `count` messages."""
    tally, moved = Tally(), set[tuple[str, str]]()
    for kind, result in _results(count):
        if kind == _HEADS:
            tally.heads += 1
            tally.checksum += int(result["number"], 16)
        elif kind == _PENDING:
            tally.transactions += 1
            tally.hits += result["to"] in WATCHED
            tally.checksum += int(result["value"], 16)
        else:
            tally.logs += 1
            holders = {"0x" + topic[26:] for topic in result["topics"][1:3]} & WATCHED
            tally.hits += (result["address"] in WATCHED) + len(holders)
            tally.checksum += int(result["data"][2:66], 16) if result["address"] in WATCHED else 0
            moved |= {(result["address"], holder) for holder in holders}
    tally.moved = len(moved)
    tally.checksum &= MASK
    return tally


def _results(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    dice = random.Random(SEED + 1)
    weights = list(accumulate(1 / rank**SKEW for rank in range(1, POOLS + 1)))
    height, block = 24_000_000, _hash(dice)
    for number in range(count):
        if number % HEAD_EVERY == HEAD_EVERY - 1:
            head = _head(dice, height, block)
            height, block = height + 1, head["hash"]
            yield _HEADS, head
            continue
        pool, other = dice.choices(ADDRESSES, cum_weights=weights, k=2)
        if dice.random() < LOGS_SHARE:
            yield _LOGS, _log(dice, height, block, pool, other)
        else:
            yield _PENDING, _pending(dice, pool)


def _log(dice: random.Random, height: int, block: str, pool: str, other: str) -> dict[str, Any]:
    """A swap at a pool, or its token moving between two parties."""
    swap = dice.random() < 0.5
    amounts = [dice.getrandbits(80) for _ in range(4 if swap else 1)]
    parties = [_topic(f"0x{dice.getrandbits(160):040x}"), _topic(other)]
    return {
        "address": pool, "topics": [_SWAP if swap else _TRANSFER, *parties],
        "data": "0x" + "".join(f"{amount:064x}" for amount in amounts), "blockNumber": hex(height),
        "transactionHash": _hash(dice), "transactionIndex": hex(dice.randrange(400)), "blockHash": block,
        "blockTimestamp": hex(_clock(height)), "logIndex": hex(dice.randrange(1200)), "removed": False,
    }  # fmt: skip


def _pending(dice: random.Random, to: str) -> dict[str, Any]:
    """A call of a pool, as a node with full pending transactions pushes it."""
    words = [f"{dice.getrandbits(160):064x}" for _ in range(1 + min(dice.randrange(18), dice.randrange(18)))]
    fee = hex(dice.randrange(10**9, 10**11))
    return {
        "blockHash": None, "blockNumber": None, "blockTimestamp": None, "from": f"0x{dice.getrandbits(160):040x}",
        "gas": hex(dice.randrange(21_000, 900_000)), "gasPrice": fee, "maxFeePerGas": fee, "maxPriorityFeePerGas": "0x3b9aca00",
        "hash": _hash(dice), "input": f"0x{dice.getrandbits(32):08x}" + "".join(words), "nonce": hex(dice.randrange(2000)),
        "to": to, "transactionIndex": None, "value": hex(dice.randrange(10**19)), "type": "0x2", "accessList": [],
        "chainId": "0x1", "v": "0x1", "r": _hash(dice), "s": _hash(dice), "yParity": "0x1",
    }  # fmt: skip


def _head(dice: random.Random, height: int, parent: str) -> dict[str, Any]:
    """A header with its bloom."""
    return {
        "parentHash": parent, "sha3Uncles": _hash(dice), "miner": dice.choice(ADDRESSES), "stateRoot": _hash(dice),
        "transactionsRoot": _hash(dice), "receiptsRoot": _hash(dice), "logsBloom": f"0x{dice.getrandbits(2048):0512x}",
        "difficulty": "0x0", "number": hex(height), "gasLimit": "0x3938700", "gasUsed": hex(dice.randrange(60_000_000)),
        "timestamp": hex(_clock(height)), "extraData": "0x6265617665726275696c642e6f7267", "mixHash": _hash(dice),
        "nonce": "0x0000000000000000", "baseFeePerGas": hex(dice.randrange(10**8, 10**10)), "withdrawalsRoot": _hash(dice),
        "blobGasUsed": "0xc0000", "excessBlobGas": "0x0", "parentBeaconBlockRoot": _hash(dice), "requestsHash": _hash(dice),
        "hash": _hash(dice),
    }  # fmt: skip


def _clock(height: int) -> int:
    return 1_767_225_600 + 12 * (height - 24_000_000)


def _topic(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


def _hash(dice: random.Random) -> str:
    return f"0x{dice.getrandbits(256):064x}"
