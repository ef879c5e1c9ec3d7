"""What the board says, without a browser: words for every state, nothing unescaped, one call path once, the rest counted."""

import re
from html.parser import HTMLParser

import msgspec

from detectors.execution.path import Call, CallTree
from monitor.api.page.board import render
from monitor.api.page.incidents import MOST_FINDINGS, whole
from monitor.api.page.story import Known, stories
from monitor.api.page.view import View
from monitor.breaker.desk import Made
from monitor.breaker.flags import FlagBoard, Shown, Spec
from monitor.breaker.holds import Decision, Mode, State
from monitor.breaker.machine import Breaker
from monitor.breaker.sightings import Sighting
from tests.support.findings import CHAIN, finding

NASTY = '<script>alert(1)</script>"\u202e'
TREE = CallTree((Call(0, -1, "CALL", "0x" + "a0" * 20, "", "0x01020304", "0", failed=False),), 9)
FLAG = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=1).read()["bank"]


class Outline(HTMLParser):
    """Every id and every element's name of a document; elements that are closed in another order than they were opened."""

    VOID = frozenset(("img", "input", "br"))

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


def test_orders_are_offered_only_where_they_can_be_given() -> None:
    made = opened("0x1")
    assert "data-order" not in render(view(made))
    page = render(view(made, acting=True, revision=7))
    assert re.findall(r'data-order="(\w+)"', page) == ["pause", "override", "acknowledge"]
    assert 'data-revision="7"' in page
