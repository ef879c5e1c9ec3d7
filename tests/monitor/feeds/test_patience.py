"""Deadlines that learn, and a bad second that does not make the next one dearer."""

import pytest

from monitor.errors import NodeSilent, RpcRefused
from monitor.feeds.patience import TRIES, Patience


class _Node:
    """Answers by script: the times it takes, None for never, or an error."""

    def __init__(self, *script: float | RpcRefused | None) -> None:
        self.script = list(script)
        self.given: list[float] = []

    async def ask(self, *, within: float) -> str:
        self.given.append(within)
        turn = self.script.pop(0) if self.script else 0.0
        if isinstance(turn, RpcRefused):
            raise turn
        if turn is None or turn > within:
            raise NodeSilent("nothing came")
        return "answer"


async def test_silence_lengthens_the_deadline_of_this_read_and_of_no_other() -> None:
    patience, node = Patience("a node", 1.0), _Node(None, None, None)
    assert await patience.read(node.ask) == "answer"
    assert node.given == [1.0, 4.0, 16.0, 16.0]
    node.given.clear()
    await patience.read(node.ask)
    assert node.given == [patience.deadline]
    assert patience.deadline < 1.0


async def test_a_slow_node_is_given_its_time_at_the_first_try_once_it_is_known() -> None:
    patience, node = Patience("a node", 1.0), _Node(0.9, 0.9)
    for _ in range(3):
        patience.learn(0.9)
    await patience.read(node.ask)
    assert node.given == [3.6]


async def test_one_answer_after_a_long_hole_does_not_make_a_lost_reply_dear() -> None:
    patience = Patience("a node", 1.0)
    for took in (0.01, 0.01, 60.0):
        patience.learn(took)
    assert patience.deadline == 0.25


async def test_a_node_that_never_answers_is_given_up_and_a_refusal_is_not_asked_again() -> None:
    patience, silent = Patience("a node", 1.0), _Node(*[None] * TRIES)
    with pytest.raises(NodeSilent):
        await patience.read(silent.ask)
    assert len(silent.given) == TRIES
    refusing = _Node(RpcRefused("no such block", code=-32000))
    with pytest.raises(RpcRefused):
        await patience.read(refusing.ask)
    assert len(refusing.given) == 1
