"""A trace that leaves something out, or was spoilt on its way, against the logs that the block has."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from detectors.events import Position, Stage, Unjudged
from detectors.execution import Execution
from monitor.chains.base import LogEntry
from monitor.demo.anvil import Anvil
from monitor.feeds.accord import ACCEPTED, AGAIN, Accord, Verdict, discord
from tests.support.chain import CHAIN, TalkingChain
from tests.support.daemon import Daemon, settings
from tests.support.executions import call, execution, log
from tests.support.fault_proxy import FaultProxy, answer

SPEAKER, TOPICS = "0x" + "aa" * 20, ("0x" + "01" * 32,)


def traced(*said: int, ok: bool = True, logged: bool = True, tx: str = "0xt1") -> Execution:
    """A transaction that left these logs, by their data."""
    return execution(call(SPEAKER, None, *(log(*TOPICS, data=(one,)) for one in said), ok=ok), logged=logged, tx=tx)


def listed(*said: int, tx: str = "0xt1") -> list[LogEntry]:
    """The same as the block has them."""
    return [LogEntry(SPEAKER, TOPICS, f"0x{one:064x}", index, tx, 0) for index, one in enumerate(said)]


@pytest.mark.parametrize(
    ("executions", "logs", "tx"),
    [
        ([traced(1, 2)], listed(1, 2), None),
        ([traced(2, 1)], listed(1, 2), None),  # interleaved otherwise, and the same
        ([traced(1, ok=False)], [], None),
        ([traced(logged=False)], listed(1), None),
        ([Unjudged(chain=CHAIN, at=0.0, id="0xt1", stage=Stage.INCLUDED, reason="late")], listed(1), None),
        ([Unjudged(chain=CHAIN, at=0.0, id="0xt3", stage=Stage.INCLUDED, reason="refused")], listed(1), "0xt1"),
        ([traced(1)], listed(1, 2), "0xt1"),
        ([traced(1, 1)], listed(1), "0xt1"),
        ([traced(1)], listed(3), "0xt1"),
        ([traced(1)], [*listed(1), *listed(2, tx="0xt2")], "0xt2"),  # the block lists another in its place, or none
        ([traced(1), traced(tx="0xt2")], [*listed(1), *listed(2, tx="0xt2")], "0xt2"),
    ],
)
def test_a_trace_that_tells_other_logs_than_the_block_is_named(
    executions: list[Execution | Unjudged], logs: list[LogEntry], tx: str | None
) -> None:
    assert discord(executions, logs) == tx


def test_it_is_read_again_then_doubted_then_taken_and_a_chain_that_never_agrees_is_not_asked_for_ever() -> None:
    accord = Accord(CHAIN)
    for height in range(ACCEPTED):
        position = Position(height, f"0x{height}")
        verdicts = [accord.asked(position, [traced(1)], []) for _ in range(AGAIN + 1)]
        assert verdicts == [Verdict.AGAIN, Verdict.DOUBT, Verdict.TAKE]
    assert accord.asked(Position(9, "0x9"), [traced(1)], []) is Verdict.TAKE
    assert accord.asked(Position(10, "0x10"), [traced(1)], listed(1)) is Verdict.TAKE
    assert accord.asked(Position(11, "0x11"), [traced(1)], []) is Verdict.AGAIN


async def test_a_block_whose_trace_was_spoilt_on_the_way_is_read_again_and_judged_as_it_is(tmp_path: Path) -> None:
    spoilt = 0

    def spoil(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        nonlocal spoilt
        if methods != ("eth_getBlockReceipts",) or spoilt or b'"logs":[{' not in frame:
            return (frame,)
        spoilt += 1

        def empty(said: dict[str, Any]) -> None:
            for receipt in said["result"]:
                receipt["logs"] = []

        return (answer(frame, empty),)

    async with await Anvil.start("--block-time", "1") as node, FaultProxy(node.ws) as proxy:
        chain = await TalkingChain.on(node)
        async with Daemon(tmp_path, settings(tmp_path, proxy.ws)) as daemon:
            await daemon.until("run")
            proxy.replies = spoil
            await chain.speak()
            failed = await daemon.metric("seawall_node_checks_total", 'check="trace_logs",outcome="failed"', least=1)
            before = (await daemon.flag() or {})["observed_block"]["number"]
            await daemon.metric("seawall_chain_head_number", least=before + 2)
            await daemon.until("run")
            assert (failed, spoilt) == (1, 1)
        await chain.close()
