"""Whatever an execution looks like, the detector answers, the same each time, in time that grows with its size."""

import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import Finding, Watch
from detectors.events import Stage
from detectors.execution import Access, Code, Context, Execution, Frame, Log
from detectors.reentrancy import Reentrancy
from tests.support.cast import BANK, THIEF
from tests.support.executions import ETHER, Call, address, balance, balance_of, call, execution, sload, sstore

PLACES = [address(f"place {n}") for n in range(5)]
TYPES = ["CALL", "STATICCALL", "DELEGATECALL", "CALLCODE", "CREATE", "CREATE2", "SELFDESTRUCT"]
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
places = st.none() | st.sampled_from(PLACES)
words = (
    st.none()
    | st.sampled_from(["0x", "0x12", "0x" + "0" * 64, "0xzz" + "0" * 62])
    | st.sampled_from(PLACES).map(lambda a: "0x" + "0" * 24 + a[2:])
)
selectors = st.sampled_from(
    [None, "0x70a08231", "0xa9059cbb", "0x23b872dd", "0x3ccfd60b", "0x1fad948c", "0x1d732756", "0x10d1e85c", "0x150b7a02"]
)


@st.composite
def frames(draw: st.DrawFn) -> list[Frame]:
    made: list[Frame] = []
    for i in range(draw(st.integers(1, 14))):
        parent = draw(st.integers(max(0, i - 3), i - 1)) if i else -1
        while i and not _last_child(made, parent):
            parent = made[parent].parent
        above = made[parent] if i else None
        kind, to, ok, head = (
            draw(st.sampled_from(TYPES)),
            draw(places),
            draw(st.booleans()) or draw(st.booleans()),
            draw(selectors),
        )
        borrowed = above is not None and kind in {"DELEGATECALL", "CALLCODE", "SELFDESTRUCT"}
        argument = draw(words)
        data = None if argument is None else (head or "0x") + argument[2:] * draw(st.integers(1, 3))
        made.append(
            Frame(
                kind,
                above.ctx if above else draw(places),
                to,
                above.ctx if above and borrowed else to,
                draw(st.sampled_from([0, 0, 1, 10**30])),
                head,
                data,
                ok,
                ok and (above is None or above.alive),
                parent,
                above.depth + 1 if above else 0,
                draw(words),
            )
        )
    return made


def _last_child(made: list[Frame], parent: int) -> bool:
    """May the next frame in pre-order hang below `parent`: is it the last frame or one of its ancestors?"""
    at = len(made) - 1
    while at >= 0:
        if at == parent:
            return True
        at = made[at].parent
    return False


@st.composite
def executions(draw: st.DrawFn) -> Execution:
    made = draw(frames())
    steps: list[Access | Log] = []
    for before in sorted(draw(st.lists(st.integers(1, len(made)), max_size=25))):
        line = [before - 1]
        while made[line[-1]].parent >= 0:
            line.append(made[line[-1]].parent)
        frame = draw(st.sampled_from(line))
        if draw(st.integers(0, 3)):
            op = draw(st.sampled_from(["sload", "sstore", "tload", "tstore", "balance"]))
            steps.append(Access(op, frame, before, draw(st.sampled_from([0, 1, 2**255])), draw(st.integers(0, 3)), draw(places)))
        else:
            topics = tuple(draw(st.lists(words.filter(lambda w: w is not None), max_size=4)))
            topics = (TRANSFER, *topics[1:]) if draw(st.booleans()) else topics
            steps.append(Log(frame, before, made[frame].ctx or "", topics, draw(words)))  # type: ignore[arg-type]
    holders = st.dictionaries(st.sampled_from(PLACES), st.integers(0, 10**20), max_size=2)
    context = Context(
        balances=draw(st.dictionaries(st.sampled_from(["native", *PLACES]), holders, max_size=2)),
        codes=draw(st.dictionaries(st.sampled_from(PLACES), st.builds(Code, st.none() | st.floats(0, 1e6), places), max_size=3)),
        prices=draw(st.dictionaries(st.sampled_from(["native", *PLACES]), st.floats(0, 1e6), max_size=1)),
    )
    return Execution(
        chain="eip155:1",
        at=1.0,
        tx="0x01",
        stage=draw(st.sampled_from(Stage)),
        frames=made,
        steps=steps,
        storage=draw(st.sampled_from(["ordered", "none"])),
        logged=draw(st.booleans()),
        complete=draw(st.booleans()),
        context=context,
    )


@settings(max_examples=150, deadline=None)
@given(executions(), st.sampled_from([Watch(), Watch(frozenset(PLACES[:2])), Watch(frozenset(), frozenset(PLACES[3:]))]))
def test_any_execution_gets_an_answer_and_always_the_same(event: Execution, watch: Watch) -> None:
    detector = Reentrancy({"eip155:1": watch})
    said = list(detector.observe(event))
    assert said == list(detector.observe(event))
    found = [finding for finding in said if isinstance(finding, Finding)]
    assert len({(finding.kind, finding.subject) for finding in found}) == len(found)
    for finding in found:
        assert 0.0 <= finding.confidence <= 1.0
        assert finding.kind in Reentrancy.kinds
        if not any(watch.watches(victim) for victim in finding.victims):
            assert finding.confidence < 0.8
        if not event.frames[0].ok:
            assert finding.confidence < 0.5


def spiral(turns: int) -> Execution:
    """`turns` nested withdrawals, as deep as it goes, with storage at every turn."""
    node: Call | None = None
    for _ in range(turns):
        paid = call(THIEF, None, *(() if node is None else (node,)), value=ETHER)
        node = call(BANK, "withdraw()", sload(1, 10), balance(BANK, 5 * ETHER), paid, sload(1, 10), sstore(1, 0))
    assert node is not None
    return execution(call(THIEF, "attack()", node))


def strangers(turns: int) -> Execution:
    """As deep, but every contract is another protocol's, and each looks at balances: nothing to find, much to look at."""
    node = call(BANK, "f()")
    for turn in range(turns):
        node = call(
            PLACES[turn % 5],
            "f()",
            balance_of(PLACES[(turn + 1) % 5], PLACES[(turn + 2) % 5], 5),
            sload(1, 1),
            node,
            sstore(1, 2),
        )
    return execution(call(address("relay"), "x()", node))


def _seconds(make: Callable[[int], Execution], turns: int) -> float:
    event, detector = make(turns), Reentrancy({"eip155:1": Watch()})
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        list(detector.observe(event))
        best = min(best, time.process_time() - start)
    return best


def test_a_thousand_frames_deep_is_judged_in_time_that_grows_with_depth() -> None:
    assert any(
        isinstance(said, Finding) and said.confidence >= 0.8 for said in Reentrancy({"eip155:1": Watch()}).observe(spiral(511))
    )
    for make in (spiral, strangers):
        assert _seconds(make, 500) < 16 * _seconds(make, 125)  # four times the work; quadratic would be 16 on top of noise
