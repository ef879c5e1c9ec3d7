"""Environments on a real node: what it lets be set, and that code run in them sees another hash, bit for bit."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from detectors.events import Position, Transaction
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.feeds.environments import HASHES, NAMES, Names, environments, names

TELLS = "0x4360019003405f5260205ff3"
"""Returns the hash of the block before the one that it runs in."""
WHO = "0x" + "0e" * 20


async def test_between_the_two_environments_every_bit_of_the_last_hash_is_seen_both_ways() -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node:
        for _ in range(2):
            await node.call("evm_mine", [])
        newest = await node.call("eth_getBlockByNumber", ["latest", False])
        head = Position(int(newest["number"], 16), newest["hash"], newest["parentHash"])
        asks: Any = node  # of a Caller, only `call` is used
        named = await names(asks, head)
        assert named is not None
        assert named.hashes == HASHES, "over HTTP this node lets the hashes of earlier blocks be set"
        tx = Transaction(
            chain="eip155:1", at=0.0, id="0x1", sender=WHO, to=WHO, value=0, input="0x", nonce=0, gas=10**5, max_fee=10**10
        )  # fmt: skip

        async def seen(block: Any) -> int:  # noqa: ANN401 - as the node takes it
            options = {"tracer": "callTracer", "blockOverrides": dict(block), "stateOverrides": {WHO: {"code": TELLS}}}
            call = [{"to": WHO, "gas": "0x30d40"}, {"blockHash": head.id}, options]
            return int((await node.call("debug_traceCall", call))["output"], 16)

        one, two = [await seen(env.block) for env in environments(tx, head, 7, time.time(), named)]
        assert one == int(head.id, 16), "the next block's parent is the head"
        assert one ^ two == (1 << 256) - 1


class Ignoring:
    """A node that leaves out of a block what it does not know, as Go's JSON decoding does, and says nothing of it."""

    def __init__(self, node: HttpNode, known: frozenset[str]) -> None:
        self.node = node
        self.known = known

    async def call(self, method: str, params: Sequence[Any], *, timeout: float) -> Any:  # noqa: ANN401, ARG002, ASYNC109 - a Caller
        call, at, options = params
        block = {name: value for name, value in options["blockOverrides"].items() if name in self.known}
        return await self.node.call(method, [call, at, {**options, "blockOverrides": block}])


GO_ETHEREUM = frozenset(
    ("number", "difficulty", "time", "gasLimit", "feeRecipient", "prevRandao", "baseFeePerGas", "blobBaseFee", "beaconRoot")
)
"""`internal/ethapi/override`, BlockOverrides."""


@pytest.mark.parametrize(
    ("known", "believed"),
    [
        (GO_ETHEREUM, NAMES[0]),
        (GO_ETHEREUM | {HASHES}, NAMES[0]._replace(hashes=HASHES)),
        (frozenset({"number", "coinbase", HASHES}), NAMES[1]._replace(hashes=HASHES)),
        (frozenset({"number"}), None),
    ],
)
async def test_a_name_that_the_node_ignores_without_a_word_is_not_believed(known: frozenset[str], believed: Names | None) -> None:
    async with await Anvil.start("--no-mining") as anvil, HttpNode(anvil.http) as node:
        for _ in range(2):
            await node.call("evm_mine", [])
        newest = await node.call("eth_getBlockByNumber", ["latest", False])
        asks: Any = Ignoring(node, known)
        assert await names(asks, Position(int(newest["number"], 16), newest["hash"], newest["parentHash"])) == believed
