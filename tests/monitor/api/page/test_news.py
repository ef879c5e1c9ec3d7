"""The page is told of what is no flag, too: an acknowledgement, evidence; and nobody looks while nobody listens."""

import asyncio

from monitor.api.page.news import News
from monitor.breaker.timing import Acknowledged, GivenBack
from tests.monitor.api.conftest import Doors


async def test_a_change_that_turns_no_flag_is_told_once_and_looking_ends_with_the_last_who_listens(doors: Doors) -> None:
    facts: list[object] = [1]
    news = News(doors.board, lambda: tuple(facts))
    changed, before = news.subscribe(), news.version
    await asyncio.sleep(0)
    facts.append(2)
    async with asyncio.timeout(5):
        await changed.wait()
    assert news.version != before
    changed.clear()
    flags = doors.board.version
    (await doors.pause("drill")).release()
    async with asyncio.timeout(5):
        await changed.wait()
    assert news.version.startswith(doors.board.version)
    assert doors.board.version != flags
    news.unsubscribe(changed)
    await asyncio.sleep(0)
    assert "api/page/news" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_the_stream_of_the_page_tells_of_an_acknowledgement_on_both_listeners(doors: Doors) -> None:
    (await doors.pause("drill")).release()
    incident = doors.desk.made[-1].decision.id
    for listener, who in ((doors.read, "human:ana"), (doors.admin, "human:bea")):
        async with doors.http.get(f"{listener.url}/board/events") as stream:
            assert stream.content_type == "text/event-stream"
            async with asyncio.timeout(10):
                while not (await stream.content.readline()).startswith(b"data:"):
                    pass
                news = Acknowledged(incident=incident, integration="bank", at=1.0, by=who)
                if who == "human:bea":
                    doors.desk.timings.given_back(GivenBack(incident=incident, integration="bank", at=1.0, by="human:ana"))
                doors.desk.timings.acknowledged(news)
                while not (await stream.content.readline()).startswith(b"data:"):
                    pass


async def test_a_board_made_a_moment_ago_is_made_anew_once_somebody_took_the_incident_up(doors: Doors) -> None:
    (await doors.pause("drill")).release()
    for expected in ("Nobody has taken it up yet", "Acknowledged by ops"):
        async with doors.http.get(f"{doors.read.url}/board") as answer:
            assert expected in await answer.text()
        await doors.acknowledge()
