"""Lane (a): `websockets` and `msgspec` with nothing around them: read, decode the envelope, decode the typed result, route."""

from typing import Any

import msgspec
from websockets.asyncio.client import connect

from benchmarks.ingesting.feed import SUBSCRIPTIONS, WATCHED
from benchmarks.ingesting.tally import Lap, Meter, Tally, drive


class Log(msgspec.Struct, gc=False, rename="camel"):
    """The fields our own feed reads of a log."""

    address: str
    topics: tuple[str, ...]
    data: str
    log_index: str
    transaction_hash: str
    transaction_index: str
    block_hash: str


class Tx(msgspec.Struct, gc=False, rename="camel"):
    """The fields our own feed reads of a transaction."""

    hash: str
    nonce: str
    gas: str
    input: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    value: str = "0x0"
    gas_price: str | None = None
    max_fee_per_gas: str | None = None


class Head(msgspec.Struct, gc=False, rename="camel"):
    """The fields our own feed reads of a header."""

    hash: str
    parent_hash: str
    number: str
    timestamp: str
    gas_used: str
    gas_limit: str
    base_fee_per_gas: str | None = None
    logs_bloom: str | None = None


class Push(msgspec.Struct, gc=False):
    """The `params` of a notification."""

    subscription: str
    result: msgspec.Raw


class Envelope(msgspec.Struct, gc=False):
    """A notification, or the reply to a call."""

    params: Push | None = None
    result: str | None = None


async def lane(url: str, count: int) -> Lap:
    """Take `count` messages on one connection."""
    tally, watched = Tally(), WATCHED
    moved: dict[str, set[str]] = {}
    envelope = msgspec.json.Decoder(Envelope).decode
    log, tx, head = msgspec.json.Decoder(Log).decode, msgspec.json.Decoder(Tx).decode, msgspec.json.Decoder(Head).decode
    logs, pending, _ = SUBSCRIPTIONS.values()
    async with connect(url, compression=None, max_queue=64, ping_interval=None, proxy=None) as socket:
        for number, params in enumerate((["logs", {}], ["newPendingTransactions", True], ["newHeads"])):
            call: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": params}
            await socket.send(msgspec.json.encode(call), text=True)
            await socket.recv()
        meter = Meter(tally)
        await meter.start()
        receive = socket.recv
        for _ in range(count):
            push = envelope(await receive(decode=False)).params
            assert push is not None
            if push.subscription == logs:
                entry = log(push.result)
                tally.logs += 1
                if entry.address in watched:
                    tally.hits += 1
                    tally.checksum += int(entry.data[2:66], 16)
                for topic in entry.topics[1:3]:
                    if (holder := "0x" + topic[-40:]) in watched:
                        tally.hits += 1
                        moved.setdefault(holder, set()).add(entry.address)
            elif push.subscription == pending:
                sent = tx(push.result)
                tally.transactions += 1
                tally.checksum += int(sent.value, 16)
                tally.hits += sent.to in watched
            else:
                tally.heads += 1
                tally.checksum += int(head(push.result).number, 16)
        tally.moved = sum(map(len, moved.values()))
        return meter.stop()


if __name__ == "__main__":
    drive(lane)
