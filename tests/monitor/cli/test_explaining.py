"""`seawall explain`: what a person reads at three in the morning, from a daemon or from the file it left behind."""

import msgspec

from detectors.events import Stage
from monitor.breaker.fold import Noted
from monitor.cli import telling
from tests.monitor.api.conftest import Doors
from tests.monitor.api.test_tree import held
from tests.monitor.cli.conftest import Seawall, ended
from tests.support.findings import BANK, finding


async def test_it_says_what_happened_what_left_on_which_path_when_and_what_to_do(doors: Doors, seawall: Seawall) -> None:
    which = await held(doors)
    told = await seawall("explain", which)
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0] == "bank: reentrancy same_contract: the bank was drained"
    for part in (
        "seen        1970-01-01 00:16:40.000 UTC",
        "timing      seen → ",
        "headroom    ",
        f"whom        {BANK}",
        "what left   share 40.0%",
        "call path, 3 of 9 calls",
        "do          Readers are told to stop.",
    ):
        assert any(line.startswith(part) for line in lines), (part, told.out)
    assert any("[victim, reads the slot]" in line for line in lines)
    assert "\u202e" not in told.out


async def test_the_journal_file_tells_the_same_while_the_daemon_still_writes_it(doors: Doors, seawall: Seawall) -> None:
    which = await held(doors)
    live = await seawall("explain", which, "--json")
    path = doors.desk.journal.journal.path  # type: ignore[attr-defined]  # the embedded one
    kept = await ended("explain", which, "--json", "--journal", str(path))
    assert kept.code == 0, kept.err
    known = {name: told for name, told in live.json.items() if name != "timing"}  # which the daemon alone has seen
    assert {name: told for name, told in kept.json.items() if name != "timing"} == known


async def test_a_finding_that_paused_nothing_is_explained_too(doors: Doors, seawall: Seawall) -> None:
    found = msgspec.structs.replace(finding(0.6), id="a-warning")
    await doors.desk.decide(lambda: ([], [Noted("bank", found)]))
    told = await seawall("explain", "a-warning")
    assert "do          Nothing was stopped." in told.out


async def test_what_is_not_known_is_said_with_where_it_was_looked_for(doors: Doors, seawall: Seawall) -> None:
    path = str(doors.desk.journal.journal.path)  # type: ignore[attr-defined]  # the embedded one
    asked, read, missing = (
        await seawall("explain", "nope"),
        await ended("explain", "nope", "--journal", path),
        await ended("explain", "nope", "--journal", path + ".not"),
    )
    assert [one.code for one in (asked, read, missing)] == [1, 1, 1]
    assert "no decision or finding 'nope'" in asked.err
    assert "no decision and no finding of that id" in read.err
    assert "there is no such journal" in missing.err


def incident(stage: str, *, at: float, block: int | None, timed: bool = True) -> dict[str, object]:
    """An incident as the API tells it, of a pause seen at 1000.0 and readable four milliseconds later."""
    found = msgspec.to_builtins(finding(stage=Stage(stage)))
    timing = {"seen_at": 1000.0, "decided_at": 1000.003, "readable_at": 1000.004, "recorded_at": 1000.012} if timed else None
    return {
        "integration": "bank", "reason": "robbed", "before": "closed", "after": "open", "at": 1000.0, "by": "policy:default",
        "revision": 3, "level": "pause", "findings": [found], "timing": timing,
        "evidence": {found["id"]: {"stage": "included" if block else stage, "at": at, "block": block}},
        "sightings": {found["id"]: {"seen_at": 1000.0, "shown_at": 1000.004, "tree": None}},
    }  # fmt: skip


def lines(told: dict[str, object]) -> dict[str, str]:
    """The lines of an incident by their names."""
    plain = [str(part) for part in telling.told(told)]
    return {line[:12].strip(): line[12:] for line in plain}


def test_each_step_is_timed_from_the_moment_it_was_seen_and_the_rest_is_headroom() -> None:
    said = lines(incident("pending", at=1006.4, block=17))
    assert said["timing"] == "seen → judged and decided 3 ms → readable 4 ms → recorded 12 ms"
    assert said["headroom"] == "6.4 s between readers knowing and block 17"
    assert lines(incident("pending", at=1006.4, block=17, timed=False))["timing"] == "seen → readable 4 ms"


def test_no_headroom_is_said_too() -> None:
    assert (
        lines(incident("pending", at=999.5, block=17))["headroom"] == "none: block 17 was there 0.5 s before readers could know"
    )
    assert lines(incident("included", at=1000.0, block=17))["headroom"] == "none: it was in a block when it was first seen"
    assert lines(incident("pending", at=1000.0, block=None))["headroom"] == "it is in no block that we know of"
