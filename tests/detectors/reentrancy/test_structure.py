"""Structure: who counts as standing between, and what the first look lets pass."""

from detectors.base import Watch
from detectors.execution import Code, Context, Execution
from detectors.reentrancy.structure import Structure, glance
from tests.support.cast import BANK, COMPTROLLER, FRIEND, LENDER, POOL, ROUTER, THIEF, TOKEN
from tests.support.executions import Call, address, balance_of, call, create, delegate, execution, sload, static

RELAY = address("relay")


def sandwiched(root: Call, watch: Watch | None = None, codes: dict[str, Code] | None = None) -> list[str | None]:
    """The outsiders found between, by contract."""
    event = execution(root, context=Context(codes=codes or {}))
    structure = Structure(event, watch or Watch())
    return sorted({structure.acts.ctx[fellow] for fellow in structure.fellows}, key=str)


def looked(root: Call) -> bool:
    return glance(execution(root).frames)


def test_entering_twice_side_by_side_is_nothing() -> None:
    assert not looked(call(THIEF, "f()", call(BANK, "g()"), call(BANK, "g()")))


def test_lending_peers_have_nobody_between() -> None:
    peers = call(THIEF, "f()", call(LENDER, "borrow()", call(COMPTROLLER, "may()", static(LENDER, "owed()"))))
    assert looked(peers)
    assert sandwiched(peers) == []


def test_a_caller_that_comes_back_stands_between() -> None:
    assert sandwiched(call(RELAY, "f()", call(FRIEND, "g()", call(BANK, "w()", call(FRIEND, None, call(BANK, "w()")))))) == [
        FRIEND
    ]


def test_a_trusted_router_never_does() -> None:
    root = call(THIEF, "f()", call(ROUTER, "s()", call(TOKEN, "t()", call(ROUTER, "s()", call(TOKEN, "t()")))))
    assert sandwiched(root) == []
    own = call(THIEF, "f()", call(RELAY, "s()", call(TOKEN, "t()", call(RELAY, "s()", call(TOKEN, "t()")))))
    assert sandwiched(own) == [RELAY]
    assert sandwiched(own, Watch(trusted=frozenset({RELAY}))) == []


def test_one_of_the_senders_needs_no_ancestor() -> None:
    root = call(THIEF, "f()", call(BANK, "w()", call(FRIEND, None, call(BANK, "w()"))))
    assert sandwiched(root) == []
    assert sandwiched(root, codes={FRIEND: Code(age=3600.0)}) == [FRIEND]
    assert sandwiched(call(THIEF, "f()", create(FRIEND), call(BANK, "w()", call(FRIEND, None, call(BANK, "w()"))))) == [FRIEND]


def test_a_bot_that_re_enters_itself_robs_nobody() -> None:
    assert sandwiched(call(THIEF, "f()", call(POOL, "swap()", call(THIEF, "callback()")))) == []


def test_somebody_elses_look_at_a_waiting_balance_counts_only_if_he_can_lose_by_it() -> None:
    def staged(reader: Call) -> Execution:
        return execution(call(THIEF, "f()", call(POOL, "w()", call(THIEF, None, reader))))

    consumer, thief = staged(call(LENDER, "borrow()", balance_of(TOKEN, POOL, 5))), staged(balance_of(TOKEN, POOL, 5))
    assert glance(consumer.frames)
    assert len(Structure(consumer, Watch()).looks) == 1
    assert Structure(thief, Watch()).looks == ()


def test_code_of_the_senders_run_by_another_is_looked_at_and_a_proxy_is_not() -> None:
    assert looked(call(THIEF, "f()", call(BANK, "run()", delegate(THIEF, "x()"))))
    assert not looked(call(THIEF, "f()", call(BANK, "run()", delegate(RELAY, "run()", static(TOKEN, "t()", sload(1, 1))))))
