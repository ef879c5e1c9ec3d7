"""What goes wrong with single frames, by seed: lost, doubled, late, cut, spoiled, throttled, emptied; heads that stall or lie.

The rules are those of `FaultProxy`. Every lie about logs is remembered with the truth, so that belief in it can be told later.
"""

import json
import random
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from tests.support.fault_proxy import FaultProxy, answer, unchanged, unchanged_reply

OLD_HEADS = 8
GARBAGE = (
    b"{]",
    b"\x00garbage",
    b"[1,",
    b"",
    b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":7}}',
    b"NaN",
)
LIMITS: tuple[dict[str, Any], ...] = (
    {"code": -32005, "message": "limit exceeded"},
    {"code": 429, "message": "slow down"},
    {"code": -32016, "message": "over rate limit"},
)


def _truncated(frame: bytes, dice: random.Random) -> bytes:
    return frame[: dice.randrange(1, len(frame))]


def _mutated(frame: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(frame))
    return frame[:place] + bytes((frame[place] ^ 1 << dice.randrange(7),)) + frame[place + 1 :]


def _nulled(frame: bytes, _: random.Random) -> bytes:
    said = json.loads(frame)
    nothing = [{"jsonrpc": "2.0", "id": one["id"], "result": None} for one in (said if isinstance(said, list) else [said])]
    return json.dumps(nothing if isinstance(said, list) else nothing[0]).encode()


_SPOILT = (("reply_truncated", _truncated), ("reply_mutated", _mutated), ("reply_nulled", _nulled))


class FrameFaults:
    """Rules for one proxy. `counts` is what was done, by kind; `lies` the true number of logs of each block lied about."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.lies: dict[str, int] = {}
        self.stalled = self.lying = False
        self._pushes, self._replies = random.Random(f"pushes {seed}"), random.Random(f"replies {seed}")
        self._late: bytes | None = None
        self._heads: deque[Any] = deque(maxlen=OLD_HEADS)

    def begin(self, proxy: FaultProxy) -> None:
        """From now on frames suffer."""
        proxy.pushes, proxy.replies = self.push, self.reply

    def end(self, proxy: FaultProxy) -> None:
        """From now on they do not."""
        proxy.pushes, proxy.replies = unchanged, unchanged_reply

    def push(self, frame: bytes) -> Iterable[bytes]:
        """A notification: 10 % dropped, 8 % doubled, 8 % swapped with the next, 3 % garbage."""
        roll = self._pushes.random()
        if self.stalled:
            return self._did("push_stalled")
        if self.lying and roll < 0.5:
            return self._did("head_lie", self._another_head(frame))
        if roll < 0.10:
            return self._did("push_dropped")
        if roll < 0.18:
            return self._did("push_doubled", frame, frame)
        if roll < 0.26 and self._late is None:
            self._late = frame
            return self._did("push_reordered")
        late, self._late = self._late, None
        after = () if late is None else (late,)
        return self._did("garbage", self._pushes.choice(GARBAGE), *after) if roll > 0.97 else (frame, *after)

    def reply(self, methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        """A reply: 3 % lost, 3 % throttled, 3 % garbage before it, 1 % cut short, 1 % with a byte changed, 1 % null.

        Of logs, 5 % emptied and 3 % with one told twice.
        """
        roll = self._replies.random()
        if len(methods) > 1 and methods[0] == "eth_getBlockByNumber":
            frame = self._extent(frame, roll)
        if roll < 0.03:
            return self._did("reply_lost")
        if roll < 0.06:
            return self._did("throttled", self._refused(frame))
        if roll < 0.09:
            return self._did("garbage", self._replies.choice(GARBAGE), frame)
        if roll > 0.97:
            kind, spoil = self._replies.choice(_SPOILT)
            return self._did(kind, spoil(frame, self._replies))
        return (self._logs(frame, roll),) if methods == ("eth_getLogs",) else (frame,)

    def _did(self, kind: str, *frames: bytes) -> Iterable[bytes]:
        self.counts[kind] += 1
        return frames

    def _refused(self, frame: bytes) -> bytes:
        said, error = json.loads(frame), self._replies.choice(LIMITS)
        refused = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in (said if isinstance(said, list) else [said])]
        return json.dumps(refused if isinstance(said, list) else refused[0]).encode()

    def _logs(self, frame: bytes, roll: float) -> bytes:
        logs = json.loads(frame).get("result")
        if roll > 0.17 or not logs:
            return frame
        kind, said = ("logs_emptied", []) if roll < 0.14 else ("logs_doubled", [*logs, logs[-1]])
        self.counts[kind] += 1
        self.lies[logs[0]["blockHash"]] = len(logs)
        return answer(frame, lambda reply: reply.update(result=said))

    def _extent(self, frame: bytes, roll: float) -> bytes:
        """The head as it was some blocks ago, a head that does not exist, or one far ahead."""
        parts = json.loads(frame)
        latest = parts[0].get("result")
        if latest is None:
            return frame
        self._heads.append(latest)
        if not self.lying or roll < 0.4:
            return frame
        self.counts["head_lie"] += 1
        if roll < 0.6:
            parts[0]["result"] = self._heads[0]
        else:
            ahead = 0 if roll < 0.8 else self._replies.randint(1, 50)
            parts[0]["result"] = latest | {"hash": self._hash(self._replies), "number": hex(int(latest["number"], 16) + ahead)}
        return json.dumps(parts).encode()

    def _another_head(self, frame: bytes) -> bytes:
        said = json.loads(frame)
        head = said["params"]["result"]
        head["number"] = hex(self._pushes.randint(0, 2 * int(head["number"], 16)))
        head["hash"], head["parentHash"] = self._hash(self._pushes), self._hash(self._pushes)
        return json.dumps(said).encode()

    @staticmethod
    def _hash(dice: random.Random) -> str:
        return f"0x{dice.getrandbits(256):064x}"
