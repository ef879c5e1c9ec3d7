"""Tapes of a real incident: the same decisions bit for bit, what if, and everything a tape file can be instead of one."""

import asyncio
import gzip
import json
import pickle
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from detectors.events import Block, Committed, Event, Tick
from detectors.execution import Execution
from monitor.assembly import build_detectors, header_of, registry_of, watched_of
from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Decision, Mode, State
from monitor.breaker.machine import Breaker
from monitor.chains.recorder import Recorder
from monitor.chains.tape import Asked, Mark, Proposed, Recorded, Restored, Standing, Tape, Written
from monitor.config import Config, load
from monitor.errors import TapeError
from monitor.journal.base import Draft, Journal, Record, encode
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.judging import Judging
from monitor.opening import specs_of
from monitor.pipeline import Pipeline
from tests.monitor.cli.conftest import ended
from tests.support.daemon import TOKEN
from tests.support.tapes import ENV, KEPT, Incident, played, staged


class Waiting(AsyncJournal):
    """A journal whose disk is busy while `free` is clear."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.free = asyncio.Event()
        self.free.set()

    async def append(self, drafts: Sequence[Draft], expected: int | None = None) -> tuple[Record, ...]:
        await self.free.wait()
        return await super().append(drafts, expected)


def events(tape: Path) -> list[Event]:
    """The events on a tape."""
    with Tape(tape) as opened:
        return [entry for entry in opened if isinstance(entry, Event)]


@asynccontextmanager
async def recording(folder: Path, config: Config) -> AsyncIterator[tuple[Judging, Path]]:
    """A real pipeline, desk and journal, and the tape they are recorded on."""
    chain = next(iter(config.chains.values())).id
    with Recorder(folder / "again.tape.gz", header_of(config)) as tape:
        async with Waiting(SqliteJournal.open(str(folder / "again.db"))) as journal:
            fold = Fold({name: Mode(one.mode) for name, one in config.integrations.items()})
            desk = Desk(fold, FlagBoard(specs_of(config), epoch=journal.epoch, valid_for=10.0), journal, lambda _: None)
            judging = Judging(Pipeline({chain: ()}, watched_of(config), fold), desk, tape)
            judging.restore(chain, {d.name: d for d in build_detectors(config, registry_of(config))})
            yield judging, tape.path


async def judged_again(folder: Path, config: Config, shown: list[Event], *, disk_waits: bool = False) -> Path:
    """Record these events; with `disk_waits` the disk takes nothing before all were judged."""
    async with recording(folder, config) as (judging, tape), asyncio.TaskGroup() as tasks:
        assert isinstance(judging.desk.journal, Waiting)
        if disk_waits:
            judging.desk.journal.free.clear()
        for event in shown:
            tasks.create_task(judging.take(event))
            await asyncio.sleep(0)
        judging.desk.journal.free.set()
    return tape


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """One recording for all the tests of this file."""
    return asyncio.run(staged(tmp_path_factory.mktemp("incident")))


def test_a_replay_gives_the_decisions_of_the_journal_byte_for_byte(incident: Incident) -> None:
    again = played(incident.tape, incident.config)
    journal = SqliteJournal.open(incident.config.journal.path)
    made = [record.body for record in journal.read(1) if record.kind == "decision"]
    journal.close()
    assert again.decisions == made
    states = [(d.before, d.after, d.by.partition(":")[0]) for d in (msgspec.json.decode(body, type=Decision) for body in made)]
    assert states == [
        ("closed", "open", "policy"),  # feared while pending
        ("open", "open", "policy"),  # mined as feared
        ("open", "forced_open", "human"),
        ("forced_open", "closed", "human"),
    ]
    assert (again.ended, again.tally.recorded, again.tally.differing, again.tally.inherited) == ("", 4, 0, False)
    assert {incident.tx} == {json.loads(line.body)["tx"] for line in again.lines if line.kind == "finding"}


async def test_two_replays_in_two_processes_print_the_same_bytes(incident: Incident) -> None:
    command = ("replay", str(incident.tape), "-c", str(incident.settings), "--json")
    one, two = [await ended(*command, TOKEN=TOKEN, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert (one.code, two.code) == (0, 0), one.err
    *lines, last = one.out.splitlines()
    assert lines == two.out.splitlines()[:-1]
    told = json.loads(last)
    assert told["digest"] == json.loads(two.out.splitlines()[-1])["digest"]
    assert (told["identical"], told["ended"], told["findings"] + told["decisions"]) == (True, "", len(lines))
    assert told["times_real_time"] > 1


async def test_what_if_the_bar_had_been_higher(incident: Incident, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(incident.settings.read_text().replace("default: {}", "default: {pause_at: 1.0}"))
    command = ("replay", str(incident.tape), "-c", str(incident.settings), "--against", str(other))
    told = await ended(*command, "--json", TOKEN=TOKEN)
    *lines, last = map(json.loads, told.out.splitlines())
    assert [line["only_a"]["after"] for line in lines] == ["open", "open"]
    assert last["only"] == [2, 0]
    assert [one["identical"] for one in last["summaries"]] == [True, None]
    # The person's pause was of an open breaker and would have been of a closed one: it counts all the same.
    assert [one["decisions"] for one in last["summaries"]] == [4, 2]
    assert "only with" in (await ended(*command, TOKEN=TOKEN)).out


async def test_what_follows_elsewhere_takes_effect_at_once_where_nothing_followed_then(
    incident: Incident, tmp_path: Path
) -> None:
    """Recorded under a bar that nothing reaches, replayed under the usual one: the pause comes with the pending attack."""
    high = tmp_path / "high.yaml"
    high.write_text(incident.settings.read_text().replace("default: {}", "default: {warn_at: 1.0, pause_at: 1.0}"))
    tape = await judged_again(
        tmp_path, load(high, ENV), [event for event in events(incident.tape) if isinstance(event, Execution)]
    )
    assert played(tape, load(high, ENV)).decisions == []
    assert [json.loads(body)["after"] for body in played(tape, incident.config).decisions] == ["open", "open"]


async def test_a_decision_made_while_another_is_on_its_way_to_the_disk_is_replayed_in_its_place(
    incident: Incident, tmp_path: Path
) -> None:
    block = next(event for event in events(incident.tape) if isinstance(event, Block))
    one = next(event for event in events(incident.tape) if isinstance(event, Execution))
    two = msgspec.structs.replace(one, tx="0x" + "22" * 32)
    higher = msgspec.structs.replace(block.position, height=block.position.height + 7)
    later = msgspec.structs.replace(block, position=higher)
    tape = await judged_again(tmp_path, incident.config, [block, one, two, later], disk_waits=True)
    again = played(tape, incident.config)
    first, second = (msgspec.json.decode(body, type=Decision) for body in again.decisions)
    assert {hold.height for hold in first.place} == {block.position.height}
    assert {hold.height for hold in second.place} == {higher.height}
    assert (again.tally.recorded, again.tally.differing) == (2, 0)


async def test_a_state_saved_and_taken_up_again_within_a_tape_is_taken_up_in_the_replay(tmp_path: Path) -> None:
    """A watch that failed is begun again from its snapshot: what was seen since then is seen once more."""
    config = load(KEPT / "show.yaml", ENV)
    chain = config.chains["show"].id
    seen = [event for event in events(KEPT / "show.tape.gz") if event.chain == chain]
    half = next(i for i, event in enumerate(seen) if i > len(seen) // 2 and isinstance(event, Committed))
    found: list[bytes] = []
    async with recording(tmp_path, config) as (judging, tape):
        for event in seen[: half + 1]:
            found += [encode(finding) for finding in (await judging.take(event))[0].findings]
        closing = seen[half]
        assert isinstance(closing, Committed)
        kept = pickle.dumps(judging.saved(chain, closing.last))
        for _ in range(2):
            for event in seen[half + 1 :]:
                found += [encode(finding) for finding in (await judging.take(event))[0].findings]
            judging.restore(chain, pickle.loads(kept), after=closing.last)  # noqa: S301 - made above
    again = played(tape, config)
    assert [line.body for line in again.lines if line.kind == "finding"] == found
    assert (again.tally.inherited, again.tally.differing, len(found) > 10) == (False, 0, True)


def test_a_life_that_takes_up_an_earlier_one_says_that_detectors_knew_more_than_the_tape(incident: Incident) -> None:
    again = played(incident.second, incident.config)
    assert again.tally.inherited
    assert "cut off" in again.ended
    assert again.tally.events > 3


@pytest.mark.parametrize(("name", "decisions"), [("reentrancy", 4), ("show", 11)])
def test_a_tape_that_is_kept_is_judged_as_it_always_was(name: str, decisions: int) -> None:
    """If the judgement was meant to change, `python -m tests.support.tapes` makes new ones."""
    again = played(KEPT / f"{name}.tape.gz", load(KEPT / f"{name}.yaml", ENV))
    assert (again.ended, again.tally.recorded, again.tally.differing) == ("", decisions, 0)
    assert again.tally.digest == (KEPT / f"{name}.sha256").read_text().strip()


async def test_the_whole_show_is_replayed_in_a_fiftieth_of_its_time() -> None:
    told = await ended("replay", str(KEPT / "show.tape.gz"), "-c", str(KEPT / "show.yaml"), "--json", **ENV)
    assert told.code == 0, told.err
    report = json.loads(told.out.splitlines()[-1])
    assert (report["identical"], report["span_seconds"] > 20) == (True, True)
    assert report["times_real_time"] >= 50


def test_a_tape_has_every_tick_and_neither_secrets_nor_state_that_could_be_code(incident: Incident) -> None:
    with Tape(incident.tape) as tape:
        entries = list(tape)
        assert tape.header.integrations == ("vault",)
    assert sum(isinstance(entry, Tick) for entry in entries) > 3
    assert [entry.position for entry in entries if isinstance(entry, Restored)] == [None]
    text = gzip.decompress(incident.tape.read_bytes())
    assert (b"ws://" in text, TOKEN.encode() in text) == (False, False)


def test_a_tape_cut_off_by_a_kill_is_read_as_far_as_it_goes(incident: Incident, tmp_path: Path) -> None:
    whole = incident.tape.read_bytes()
    cut = tmp_path / "cut.tape.gz"
    full = played(incident.tape, incident.config)
    seen = []
    for share in (0.5, 0.9, 0.99):
        cut.write_bytes(whole[: int(len(whole) * share)])
        again = played(cut, incident.config)
        assert "cut off" in again.ended
        assert again.lines == full.lines[: len(again.lines)]
        seen.append(again.tally.events)
    assert 0 < seen[0] < seen[-1] <= full.tally.events


async def test_a_cut_tape_is_replayed_and_said_to_be_cut(incident: Incident, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tape.gz"
    cut.write_bytes(incident.tape.read_bytes()[:-40])
    told = await ended("replay", str(cut), "-c", str(incident.settings), "--json", TOKEN=TOKEN)
    assert (told.code, len(told.err.splitlines())) == (1, 1)
    assert "cut off" in told.err


def test_any_changed_byte_is_an_error_or_changes_nothing(incident: Incident, tmp_path: Path) -> None:
    """A gzip stream carries its own checksum, so nothing that was changed passes for a whole tape."""
    whole, full = incident.tape.read_bytes(), played(incident.tape, incident.config)
    changed = tmp_path / "changed.tape.gz"
    refused = 0
    for place in range(3, len(whole), max(1, len(whole) // 60)):
        changed.write_bytes(whole[:place] + bytes((whole[place] ^ 0x10,)) + whole[place + 1 :])
        try:
            again = played(changed, incident.config)
        except TapeError:
            refused += 1
        else:
            assert again.ended or again.lines == full.lines
    assert refused > 30


FOREIGN = {
    "empty": b"",
    "no gzip": b"hello\n",
    "no JSON": gzip.compress(b"hello\n"),
    "other JSON": gzip.compress(b'{"format":"other","version":1}\n'),
    "no header": gzip.compress(b'{"event":"Tick","chain":"*","at":1.0}\n'),
    "a header of nothing": gzip.compress(b'{"format":"seawall.tape","version":1}\n'),
    "half a header": gzip.compress(b'{"format":"seaw'),
    "of tomorrow": gzip.compress(b'{"format":"seawall.tape","version":2}\n'),
    "deep": gzip.compress(b"[" * 100_000 + b"\n"),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
async def test_a_foreign_file_is_one_clear_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.tape.gz"
    file.write_bytes(content)
    with pytest.raises(TapeError, match=r"file\.tape\.gz") as refused, Tape(file):
        pass
    assert "\n" not in str(refused.value)


def test_a_bomb_is_refused_before_it_fills_the_memory(incident: Incident, tmp_path: Path) -> None:
    with Tape(incident.tape) as tape:
        header = msgspec.json.encode(tape.header)
    bomb = tmp_path / "bomb.tape.gz"
    bomb.write_bytes(gzip.compress(header + b"\n" + b" " * 50_000_000))
    tracemalloc.start()
    with Tape(bomb, most_line=1_000_000) as opened, pytest.raises(TapeError, match="longer"):
        list(opened)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_every_kind_of_event_can_be_recorded() -> None:
    kinds: set[type[Event]] = set()
    waiting = [Event]
    while waiting:
        more = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("detectors.")]
        kinds.update(more)
        waiting += more
    assert set(Recorded.__args__) == kinds


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [Asked(number=1)],
        [Proposed(number=1)],
        [Standing(breakers={}, cursors={}, head=0), Asked(number=7)],
        [Standing(breakers={}, cursors={}, head=0), Written(kind="decision", body=msgspec.Raw(b'{"no":1}'))],
        [Standing(breakers={"vault": Breaker(integration="vault", state=State.OPEN)}, cursors={}, head=0)],
    ],
    ids=["nothing", "asked", "proposed", "asked of nothing", "no decision", "a state that cannot be"],
)
def test_a_forged_tape_ends_in_one_error(incident: Incident, tmp_path: Path, marks: list[Mark]) -> None:
    with Recorder(tmp_path / "forged.tape.gz", header_of(incident.config)) as tape:
        for mark in marks:
            tape.mark(mark)
        tape.mark(Restored(chain="eip155:31337"))
        for event in (Tick(chain=Tick.EVERYWHERE, at=1e9), *events(incident.tape)):
            tape.saw(event)
    with pytest.raises(TapeError, match="replay:"):
        played(tape.path, incident.config)
