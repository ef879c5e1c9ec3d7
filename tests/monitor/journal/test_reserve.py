"""Pauses on a full disk: set aside in room that was taken before, whole or not at all, and paid to the journal later."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard, Spec
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.orders import Orders, Wanted
from monitor.breaker.people import Order
from monitor.errors import JournalError
from monitor.journal.reserve import HALF, Reserve
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from tests.support.kills import fill, small_disk

DRILL = Order(who="ops", reason="drill")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as place:
        yield place


def a_desk(journal: AsyncJournal, reserve: Reserve | None) -> Desk:
    """A desk as the daemon has it at start."""
    fold = Fold({"bank": Mode.ENFORCE, "pool": Mode.ENFORCE})
    board = FlagBoard([Spec(integration=name, chain="eip155:1", blind_after=60.0) for name in fold.modes], epoch=journal.epoch)
    desk = Desk(fold, board, journal, lambda _: None)
    desk.reserve = reserve
    desk.restore(journal.journal.read(1))
    board.beat()
    return desk


async def test_a_pause_on_a_full_disk_outlives_the_process_and_is_paid_when_there_is_room(disk: Path) -> None:
    path = disk / "journal.db"
    journal = AsyncJournal(SqliteJournal.open(path))
    async with journal:
        desk = a_desk(journal, Reserve.open(path))
        assert await Orders(desk).pause("pool", DRILL)
        fill(disk)
        assert not await Orders(desk).pause("bank", Order(who="ops", reason="x" * 500))
    async with AsyncJournal(SqliteJournal.open(path)) as again:
        desk = a_desk(again, Reserve.open(path))
        flag = desk.board.read()["bank"]
        assert (flag.state, flag.pending, desk.fold.breaker("bank").holds) == ("pause", True, {})
        with pytest.raises(JournalError, match="not recorded yet"):
            await Orders(desk).release("bank", Wanted(order=DRILL, principal="ops"))
        fill(disk)  # the restart had tidied up
        await desk.pay()
        assert desk.board.read()["bank"].pending, "still full"
        (disk / "ballast").unlink()
        await desk.pay()
        flag = desk.board.read()["bank"]
        assert (flag.state, flag.pending, flag.revision) == ("pause", False, desk.fold.head)
        await Orders(desk).release("bank", Wanted(order=DRILL, principal="ops"))
    async with AsyncJournal(SqliteJournal.open(path)) as third:
        desk = a_desk(third, Reserve.open(path))
        assert (desk.owed, desk.fold.breaker("bank").holds, len(desk.fold.breaker("pool").holds)) == ([], {}, 1)


async def test_what_was_paid_and_released_since_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with AsyncJournal(SqliteJournal.open(path)) as journal:
        desk = a_desk(journal, Reserve.open(path))
        await Orders(desk).pause("bank", DRILL)
        assert desk.reserve is not None
        desk.owed = [desk.made[-1].decision]
        await desk._set_aside()  # as a crash between the payment and the forgetting leaves it
        desk.owed = []
        await Orders(desk).release("bank", Wanted(order=DRILL, principal="ops"))
        again = a_desk(journal, Reserve.open(path))
        assert (again.owed, again.fold.breaker("bank").holds) == ([], {})


async def test_one_refused_payment_forgets_none_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncJournal(SqliteJournal.open(tmp_path / "journal.db")) as journal:
        desk = a_desk(journal, Reserve.open(tmp_path / "journal.db"))
        kept = journal.append

        async def full(*_: object) -> None:
            raise JournalError("disk full")

        monkeypatch.setattr(journal, "append", full)
        for name in ("bank", "pool", "bank"):
            await Orders(desk).pause(name, Order(who="ops", reason=name + str(len(desk.owed))))
        await desk.pay()
        assert len(desk.owed) == 3
        monkeypatch.setattr(journal, "append", kept)
        await desk.pay()
        assert (desk.owed, len(desk.fold.breaker("bank").holds), len(desk.fold.breaker("pool").holds)) == ([], 2, 1)
        assert desk.reserve is not None
        assert desk.reserve.kept == []


def test_a_full_disk_at_the_first_start_has_no_reserve_and_says_so(disk: Path) -> None:
    fill(disk)
    with pytest.raises(JournalError, match="no room in advance"):
        Reserve.open(disk / "journal.db")
    (disk / "ballast").unlink()
    Reserve.open(disk / "journal.db").close()
    assert sorted(path.name for path in disk.iterdir()) == ["journal.db.reserve"]


def test_overwriting_needs_no_room(disk: Path) -> None:
    reserve = Reserve.open(disk / "journal.db")
    fill(disk)
    chance = random.Random(1)
    for number in range(20):
        entries = [b'"%s"' % chance.randbytes(2000).hex().encode() for _ in range(number)]
        assert reserve.keep(entries) == number
    reserve.close()
    assert Reserve.open(disk / "journal.db").kept == entries


def test_more_than_there_is_room_for_keeps_the_first(tmp_path: Path) -> None:
    reserve = Reserve.open(tmp_path / "journal.db")
    chance = random.Random(2)
    entries = [b'"%s"' % chance.randbytes(1000).hex().encode() for _ in range(400)]
    kept = reserve.keep(entries)
    assert 50 < kept < 400
    assert reserve.kept == entries[:kept]


@settings(max_examples=30)
@given(damage=st.lists(st.tuples(st.integers(0, 2 * HALF - 1), st.binary(min_size=1, max_size=600)), max_size=3))
def test_a_damaged_half_is_as_if_it_had_never_been_written(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("reserve") / "journal.db"
    reserve = Reserve.open(path)
    reserve.keep([b'{"older":1}'])
    reserve.keep([b'{"newer":2}'])
    with reserve.path.open("r+b") as file:
        for place, noise in damage:
            file.seek(place)
            file.write(noise[: 2 * HALF - place])
    reserve.close()
    assert Reserve.open(path).kept in ([b'{"newer":2}'], [b'{"older":1}'], [])
