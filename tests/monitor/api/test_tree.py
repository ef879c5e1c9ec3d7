"""The call path over HTTP: a picture that runs nothing and quotes nothing unescaped, and the same in the incident."""

import xml.etree.ElementTree as ET

import msgspec

from detectors.execution.path import Call, CallTree
from monitor.api import svg
from monitor.breaker.policy import Rules, judge
from monitor.breaker.sightings import Sighting
from tests.monitor.api.conftest import Doors
from tests.support.findings import BANK, finding

NASTY = "</text><script>alert(1)</script>\u202e"
TREE = CallTree(
    (
        Call(0, -1, "CALL", "0x" + "a0" * 20, "", "0x01020304", "0", failed=False),
        Call(1, 0, "CALL", BANK, NASTY, NASTY, "12", failed=False, marks=("victim", "reads the slot")),
        Call(2, 1, "CALL", NASTY, "", "", "9", failed=True, marks=("pays",), between=3, left_out=4),
    ),
    9,
)


async def held(doors: Doors) -> str:
    """A decision with its sighting in the journal; the finding's id."""
    found = finding()
    decision, _ = judge(doors.desk.fold.breaker("bank"), [found], Rules(), 1000.0, 10, "default")
    assert decision is not None
    seen = Sighting(finding=found.id, seen_at=1000.0, shown_at=1000.004, tree=TREE)
    await doors.desk.decide(lambda: ([decision], [seen]))
    return found.id


async def test_the_incident_tells_when_it_was_seen_and_shown_and_on_which_path(doors: Doors) -> None:
    which = await held(doors)
    async with doors.http.get(f"{doors.read.url}/v1/incidents/{which}") as answer:
        told = await answer.json()
    assert told["level"] == "pause"
    assert told["sightings"][which]["shown_at"] - told["sightings"][which]["seen_at"] < 0.005
    assert msgspec.convert(told["sightings"][which]["tree"], CallTree) == TREE


async def test_the_picture_is_one_document_without_script_and_says_everything_in_words(doors: Doors) -> None:
    which = await held(doors)
    async with doors.http.get(f"{doors.read.url}/v1/incidents/{which}/tree.svg") as answer:
        text = await answer.text()
        assert answer.content_type == "image/svg+xml"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    root = ET.fromstring(text)  # noqa: S314 - our own document
    space = "{http://www.w3.org/2000/svg}"
    assert {part.tag.removeprefix(space) for part in root.iter()} == {"svg", "title", "desc", "style", "rect", "text", "path"}
    assert root.attrib["aria-labelledby"] == "t d"
    assert root.findtext(f"{space}title") == "Call path of same_contract at " + BANK
    lines = [part.text or "" for part in root.iter(f"{space}text")]
    assert "pays, failed" in lines[2]
    assert all(line in (root.findtext(f"{space}desc") or "") for line in lines)
    assert "\u202e" not in text


async def test_the_page_shows_it_where_there_is_one(doors: Doors) -> None:
    which = await held(doors)
    async with doors.http.get(f"{doors.read.url}/board") as answer:
        assert f'<img src="/v1/incidents/{which}/tree.svg"' in await answer.text()


async def test_an_unknown_incident_and_one_without_a_path_are_told_apart(doors: Doors) -> None:
    await doors.pause()
    (made,) = doors.desk.made
    told = []
    for which in ("nothing", made.decision.id):
        async with doors.http.get(f"{doors.read.url}/v1/incidents/{which}/tree.svg") as answer:
            told.append((answer.status, (await answer.json())["title"]))
    assert told == [(404, "No such incident"), (404, "No call path")]


def test_a_deep_path_stays_as_wide_as_a_screen_can_scroll() -> None:
    deep = CallTree(tuple(Call(n, n - 1, "CALL", BANK, "", "", "0", failed=False) for n in range(40)), 40)
    width = float(ET.fromstring(svg.drawn(deep, finding())).attrib["width"])  # noqa: S314 - our own document
    assert width < 800
