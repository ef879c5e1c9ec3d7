"""Text from a chain is hostile."""

import unicodedata

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.text import LINE, SHORT, from_chain, neutral, paragraphs, plain
from tests.support.notices import finding, told

HOSTILE = st.text(alphabet=st.characters(codec=None) | st.sampled_from("\x00\x1b\n\r\u202e\u200b\ud800\ufeff\u2028<&!|\"'\\{}$`"))
ZOO = (
    "USD\u202eC",
    "\x1b]0;owned\x07\x1b[2J",
    "<script>alert(1)</script>",
    "<!channel> <http://evil|safe>",
    "a\u200bb\u2060c\ufeffd",
    "nul\x00 surrogate \ud800\udfff",
    "A" * 1_000_000,
    "\u0315" * 1000,
    "line\u2028para\u2029\x85\x0b\x0c end",
    "\U000e0041\U000e0042",
    "{{ .Labels }} %(x)s ${HOME}",
)


@given(HOSTILE)
@example("\u1100\u1161\u11a8")
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= LINE
    assert shown.splitlines() in ([], [shown])
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    shown.encode()
    assert unicodedata.is_normalized("NFC", shown)
    assert plain(shown) == shown


@given(HOSTILE)
def test_a_name_from_a_chain_can_pass_for_no_other(text: str) -> None:
    shown = from_chain(text)
    assert shown.isascii()
    assert len(shown) <= SHORT


def test_the_token_zoo_loses_its_teeth() -> None:
    assert [plain(text)[:40] for text in ZOO] == [
        "USDC",
        "]0;owned[2J",
        "<script>alert(1)</script>",
        "<!channel> <http://evil|safe>",
        "abcd",
        "nul surrogate",
        "A" * 40,
        "\u0315" * 40,
        "line para end",
        "",
        "{{ .Labels }} %(x)s ${HOME}",
    ]


def test_look_alike_letters_are_shown_for_what_they_are() -> None:
    assert from_chain("USD\u0421") != "USDC"
    assert "\\u{421}" in from_chain("USD\u0421")


@given(HOSTILE)
def test_a_body_keeps_lines_and_nothing_else_that_moves_a_cursor(text: str) -> None:
    shown = paragraphs(text)
    assert {c for c in shown if unicodedata.category(c) == "Cc"} <= {"\n"}
    assert paragraphs(shown) == shown


@given(HOSTILE, st.floats() | st.integers())
def test_a_neutral_notification_survives_the_disk_as_it_is(text: str, amount: float) -> None:
    wild = told(reason=text, findings=(finding(text, evidence={text: text, "amount": amount}),), links={text: text})
    clean = neutral(msgspec.structs.replace(wild, title=text, body=text))
    assert msgspec.json.decode(msgspec.json.encode(clean), type=type(clean)) == clean
    assert neutral(clean) == clean
