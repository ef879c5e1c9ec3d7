"""The ingest benchmark's lanes at a small size: each takes the whole feed and finds exactly what it is made of."""

import sys
from collections.abc import Iterator

import pytest

from benchmarks.ingest import LANES, Lane, Pusher, run
from benchmarks.ingesting.feed import expected, messages

FEW = 1500


@pytest.fixture
def pusher() -> Iterator[Pusher]:
    made = Pusher(FEW)
    yield made
    made.stop()


def test_every_lane_finds_what_the_feed_is_made_of(pusher: Pusher) -> None:
    truth = expected(FEW)
    for name, lane in LANES.items():
        assert run(pusher, Lane(lane.module, FEW), name, truth, sys.stderr).lap.tally == truth


def test_a_lane_that_misses_one_message_is_not_counted(pusher: Pusher) -> None:
    with pytest.raises(AssertionError, match="found"):
        run(pusher, Lane(LANES["bare"].module, FEW - 1), "short", expected(FEW), sys.stderr)


def test_the_feed_is_the_same_every_time_and_mostly_logs() -> None:
    feed = list(messages(FEW))
    assert feed == list(messages(FEW))
    assert feed[:100] == list(messages(100))
    truth = expected(FEW)
    assert 0.65 < truth.logs / truth.messages < 0.75
    assert (truth.messages, truth.heads) == (FEW, 1)
    assert min(truth.hits, truth.moved) > 0
