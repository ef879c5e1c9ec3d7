"""Hostile text in every sink: what comes out parses back to exactly the structure that was meant, whatever a chain wrote."""

import html
import io
import json
import unicodedata
from html.parser import HTMLParser

import msgspec
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.text import Text

from alerts.text import from_chain, plain

HOSTILE = st.text(
    alphabet=st.characters(codec=None) | st.sampled_from("\x00\x1b\n\r\u202e\u200b\ud800\ufeff\u2028<&!>|@\"'\\{}$`*_~")
)


@given(HOSTILE)
def test_a_log_line_is_one_line_of_json_with_the_text_in_it(text: str) -> None:
    out = io.StringIO()
    log = structlog.wrap_logger(structlog.PrintLogger(out), processors=[structlog.processors.JSONRenderer()])
    log.info("finding", name=plain(text))
    (line,) = out.getvalue().splitlines()
    assert json.loads(line) == {"name": plain(text), "event": "finding"}


@given(HOSTILE)
def test_json_reads_back_as_it_was(text: str) -> None:
    assert msgspec.json.decode(msgspec.json.encode({"title": plain(text)})) == {"title": plain(text)}


class Elements(HTMLParser):
    """What a browser would see: elements, and the text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append(tag)
        self.words += "".join(value or "" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words += data


@given(HOSTILE)
def test_a_page_has_the_elements_it_was_given_and_the_text_as_text(text: str) -> None:
    shown = plain(text)
    seen = Elements()
    seen.feed(f'<td title="{html.escape(shown)}">{html.escape(shown)}</td>')
    seen.close()
    assert (seen.tags, seen.words) == (["td"], shown * 2)


@given(HOSTILE)
def test_a_terminal_moves_no_cursor_and_reads_no_markup(text: str) -> None:
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=4000, color_system=None).print(Text(plain(text)))
    printed = out.getvalue()
    assert printed.rstrip() == plain(text).rstrip()
    assert {c for c in printed if unicodedata.category(c) == "Cc"} <= {"\n"}


@given(HOSTILE)
def test_even_as_a_label_it_would_leave_the_page_of_metrics_whole(text: str) -> None:
    registry = CollectorRegistry()
    Gauge("seawall_test", "A test.", ["who"], registry=registry).labels(from_chain(text)).set(1)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert [sample.labels for sample in family.samples] == [{"who": from_chain(text)}]
