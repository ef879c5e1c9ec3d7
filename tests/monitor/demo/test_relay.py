"""Private flow: what is handed to the builder is never announced as pending, and everything else passes untouched."""

import asyncio
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from monitor.demo.attacks import launch
from monitor.demo.miner import Miner
from monitor.demo.node import HttpNode
from monitor.demo.relay import Relay, push_end
from tests.support.show import scene


async def subscribe(url: str, *topic: object) -> ClientConnection:
    watcher = await connect(url, max_size=None)
    await watcher.send(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": topic}).decode())
    assert "result" in msgspec.json.decode(await watcher.recv())
    return watcher


async def pushes_until_head(pending: ClientConnection, heads: ClientConnection, tx: str) -> tuple[list[Any], Any]:
    """What was announced as pending before (and a moment after) the head that holds `tx`."""
    head: dict[str, Any] = {"transactions": []}
    async with asyncio.timeout(10):
        while tx not in head["transactions"]:
            head = msgspec.json.decode(await heads.recv())["params"]["result"]
    announced = []
    try:
        while True:
            async with asyncio.timeout(0.3):
                announced.append(msgspec.json.decode(await pending.recv())["params"]["result"])
    except TimeoutError:
        return announced, head


@pytest.mark.parametrize("full", [False, True])
async def test_a_private_transaction_is_first_seen_in_its_block(*, full: bool) -> None:
    async with scene(count=1) as show, Relay(show.anvil.port) as relay:
        public, private = show.stage.attacks
        topic = ("newPendingTransactions", True) if full else ("newPendingTransactions",)
        pending, heads = await subscribe(relay.ws, *topic), await subscribe(relay.ws, "newHeads")
        direct = await subscribe(show.anvil.ws, *topic)
        miner = Miner(show.node, 1)
        await miner.start()
        await miner.next_slot()
        secret = await launch(private, show.wallet, relay)
        seen = await launch(public, show.wallet)
        announced, head = await pushes_until_head(pending, heads, secret)
        hashes = [item["hash"] if full else item for item in announced]
        assert hashes == [seen]
        assert {secret, seen} <= set(head["transactions"])
        assert relay.kept_back == 1
        told = [msgspec.json.decode(await direct.recv())["params"]["result"] for _ in range(2)]
        assert {item["hash"] if full else item for item in told} == {secret, seen}
        if full:
            assert announced[0]["from"] == public.attacker
        for watcher in (pending, heads, direct):
            await watcher.close()


async def test_http_and_large_answers_pass_byte_for_byte() -> None:
    async with scene(count=0) as show, Relay(show.anvil.port) as relay, HttpNode(relay.http) as node:
        relay.hide("0x" + "ab" * 32)
        assert await node.call("eth_chainId", []) == "0x7a69"
        ask = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "anvil_dumpState", "params": []}).decode()
        answers = []
        for url in (relay.ws, show.anvil.ws):
            async with connect(url, max_size=None) as client:
                await client.send(ask)
                answers.append(msgspec.json.decode(await client.recv())["result"])
        assert answers[0] == answers[1]
        assert len(answers[0]) > 65_536


async def test_a_dead_node_closes_the_observers_connection() -> None:
    async with scene(count=0) as show, Relay(show.anvil.port) as relay:
        watcher = await subscribe(relay.ws, "newHeads")
        await show.anvil.stop()
        async with asyncio.timeout(5):
            await watcher.wait_closed()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_measured(size: int) -> None:
    if size < 126:
        head = bytes([0x81, size])
    elif size < 65_536:
        head = bytes([0x81, 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x81, 127]) + size.to_bytes(8, "big")
    frame = b"xx" + head + b"y" * size
    assert push_end(frame + b"next", 2) == (2 + len(head), len(frame))
    assert push_end(frame[:-1], 2) is None
