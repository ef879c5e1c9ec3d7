"""The journal behind the event loop: one commit for many, nothing lost on the way out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.errors import JournalConflict, JournalError
from monitor.journal import Draft, encode
from monitor.journal.base import Outcome, Request
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal


def receipt(number: int) -> Draft:
    """A receipt as the outbox records it."""
    return Draft(kind="receipt", at=float(number), by="alerts", body=encode({"n": number}))


class Counted(SqliteJournal):
    """Counts its commits."""

    commits = 0

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """One more."""
        self.commits += 1
        return super().commit(requests)


async def test_appends_waiting_together_share_a_commit_and_each_gets_its_own_records(tmp_path: Path) -> None:
    journal = Counted.open(tmp_path / "journal.db")
    async with AsyncJournal(journal) as log:
        answers = await asyncio.gather(*(log.append([receipt(number), receipt(-number)]) for number in range(200)))
        assert [answer[0].read(dict[str, int])["n"] for answer in answers] == list(range(200))
        assert [record.sequence for answer in answers for record in answer] == list(range(1, 401))
        assert log.head == 400
        assert journal.commits < 200
        assert journal.verify().records == 400


async def test_of_two_decisions_on_one_head_the_second_is_told_to_decide_again(tmp_path: Path) -> None:
    async with AsyncJournal(SqliteJournal.open(tmp_path / "journal.db")) as log:
        first, second = await asyncio.gather(log.append([receipt(1)], 0), log.append([receipt(2)], 0), return_exceptions=True)
        assert isinstance(first, tuple)
        assert isinstance(second, JournalConflict)
        assert second.head == 1


async def test_a_draft_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    async with AsyncJournal(SqliteJournal.open(tmp_path / "journal.db")) as log:
        bad = Draft(kind="receipt", at=float("inf"), by="alerts", body=b"{}")
        good, refused, after = await asyncio.gather(
            log.append([receipt(1)]), log.append([bad]), log.append([receipt(2)]), return_exceptions=True
        )
        assert isinstance(good, tuple)
        assert isinstance(after, tuple)
        assert isinstance(refused, JournalError)
        assert log.head == 2


async def test_what_was_asked_before_closing_is_kept_and_what_comes_after_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    log = AsyncJournal(SqliteJournal.open(path))
    with pytest.raises(JournalError, match="not running"):
        await log.append([receipt(0)])
    async with log:
        tasks = [asyncio.create_task(log.append([receipt(number)])) for number in range(50)]
        await asyncio.sleep(0)
    assert [task.result()[0].sequence for task in tasks] == list(range(1, 51))
    with pytest.raises(JournalError, match="not running"):
        await log.append([receipt(51)])
    again = SqliteJournal.open(path)
    assert again.head == 50
    again.close()


async def test_a_caller_cancelled_before_its_turn_leaves_nothing_and_harms_nobody(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    async with AsyncJournal(journal) as log:
        with journal._guard:  # the disk is busy
            first = asyncio.create_task(log.append([receipt(1)]))
            await asyncio.sleep(0.05)
            second, third = (asyncio.create_task(log.append([receipt(number)])) for number in (2, 3))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(first, third)
        assert second.cancelled()
        assert [record.read(dict[str, int])["n"] for record in journal.read(1)] == [1, 3]
