"""The flag board: three answers, freshness, and who is woken."""

import time

import pytest

from monitor.breaker.flags import FlagBoard, OnBlind, Shown, Spec
from monitor.breaker.holds import Mode
from monitor.breaker.machine import Breaker, apply
from monitor.breaker.people import Order, pause, resume
from tests.support.findings import CHAIN, position


class Clock:
    """Both clocks of the board, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def board_of(on_blind: OnBlind = OnBlind.PAUSE) -> FlagBoard:
    return FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=15.0, on_blind=on_blind)], epoch=1)


def seen(board: FlagBoard, clock: Clock, height: int = 10) -> None:
    board.beat()
    board.saw_head(CHAIN, position(height), clock.now)


def paused() -> Breaker:
    breaker = Breaker(integration="bank", mode=Mode.ENFORCE)
    decision = pause(breaker, Order(who="alice", reason="drill"), 1.0)
    assert decision is not None
    return apply(breaker, decision, 7)


@pytest.mark.usefixtures("clock")
def test_before_any_head_the_answer_is_unknown() -> None:
    flag = board_of().read()["bank"]
    assert (flag.state, flag.paused, flag.max_share) == (Shown.UNKNOWN, True, 0.0)


def test_a_fresh_head_means_run_and_silence_means_unknown_again(clock: Clock) -> None:
    board = board_of()
    seen(board, clock)
    assert board.read()["bank"].state is Shown.RUN
    clock.now += 15.2
    board.beat()
    assert board.read()["bank"].state is Shown.UNKNOWN


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("side", "share"), [("pause", 0.0), ("clear", 1.0), ("keep", 1.0)])
def test_the_blind_side_decides_the_boolean(side: str, share: float) -> None:
    flag = board_of(OnBlind(side)).read()["bank"]
    assert (flag.state, flag.paused, flag.max_share) == (Shown.UNKNOWN, share == 0.0, share)
    assert flag.level == ("pause" if flag.paused else "none")


def test_pause_beats_unknown(clock: Clock) -> None:
    board = board_of(OnBlind.CLEAR)
    board.publish(paused())
    assert board.read()["bank"].state is Shown.PAUSE
    clock.now += 9999
    assert board.read()["bank"].state is Shown.PAUSE


def test_a_dead_pipeline_makes_every_answer_unknown(clock: Clock) -> None:
    board = board_of()
    seen(board, clock)
    clock.now += FlagBoard.PIPELINE_BOUND + 0.2
    board.saw_head(CHAIN, position(11), clock.now)
    flag = board.read()["bank"]
    assert (flag.state, flag.reason) == (Shown.UNKNOWN, "the pipeline is not running")


def test_a_head_with_an_old_clock_is_catching_up_not_fresh(clock: Clock) -> None:
    board = board_of()
    board.beat()
    board.saw_head(CHAIN, position(10), clock.now - 3600)
    assert board.read()["bank"].state is Shown.UNKNOWN


def test_a_chain_whose_clock_runs_ahead_falls_silent_as_any_other(clock: Clock) -> None:
    board = board_of()
    board.beat()
    board.saw_head(CHAIN, position(10), clock.now + 3600)
    assert board.read()["bank"].state is Shown.RUN
    clock.now += 15.2
    board.beat()
    assert board.read()["bank"].state is Shown.UNKNOWN


def test_a_pause_shows_before_the_journal_took_it_and_says_so(clock: Clock) -> None:
    board = board_of()
    seen(board, clock)
    board.pause_now("bank", "drained")
    flag = board.read()["bank"]
    assert (flag.state, flag.pending, flag.revision) == (Shown.PAUSE, True, 0)
    board.publish(paused())
    flag = board.read()["bank"]
    assert (flag.state, flag.pending, flag.revision) == (Shown.PAUSE, False, 7)


def test_the_version_changes_with_what_readers_see_and_not_with_heads(clock: Clock) -> None:
    board = board_of()
    seen(board, clock)
    woken, version = board.subscribe(), board.version
    seen(board, clock, height=11)
    assert (board.version, woken.is_set()) == (version, False)
    board.publish(paused())
    assert (board.version != version, woken.is_set()) == (True, True)
    breaker = paused()
    freed = resume(breaker, Order(who="bob", reason="over"), 2.0)
    assert freed is not None
    board.publish(apply(breaker, freed, 8))
    assert board.read()["bank"].state is Shown.RUN
    board.unsubscribe(woken)
