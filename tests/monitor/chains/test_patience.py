"""Deadlines that learn, and a bad second that does not make the next one dearer."""

import asyncio
import time
from itertools import pairwise

import pytest

from monitor.chains.patience import IN_HAND, SHARE, TRIES, Patience
from monitor.errors import NodeError, NodeSilent, RpcRefused


class _Node:
    """Answers by script: after how many seconds, never (None), or an error at once."""

    def __init__(self, *script: float | NodeError | None) -> None:
        self.script = list(script)
        self.asked: list[float] = []
        self.cancelled = 0

    async def ask(self, *, within: float) -> str:
        self.asked.append(time.monotonic())
        number = len(self.asked)
        turn = self.script.pop(0) if self.script else 0.0
        if isinstance(turn, NodeError):
            raise turn
        try:
            async with asyncio.timeout(within):
                await asyncio.sleep(3600.0 if turn is None else turn)
        except TimeoutError:
            raise NodeSilent("nothing came") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"answer {number}"


async def test_a_lost_answer_is_asked_for_again_after_what_is_usual_and_the_next_read_is_no_dearer() -> None:
    patience, node = Patience("a node", 0.8), _Node(None, None)
    began = time.monotonic()
    assert await patience.read(node.ask) == "answer 3"
    waits = [later - before for before, later in pairwise([began, *node.asked])]
    assert waits[1] >= 0.1
    assert waits[2] > 1.5 * waits[1]
    assert patience.deadline == 0.1
    await asyncio.sleep(0.01)
    assert node.cancelled >= 1  # nobody listens any more


async def test_a_node_that_is_only_slow_is_listened_to_while_it_is_asked_again() -> None:
    patience, node = Patience("a node", 0.8), _Node(0.2, None, None, None)
    assert await patience.read(node.ask) == "answer 1"
    assert 2 <= len(node.asked) < TRIES
    assert patience.deadline >= 0.8  # from now on it is given its time


async def test_a_throttled_read_is_asked_again_after_a_breath_and_not_after_what_silence_takes() -> None:
    patience, node = Patience("a node", 60.0), _Node(RpcRefused("slow down", code=429, throttled=True))
    began = time.monotonic()
    assert await patience.read(node.ask) == "answer 2"
    assert time.monotonic() - began < 15.0


async def test_a_node_that_is_slow_because_we_ask_much_is_not_asked_more() -> None:
    patience, slow = Patience("a node", 2.0), [_Node(0.4) for _ in range(100)]
    answers = await asyncio.gather(*(patience.read(node.ask) for node in slow))
    assert set(answers) <= {"answer 1", "answer 2"}
    assert 100 < sum(len(node.asked) for node in slow) <= 100 + IN_HAND + 100 * SHARE


async def test_all_tries_together_end_in_time() -> None:
    patience, node = Patience("a node", 0.2), _Node(*[None] * TRIES)
    began = time.monotonic()
    with pytest.raises(NodeSilent):
        await patience.read(node.ask, altogether=0.2)
    assert time.monotonic() - began >= 0.2
    assert 2 <= len(node.asked) < TRIES


async def test_one_answer_after_a_long_hole_does_not_make_a_lost_reply_dear() -> None:
    patience = Patience("a node", 1.0)
    for took in (0.01, 0.01, 60.0):
        patience.learn(took)
    assert patience.deadline == 0.125


async def test_a_node_that_never_answers_is_given_up_and_a_refusal_is_not_asked_again() -> None:
    patience, silent = Patience("a node", 0.01), _Node(*[None] * TRIES)
    with pytest.raises(NodeSilent):
        await patience.read(silent.ask)
    assert len(silent.asked) == TRIES
    refusing = _Node(RpcRefused("no such block", code=-32000))
    with pytest.raises(RpcRefused):
        await patience.read(refusing.ask)
    assert len(refusing.asked) == 1
