"""A sequencer's numbers: what is missing is told once, and known again once its blocks are judged."""

import asyncio

import pytest

from detectors.events import Gap
from monitor.feeds.sequencer import SequencerFeed
from tests.support.sequencers import Feed, broadcast

CHAIN = "eip155:42161"


def told(feed: SequencerFeed, *frames: str | bytes) -> list[tuple[str, int]]:
    return [(gap.feed, gap.lost) for frame in frames for gap in feed._take(frame)]


def test_numbers_in_a_row_are_whole_wherever_they_begin() -> None:
    feed = SequencerFeed("ws://127.0.0.1:1", chain=CHAIN)
    assert told(feed, broadcast(7, 8, at=1), broadcast(9, at=2)) == []
    assert (feed.missing, feed.next) == (None, 10)


def test_a_gap_is_told_once_and_closes_with_the_block_behind_it() -> None:
    feed = SequencerFeed("ws://127.0.0.1:1", chain=CHAIN)
    assert told(feed, broadcast(7, at=1), broadcast(10, at=5), broadcast(11, at=6)) == [("sequencer", 2)]
    assert feed.missing is not None
    feed.judged(5.0)
    assert feed.missing is not None, "the block behind the gap may share its second with one in it"
    feed.judged(6.0)
    assert feed.missing is None


def test_two_gaps_are_open_until_the_later_is_closed() -> None:
    feed = SequencerFeed("ws://127.0.0.1:1", chain=CHAIN)
    assert told(feed, broadcast(1, at=1), broadcast(3, at=3), broadcast(9, at=9)) == [("sequencer", 1), ("sequencer", 5)]
    assert feed.missing is not None
    assert (feed.missing.first, feed.missing.last) == (2, 8)
    feed.judged(4.0)
    assert feed.missing is not None


def test_what_was_seen_is_not_missed_when_it_comes_again() -> None:
    feed = SequencerFeed("ws://127.0.0.1:1", chain=CHAIN)
    assert told(feed, broadcast(5, 6, 7, at=1), broadcast(5, 6, at=1), broadcast(8, at=2)) == []


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xfe", "", "[]", "{", '{"messages": 3}', '{"messages": [{"sequenceNumber": "7"}]}', "[" * 5000, '{"version": 1}'],
)
def test_no_frame_ends_the_feed(frame: str | bytes) -> None:
    feed = SequencerFeed("ws://127.0.0.1:1", chain=CHAIN)
    assert told(feed, broadcast(1, at=1), frame, broadcast(2, at=1)) == []


async def test_after_a_cut_it_asks_for_the_next_number_and_says_what_it_was_not_given() -> None:
    gaps = list[Gap]()
    async with Feed() as server:
        feed = SequencerFeed(server.ws, chain=CHAIN)

        async def follow() -> None:
            async for gap in feed.follow():
                gaps.append(gap)

        task = asyncio.create_task(follow())
        await server.connected()
        await server.send(40, 41, at=100)
        async with asyncio.timeout(10):
            while feed.next != 42:  # noqa: ASYNC110 - what the server sent takes its time
                await asyncio.sleep(0.01)
        await server.cut()
        await server.connected(2)
        assert server.asked == [None, "42"]
        await server.send(44, at=104)
        async with asyncio.timeout(10):
            while not gaps:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert gaps[0].lost == 2
        task.cancel()
