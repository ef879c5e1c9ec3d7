"""What the board says, without a browser: words for every state, nothing unescaped, one call path once, the rest counted."""

import re
import time
from html.parser import HTMLParser

import msgspec

from alerts.window import Edge, Window
from detectors.execution.path import Call, CallTree
from monitor.api.page.board import render
from monitor.api.page.incidents import MOST_FINDINGS, whole
from monitor.api.page.story import Known, stories
from monitor.api.page.view import View
from monitor.breaker.actuators.base import Check, Readiness
from monitor.breaker.desk import Made
from monitor.breaker.flags import FlagBoard, Shown, Spec
from monitor.breaker.holds import Decision, Level, Mode, State
from monitor.breaker.machine import Breaker
from monitor.breaker.policy import Rules, judge
from monitor.breaker.shadows import WouldPause
from monitor.breaker.sightings import Sighting
from monitor.breaker.timing import Acknowledged
from tests.monitor.api.conftest import Doors
from tests.support.findings import CHAIN, finding

NASTY = '<script>alert(1)</script>"\u202e'
TREE = CallTree((Call(0, -1, "CALL", "0x" + "a0" * 20, "", "0x01020304", "0", failed=False),), 9)
FLAG = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=1).read()["bank"]


class Outline(HTMLParser):
    """Every id and every element's name of a document; elements that are closed in another order than they were opened."""

    VOID = frozenset(("img", "br"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value is not None]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.crossed.append(tag)


def view(*made: Made, now: float = 1100.0, acting: bool = False, **flag: object) -> View:
    """A view of one integration."""
    breakers = {"bank": made[-1].breaker} if made else {"bank": Breaker(integration="bank", mode=Mode.ENFORCE)}
    known = Known(lambda _: None, lambda _: None, lambda name: breakers[name])
    seen = {f.id: Sighting(finding=f.id, seen_at=1.0, shown_at=2.0, tree=TREE) for one in made for f in one.decision.findings}
    shown = msgspec.structs.replace(FLAG, **({"state": Shown.RUN, "breaker": State.CLOSED, "max_share": 1.0} | flag))
    return View(
        now=now, flags={"bank": shown}, breakers=breakers, stories=stories(made), known=known,
        chains={"main": {"head": 7, "age": "2 s ago", "trouble": NASTY, "mempool": NASTY}}, sightings=seen, acting=acting,
    )  # fmt: skip


def opened(*txs: str, shadow: bool = False, reason: str = "it fell", mode: Mode = Mode.ENFORCE) -> Made:
    """A decision that these transactions led to."""
    found = tuple(msgspec.structs.replace(finding(tx=tx), title=NASTY, evidence={NASTY: NASTY, "path": "a → b"}) for tx in txs)
    decision = Decision(
        id="d1", integration="bank", before=State.CLOSED, after=State.OPEN, at=1000.0, reason=reason, by="policy:default",
        findings=found, shadow=shadow,
    )  # fmt: skip
    return Made(decision, Breaker(integration="bank", mode=mode, state=State.OPEN, findings=found, reason=reason), 1)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_every_answer_has_words_of_its_own() -> None:
    told: dict[str, dict[str, object]] = {
        "Safe to use": {},
        "Use for 25% of traffic": {"max_share": 0.25, "breaker": State.HALF_OPEN},
        "Unprotected, by order": {"breaker": State.FORCED_CLOSED},
        "Do not use": {"state": Shown.PAUSE, "breaker": State.OPEN, "max_share": 0.0},
        "Only take money out": {"state": Shown.PAUSE, "breaker": State.OPEN, "level": "exits_only", "max_share": 0.0},
        "Unknown": {"state": Shown.UNKNOWN},
    }
    for word, flag in told.items():
        page = render(view(**flag))  # type: ignore[arg-type]  # built from a table
        assert word in text(page)
        assert [other for other in told if other != word and f"> {other}</p>" in page] == []


def test_what_the_chain_wrote_is_text_and_the_page_is_well_formed() -> None:
    for page in (
        render(view(opened("0x1"), acting=True, reason=NASTY)),
        whole(view(opened("0x1")).stories[0], view(opened("0x1"))),
    ):
        outline = Outline(page)
        assert "script" not in outline.names
        assert "\u202e" not in page
        assert (outline.open, outline.crossed) == ([], [])
        assert len(outline.ids) == len(set(outline.ids))


def test_a_call_path_is_drawn_once_and_what_is_too_much_is_counted() -> None:
    txs = [f"0x{number}" for number in range(MOST_FINDINGS + 2)]
    shown = view(opened(*txs))
    assert "2 more on its page" in render(shown)
    page = whole(shown.stories[0], shown)
    assert (page.count("<img"), page.count("as above")) == (1, len(txs) - 1)
    assert page.count("<details") == len(txs)


def test_a_path_keeps_its_arrows_and_other_evidence_shows_what_is_not_ascii() -> None:
    page = whole(view(opened("0x1")).stories[0], view(opened("0x1")))
    assert "a → b" in page


def test_shadow_says_what_it_would_have_done_and_that_nothing_was_turned() -> None:
    page = text(render(view(opened("0x1", shadow=True, mode=Mode.SHADOW))))
    assert "would be paused" in page
    assert "the flag was left alone" in page
    assert "once 1 min 40 s" in page, "how often and for how long"
    assert "What shadow would have done" not in render(view())


def test_who_took_it_up_is_named_with_the_pager_they_did_it_in() -> None:
    shown = view(opened("0x1"))
    assert "Nobody has taken it up yet" in text(render(shown))
    news = Acknowledged(incident="d1", integration="bank", at=1050.0, by="human:ana", note="looking", via="pager")
    page = text(render(msgspec.structs.replace(shown, known=Known(lambda _: None, lambda _: news, shown.known.breaker))))
    assert "Acknowledged by ana through pager" in page
    assert "acknowledged somebody took it up: looking by human:ana" in page


def test_the_exit_on_the_chain_is_shown_with_what_stands_in_its_way() -> None:
    checks = (Check(name="role", ok=False, told="the sender has lost its role"),)
    told = {True: "would succeed", False: "would fail : the sender has lost its role", None: "cannot be vouched for"}
    for ready, words in told.items():
        exit_ = Readiness(
            integration="bank", contract="0x1", function="pause()", sender="0x2", at=1.0, block=7, ready=ready,
            checks=() if ready is not False else checks,
        )  # fmt: skip
        shown = msgspec.structs.replace(view(), exit=lambda _, exit_=exit_: exit_)
        assert f"A pause on the chain {words}" in text(render(shown))
    assert "A pause on the chain" not in render(view())


def test_an_incident_says_which_blocks_are_to_be_reconciled() -> None:
    story = view(opened("0x1")).stories[0]
    window = Window(
        incident="d1", integration="bank", chain=CHAIN, open=True, state="open", decided_at=1.0, transactions_total=12,
        start=Edge(80, "0x80", 1.0, 1.0), end=Edge(91, "0x91", 1.0, 1.0), complete=False, why="blocks were forgotten",
    )  # fmt: skip
    page = text(whole(story, view(opened("0x1")), window))
    assert "Blocks 80 to 91 (so far), 12 transactions in them touched it. Not all of it is known: blocks were forgotten." in page


def test_several_nodes_are_told_apart_and_the_one_in_the_lead_is_named() -> None:
    nodes = [{"name": "alpha", "state": "alive", "leads": True}, {"name": "beta", "state": "behind", "leads": False}]
    shown = msgspec.structs.replace(view(), chains={"main": {"head": 7, "degraded": "alpha is the last", "nodes": nodes}})
    page = text(render(shown))
    assert "alpha alive, leads beta behind" in page
    assert "Yes: alpha is the last" in page


async def test_what_a_shadowed_detector_would_have_paused_is_told_from_the_journal(doors: Doors) -> None:
    news = WouldPause(integration="bank", finding=finding(), level=Level.PAUSE, seconds=1167.0)
    await doors.desk.decide(lambda: ([], [news]))
    async with doors.http.get(f"{doors.read.url}/board") as answer:
        page = text(await answer.text())
    assert "bank: would be a pause, for 19 min 27 s of all traffic at least: reentrancy same_contract" in page


def test_orders_are_offered_only_where_they_can_be_given() -> None:
    made = opened("0x1")
    assert "data-order" not in render(view(made))
    page = render(view(made, acting=True, revision=7))
    assert re.findall(r'data-order="(\w+)"', page) == ["pause", "override", "acknowledge"]
    assert 'data-revision="7"' in page


async def test_every_link_of_the_page_and_of_an_incident_leads_somewhere_on_either_listener(doors: Doors) -> None:
    found = finding(at=time.time())
    decision, _ = judge(doors.desk.fold.breaker("bank"), [found], Rules(), found.at, 10, "default")
    assert decision is not None
    seen = Sighting(finding=found.id, seen_at=found.at, shown_at=found.at, tree=TREE)
    await doors.desk.decide(lambda: ([decision], [seen]))
    for listener in (doors.read, doors.admin):
        for path in ("/", f"/incidents/{decision.id}"):
            async with doors.http.get(listener.url + path) as answer:
                links = set(re.findall(r'(?:href|src|data-source)="(/[^"]*)"', await answer.text()))
            assert {"/", "/page/page.css", f"/v1/incidents/{found.id}/tree.svg"} <= links
            for link in links - {f"/v1/incidents/{decision.id}/window"}:  # no ledger stands behind these doors
                async with doors.http.get(listener.url + link) as answer:
                    assert (link, answer.status) == (link, 200)
